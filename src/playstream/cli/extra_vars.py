"""Parse the values of --extra-vars in the same way as Ansible's own `-e`."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from typing import Any

from playstream.pipeline.errors import ConfigurationError
from playstream.pipeline.job.inputs import load_mapping
from playstream.pipeline.job.yaml_loader import ExactLoader
from playstream.pipeline.tree.directories import absolute_path

_ESCAPE = re.compile(r"""\\(?:U[0-9a-fA-F]{8}|u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|N\{[^}]+\}|[\\'"abfnrtv])""")
_BLOCKS = (("{{", "}}"), ("{%", "%}"), ("{#", "#}"))
_FREE = "_raw_params"
"""The variable in which Ansible stores words that are not assignments."""
_SOURCE = "--extra-vars"


def read_extra_vars(items: Sequence[str], warn: Callable[[str], None]) -> list[Any]:
    """Return extra variables for `playstream.run`: for each item a path, a string of YAML or JSON, or a dict.

    Args:
        items: `@FILE`, YAML or JSON, or `name=value name=value`.
        warn: called with a warning about words that set no variable.

    Raises:
        ConfigurationError: an item has none of these forms.
    """
    return [_read_item(item, warn) for item in items if item]


def _read_item(item: str, warn: Callable[[str], None]) -> Any:
    if item.startswith("@"):
        return absolute_path(os.path.expanduser(item[1:]))
    if item[0] in "/.":
        raise ConfigurationError(f"{_SOURCE}: {item!r} looks like a file name: write {'@' + item!r} to read the file")
    if item[0] in "{[":
        return item
    if "=" not in item:
        return load_mapping(_SOURCE, item, ExactLoader)
    return parse_assignments(item, warn)


def parse_assignments(text: str, warn: Callable[[str], None] = lambda _line: None) -> dict[str, str]:
    r"""Return the variables in `name=value name="two words"`. All values are strings.

    Words end at spaces and line ends, except within quotes and within `{{ }}`, `{% %}` and `{# #}`. Backslashes are
    decoded: `\n` is a line end, `\=` keeps the equals sign in the word. Words that are not assignments become one
    variable, `_raw_params`, as in Ansible.

    Args:
        text: the argument of -e.
        warn: called with a warning about words that set no variable.

    Raises:
        ConfigurationError: a quote or a block is not closed, or an escape sequence is invalid.
    """
    found: dict[str, str] = {}
    free: list[str] = []
    for word in _split(text):
        decoded = _decode(word)
        place = re.search(r"(?<=.)(?<!\\)=", decoded, re.DOTALL)
        if place is None:
            free.append(decoded.replace("\\=", "=") if "=" in decoded else word)
        else:
            found[decoded[: place.start()].strip()] = _unquote(decoded[place.end() :].strip())
    if free:
        found[_FREE] = _join(free)
        warn(
            f"warning: {_SOURCE} {text!r}: {found[_FREE].strip()!r} sets no variable. Quote a value that contains "
            "spaces, as in -e 'name=\"two words\"'"
        )
    return found


class _Words:
    """The words read so far, and the quotes and blocks that are still open."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self._quote = ""
        self._depths = [0, 0, 0]

    @property
    def quoted(self) -> bool:
        """True within quotes."""
        return bool(self._quote)

    @property
    def open(self) -> bool:
        """True while the next piece belongs to the last word."""
        return self.quoted or any(self._depths)

    def add(self, piece: str, *, first: bool) -> None:
        """Add the text between two spaces; `first` if it is the first of its line."""
        belongs = self.open
        for number, char in enumerate(piece):
            if char in "\"'" and piece[number - 1 : number] != "\\" and self._quote in {"", char}:
                self._quote = "" if self._quote else char
        for number, (begin, end) in enumerate(_BLOCKS):
            self._depths[number] = max(0, self._depths[number] + piece.count(begin) - piece.count(end))
        if belongs:
            self.extend(piece if first else f" {piece}")
        elif piece:
            self.found.append(piece)

    def extend(self, text: str) -> None:
        """Append text to the last word."""
        if not self.found:
            self.found.append("")
        self.found[-1] += text


def _split(text: str) -> list[str]:
    words = _Words()
    *lines, last = text.split("\n")
    for line in lines:
        if not _add_line(words, line):
            words.extend("\n")
    _add_line(words, last)
    if words.open:
        raise ConfigurationError(f"{_SOURCE}: {text!r}: a quote or a block ({{{{, {{% or {{#) is not closed")
    return words.found


def _add_line(words: _Words, line: str) -> bool:
    """Add a line; return True if it ends with a backslash and is continued on the next line."""
    continued = False
    for number, piece in enumerate(line.split(" ")):
        if not piece and number:
            words.extend(" ")
        elif piece == "\\" and not words.quoted:
            continued = True
        else:
            words.add(piece, first=number == 0)
    return continued


def _decode(word: str) -> str:
    def replace(match: re.Match[str]) -> str:
        try:
            return match[0].encode("latin-1").decode("unicode-escape")
        except UnicodeError:
            raise ConfigurationError(f"{_SOURCE}: {match[0]!r} is not a valid escape sequence") from None

    return _ESCAPE.sub(replace, word)


def _unquote(value: str) -> str:
    quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "\"'" and value[-2] != "\\"
    return value[1:-1] if quoted else value


def _join(words: Sequence[str]) -> str:
    joined = ""
    for word in words:
        joined += word if not joined or joined.endswith("\n") else f" {word}"
    return joined
