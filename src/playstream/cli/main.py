"""Choosing the subcommand, and turning errors into a line and an exit status."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Any

from playstream._version import __version__
from playstream.cli import process, transmit, worker
from playstream.pipeline.errors import PlaystreamError

_INTERRUPTED_EXIT_STATUS = 130


def _formatter(prog: str) -> argparse.HelpFormatter:
    """Help as wide as the terminal.

    argparse wants a formatter for every argument that it is told of, and loads shutil for the terminal's width: 2 ms.
    """
    try:
        width = int(os.environ.get("COLUMNS", "0")) or os.get_terminal_size(1).columns or 80
    except (OSError, ValueError):
        width = 80
    return argparse.HelpFormatter(prog, width=width - 2)


class _Parser(argparse.ArgumentParser):
    """A parser, and its subcommands' parsers, with `_formatter`."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, formatter_class=_formatter)


def make_parser() -> argparse.ArgumentParser:
    """The parser of the whole command line."""
    parser = _Parser(
        prog="playstream",
        description="Run Ansible anywhere a byte pipe reaches.",
        epilog="example: playstream transmit demo -p site.yml | ssh host playstream worker | playstream process demo",
    )
    parser.add_argument("--version", action="version", version=f"playstream {__version__}")
    subcommands = parser.add_subparsers(metavar="COMMAND", required=True, prog="playstream")
    for module in (transmit, worker, process):
        module.add_parser(subcommands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line.

    Args:
        argv: the words after the program's name; those of the process by default.

    Returns:
        The exit status; docs/errors.md lists those of errors.
    """
    arguments = make_parser().parse_args(argv)
    try:
        return int(arguments.run(arguments))
    except PlaystreamError as error:
        print(f"playstream {arguments.name}: {error}", file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt:
        print(f"playstream {arguments.name}: interrupted", file=sys.stderr)
        return _INTERRUPTED_EXIT_STATUS
