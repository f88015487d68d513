"""Completion scripts and man pages, made from the parsers when the package is built.

Building a wheel calls `write_completions` and `write_man_pages` (setup.py). The libraries that they use are only needed
there, and for `playstream completion` in a checkout.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from playstream._version import __version__
from playstream.cli.main import make_parser
from playstream.cli.parser import Parser, kind_of

SCRIPTS = {"bash": "playstream.bash", "zsh": "_playstream", "fish": "playstream.fish"}
"""The shells, and the names that each expects of a file with completions."""
_DIRECTORIES = frozenset({"DIR"})
_FILES = frozenset({"FILE", "PATH", "PROGRAM"})
_IN_THE_PROJECT = frozenset({"--playbook"})
"""Flags whose files are not looked up in the current directory."""
_WIDTH = 10**6
"""Man pages are wrapped by the program that shows them."""


def make_completion(shell: str) -> str:
    """Return the script that a shell reads to complete words of the command line.

    Args:
        shell: one of SCRIPTS.

    Raises:
        ImportError: shtab is not installed.
    """
    import shtab  # noqa: PLC0415 - only needed here

    parser = make_parser()
    for each in _walk(parser):
        for action in (*each.positionals, *_flags_of(each)):
            kind = kind_of(action)
            if kind in _DIRECTORIES:
                action.complete = shtab.DIRECTORY  # type: ignore[attr-defined]  # that is how shtab is told
            elif kind in _FILES and not _IN_THE_PROJECT & set(action.option_strings):
                action.complete = shtab.FILE  # type: ignore[attr-defined]
    return str(shtab.complete(parser, shell)) + "\n"


def make_man_pages() -> dict[str, str]:
    """Return the man pages by file name: one of the program, and one of each subcommand.

    Raises:
        ImportError: argparse-manpage is not installed.
    """
    top = make_parser()
    top.about = (top.description or "").rstrip(".")
    return {f"{_page_of(parser)}.1": _make_man_page(parser) for parser in _walk(top)}


def _page_of(parser: Parser) -> str:
    """Return the name of the man page of a subcommand, or of the program."""
    return "-".join(["playstream", *(parser.command or "").split()])


def _make_man_page(parser: Parser) -> str:
    from argparse_manpage.manpage import Manpage  # noqa: PLC0415 - only needed here

    if parser.choice is not None:
        parser.choice.help = argparse.SUPPRESS  # each has a page of its own
    page = Manpage(parser)
    page.prog = _page_of(parser)
    page.description = parser.about
    page.source = f"playstream {__version__}"
    page.manual = "playstream"
    usage = [line.strip() for line in parser.format_usage().partition(":")[2].splitlines()]
    page.add_section("synopsis", "=", "\n.br\n".join(map(_escape, filter(None, usage))))
    if parser.subparsers:
        lines = []
        for each in parser.subparsers.values():
            lines += [".TP", rf"\fB{_escape(_page_of(each))}\fR(1)", _escape(each.about)]
        page.add_section("commands", "=", "\n".join(lines))
    return _keep_text(str(page))


def _escape(text: str) -> str:
    return text.replace("\\", r"\e").replace("-", r"\-")


def _flags_of(parser: Parser) -> list[argparse.Action]:
    return list(parser._option_string_actions.values())


def _keep_text(page: str) -> str:
    """Return the page without lines of text that roff would take for requests."""
    requests = (".TH ", ".SH", ".SS", ".TP", ".B ", ".PP", ".nf", ".fi", ".RS", ".RE", ".br")
    kept = []
    for line in page.splitlines():
        is_text = line.startswith("'") or (line.startswith(".") and not line.startswith(requests))
        kept.append(rf"\&{line}" if is_text else line)
    return "\n".join(kept) + "\n"


def _walk(parser: Parser) -> Iterator[Parser]:
    """Yield a parser and those of its subcommands, after they were set up."""
    parser.set_up()
    parser.formatter_class = _unwrapped
    yield parser
    for each in parser.subparsers.values():
        yield from _walk(each)


def _unwrapped(prog: str) -> argparse.HelpFormatter:
    return argparse.HelpFormatter(prog, width=_WIDTH)


def write_completions(directory: Path) -> list[Path]:
    """Write the completion scripts into a directory, and return their paths.

    Raises:
        OSError: one cannot be written.
    """
    return _write(directory, {name: make_completion(shell) for shell, name in SCRIPTS.items()})


def write_man_pages(directory: Path) -> list[Path]:
    """Write the man pages into a directory, and return their paths.

    Raises:
        OSError: one cannot be written.
    """
    return _write(directory, make_man_pages())


def _write(directory: Path, texts: dict[str, str]) -> list[Path]:
    directory.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, text in texts.items():
        path = directory / name
        path.write_text(text, encoding="utf-8")
        paths.append(path)
    return paths
