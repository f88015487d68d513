"""The line of the user's terminal on which a worker at the other end of a link asks."""

from __future__ import annotations

import re
import unicodedata

from playstream.interface.terminal_text import make_safe

_ERASE = "\x1b[K"
_MOVES = re.compile(r"(\n|\r|\x08|\a|\x1b\[K)")
"""What a program that edits a line uses besides text and colours."""
_CHARACTER = re.compile(r"\x1b\[[0-9;]*m|.", re.DOTALL)
"""A colour, or a character."""
_WITHOUT_WIDTH = {"Mn", "Me", "Cf"}
"""Categories of characters that may not move the cursor."""
_TAB = 8


class AskedLine:
    """The line on which a worker asks. Each row begins with the name of the link, which the worker cannot cover.

    Terminals differ in the width of some characters, so the position of the cursor is known within limits.

    Args:
        name: the name, as it is shown.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._columns = 0
        self._begun = False
        """Whether the name is shown in the row of the cursor."""
        self._least = 0
        """How far the cursor is at least behind the name."""
        self._most = 0
        """How far it is at most."""
        self._empty = True
        """Whether nothing else is shown in that row."""

    def add(self, text: str, columns: int) -> str:
        """Return what to write for a text of the worker: text, colours, and what moves the cursor within the line.

        Args:
            text: the text.
            columns: the width of the terminal.
        """
        self._columns = columns
        shown = self._begin()
        for piece in _MOVES.split(text):
            if piece:
                shown += self._begin() + self._add(piece)
        return shown

    @property
    def _start(self) -> str:
        most = max(1, self._columns // 2 - len("() "))
        name = self._name if len(self._name) <= most else f"{self._name[: most - 1]}…"
        return f"({name}) "

    def _begin(self) -> str:
        if self._begun:
            return ""
        self._begun = self._empty = True
        self._least = self._most = 0
        return self._start

    def _add(self, piece: str) -> str:
        if piece == "\n":
            self._begun = False
        elif piece == "\r":
            self._least = self._most = 0
            return f"\r{self._start}"
        elif piece == "\b":
            if self._least == 0:
                return ""
            self._least -= 1
            self._most -= 1
        elif piece == _ERASE:
            self._empty = self._empty or self._least == 0
        elif piece != "\a":
            return "".join(map(self._add_character, _CHARACTER.findall(make_safe(piece))))
        return piece

    def _add_character(self, character: str) -> str:
        """Return a character or a colour, in a new row with the name if the terminal might begin one without it."""
        if len(character) > 1:
            return character
        least, most = _width(character)
        before = ""
        if len(self._start) + self._most + most >= self._columns:
            self._begun = False
            before = "\n" + self._begin()
        self._empty = False
        self._least += least
        self._most += most
        return before + character

    def leave(self) -> None:
        """Note that the cursor is on another line."""
        self._begun = False

    def end(self) -> str:
        """Return what to write at the end of a question: the end of its line, or what erases an empty one."""
        if not self._begun:
            return ""
        self._begun = False
        return f"\r{_ERASE}" if self._empty else "\n"


def _width(character: str) -> tuple[int, int]:
    """Return how many columns a character takes at least and at most."""
    if character == "\t":
        return 1, _TAB
    if character.isascii():
        return 1, 1
    return (0 if unicodedata.category(character) in _WITHOUT_WIDTH else 1), 2
