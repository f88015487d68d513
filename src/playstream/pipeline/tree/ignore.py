"""Excluded entries of a directory: gitignore patterns, by the library pathspec, and `artifacts`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from playstream.pipeline.errors import ConfigurationError

IGNORE_FILE = ".playstreamignore"
"""Name of the file with patterns, in the directory that is packed."""

ARTIFACTS = b"artifacts"
"""The results of runs; never sent, whatever the patterns are, even if it is a link to a directory."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class _Rule:
    """One pattern."""

    ignore: bool
    """False for a negated pattern."""
    directories_only: bool
    search: Callable[[str], re.Match[str] | None]
    place: str
    """The pattern and its position, for messages."""


class Ignore:
    """Decides which entries are excluded, as git does: the last pattern that matches an entry decides."""

    def __init__(self, rules: Sequence[_Rule] = ()) -> None:
        """Create it from rules; without rules only `artifacts` is ignored. Callers use `for_directory`."""
        self._last_first = tuple(reversed(rules))

    @classmethod
    def for_directory(cls, root: Path, exclude: Sequence[str]) -> Ignore:
        """Read the patterns of `.playstreamignore` in `root`, if there is one, and add those of `exclude`.

        Raises ConfigurationError, naming the file and line, if a pattern is invalid or the file cannot be read.
        """
        rules = list(_file_rules(root / IGNORE_FILE))
        rules.extend(_rules(enumerate(exclude, 1), lambda _number, text: f"--exclude {text!r}"))
        return cls(rules)

    def ignored(self, path: bytes, is_directory: bool) -> bool:
        """Return True if the entry is excluded. A directory is excluded with everything below it.

        `path` is relative to the root, and its parent directory is not ignored. A symlink is not a directory.
        """
        if path == ARTIFACTS:
            return True
        rule = self._deciding(path, is_directory)
        return rule is not None and rule.ignore

    def why_left_out(self, path: bytes) -> str | None:
        """Explain why an existing entry, or a directory above it, is excluded; None if it is not."""
        parts = path.split(b"/")
        for count in range(1, len(parts) + 1):
            above = b"/".join(parts[:count])
            if above == ARTIFACTS:
                return "artifacts/ is never sent"
            rule = self._deciding(above, count < len(parts))
            if count == len(parts) and (rule is None or not rule.ignore):
                rule = self._deciding(above, True)  # the entry itself may be a directory
            if rule is not None and rule.ignore:
                return f"excluded by {rule.place}"
        return None

    def _deciding(self, path: bytes, is_directory: bool) -> _Rule | None:
        """Return the last pattern that matches, if there is one."""
        if not self._last_first:
            return None
        text = _matchable(path.decode("utf-8", "surrogateescape"))
        for rule in self._last_first:
            if rule.directories_only and not is_directory:
                continue
            match = rule.search(text)
            # The only group in pathspec's expressions is the slash after a directory that the pattern matches. That
            # directory was checked before, so only a match of the whole path counts.
            if match is not None and match.lastindex is None:
                return rule
        return None


def _file_rules(file: Path) -> Iterator[_Rule]:
    try:
        if not file.is_file():
            return
        content = file.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"cannot read {file}: {error.strerror}. Make it readable or remove it") from error
    lines = content.removeprefix(_BYTE_ORDER_MARK).split(b"\n")
    yield from _rules(_decoded(file, lines), lambda number, text: f"{file}, line {number}: {text!r}")


def _decoded(file: Path, lines: Sequence[bytes]) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(lines, 1):
        try:
            yield number, line.decode("utf-8")
        except UnicodeDecodeError as error:
            raise ConfigurationError(
                f"{file}, line {number}: expected UTF-8, found {line[:80]!r}. Save the file as UTF-8"
            ) from error


def _rules(patterns: Iterator[tuple[int, str]], place: Callable[[int, str], str]) -> Iterator[_Rule]:
    for number, text in patterns:
        pattern = text if text.endswith("\\ ") else text.rstrip()
        if not pattern or pattern.startswith("#"):
            continue
        try:
            yield _rule(pattern, place(number, text))
        except (ValueError, re.error) as error:
            raise ConfigurationError(
                f"{place(number, text)} is not a valid pattern ({error}). Patterns have the syntax of gitignore(5)"
            ) from error


def _rule(pattern: str, place: str) -> _Rule:
    """Compile a pattern. Raises ValueError or re.error if it is invalid."""
    if "[:" in pattern:
        # pathspec would read the letters of [[:alpha:]] literally and ignore the wrong files.
        raise ValueError("named character classes are not supported")
    # pathspec matches a directory's pattern with everything below the directory. Packing checks one entry at a time, so
    # the slash is removed here and compared with the type of the entry.
    directories_only = pattern.endswith("/")
    from pathspec import GitIgnoreSpec  # noqa: PLC0415 - most trees are packed without patterns of their own

    compiled = list(GitIgnoreSpec.from_lines([_matchable(pattern.removesuffix("/"))]).patterns)
    if len(compiled) != 1 or compiled[0].include is None or compiled[0].regex is None:
        raise ValueError("it matches nothing")
    return _Rule(compiled[0].include, directories_only, compiled[0].regex.search, place)


def _matchable(text: str) -> str:
    """Replace newlines, which are special to `$` and `.`, with NUL, which no name contains."""
    return text.replace("\n", "\0") if "\n" in text else text
