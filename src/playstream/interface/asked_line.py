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
_WITH_WIDTH = {"Lu", "Ll", "Lt"}
"""Categories of characters that move the cursor on every terminal."""
_JOINED = ("JUNGSEONG", "JONGSEONG", "FILLER")
"""Parts of the names of wide letters that some terminals show in the cell of the one before, or not at all."""
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
        self._elsewhere = False
        """Whether something else has moved the cursor since."""
        self._text: list[str] = []
        """The characters of the last row, without colours."""
        self._at = 0
        """Where in them the next one is added."""

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

    def again(self, columns: int) -> str:
        """Return what to write to show the last row again, in a new one."""
        return self.add("".join(self._text), columns)

    @property
    def _start(self) -> str:
        most = max(1, self._columns // 2 - len("() "))
        name = self._name if len(self._name) <= most else f"{self._name[: most - 1]}…"
        return f"({name}) "

    def _begin(self) -> str:
        if self._begun:
            return ""
        self._begun = self._empty = True
        self._least = self._most = self._at = 0
        self._text = []
        before = f"\r{_ERASE}" if self._elsewhere else ""
        self._elsewhere = False
        return before + self._start

    def _add(self, piece: str) -> str:
        if piece == "\n":
            self._begun = False
        elif piece == "\r":
            self._least = self._most = self._at = 0
            return f"\r{self._start}"
        elif piece == "\b":
            if self._least == 0:
                return ""
            self._least -= 1
            self._most -= 1
            self._at = max(0, self._at - 1)
        elif piece == _ERASE:
            del self._text[self._at :]
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
            self._elsewhere = self._empty  # then the row is begun again in its place
            before = ("" if self._empty else "\n") + self._begin()
        self._empty = False
        self._least += least
        self._most += most
        self._text[self._at : self._at + 1] = character
        self._at += 1
        return before + character

    def fill(self) -> None:
        """Note that the user may have typed, so that nothing is known of the cursor: further text begins a new row."""
        if self._begun:
            self._least, self._most = 0, self._columns
        else:
            self._elsewhere = True

    def leave(self) -> None:
        """Note that something else has moved the cursor: the next text begins a row, in place of what is in it."""
        self._begun = False
        self._elsewhere = True

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
    return int(_has_width(character)), 2


def _has_width(character: str) -> bool:
    """Return whether a character moves the cursor on every terminal, whatever is before it."""
    category = unicodedata.category(character)
    if category in _WITH_WIDTH:
        return True
    is_wide = category == "Lo" and unicodedata.east_asian_width(character) in {"W", "F"}
    return is_wide and not any(part in unicodedata.name(character, "FILLER") for part in _JOINED)
