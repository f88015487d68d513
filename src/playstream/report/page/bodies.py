"""What modules have returned, as blocks of compressed JSON: a page has thousands, and a browser opens one of them."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from typing import Any

from playstream.report.failures import clean
from playstream.report.page.columns import GZIP, Place
from playstream.report.page.diffs import diffs_of
from playstream.report.page.hiding import Hide

_BLOCK = 1 << 17
"""Characters of JSON after which a block is closed. A larger one compresses better, and takes longer to open."""
_MAX_SLOTS = 2000
_MAX_BODY = 1 << 17
"""Characters of JSON of a result up to which it is shown whole."""
_MAX_TEXT = 1 << 15
_MAX_LEVELS = 30
_MAX_NUMBER = 1 << 53
"""Larger integers are not exact in a browser."""
_KEPT_WHEN_CUT = ("changed", "failed", "skipped", "unreachable", "rc", "msg", "stderr", "stdout", "exception")
_SHORT = 4000
_ENVIRONMENT = ("ansible_env", "env")
"""Names of the environment among facts."""


class Cleaner:
    """Returns values that JSON can represent and a page may contain.

    Args:
        hide: applied to each text.
    """

    def __init__(self, hide: Hide) -> None:
        self._hide = hide
        self.cut = False
        """Whether something was left out since this was last set."""

    def text(self, text: str) -> str:
        """Return a text without what is hidden, without colours, and with escapes for what cannot be printed."""
        shown = self._hide(clean(text[: 2 * _MAX_TEXT]))  # a name that is cut in two could not be found
        if len(shown) <= _MAX_TEXT and len(text) <= 2 * _MAX_TEXT:
            return shown
        self.cut = True
        return f"{shown[:_MAX_TEXT]}…"

    def value(self, value: object, depth: int = 0) -> Any:
        """Return a value of a result."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, bool) or value is None:
            return value
        if isinstance(value, int):
            return value if abs(value) < _MAX_NUMBER else self.text(hex(value))
        if isinstance(value, float):
            return value if abs(value) < float("inf") else str(value)
        if depth >= _MAX_LEVELS:
            self.cut = True
            return "…"
        if isinstance(value, dict):
            return {self.text(str(key)): self.value(each, depth + 1) for key, each in value.items()}
        if isinstance(value, list):
            return [self.value(each, depth + 1) for each in value]
        return self.text(str(value))

    def result(self, res: Mapping[str, Any]) -> dict[str, Any]:
        """Return a result, without its diffs and without the environment among its facts."""
        shown = {key: _without_diff(value) if key == "results" else value for key, value in res.items()}
        shown.pop("diff", None)
        facts = shown.get("ansible_facts")
        if isinstance(facts, dict):
            shown["ansible_facts"] = {key: value for key, value in facts.items() if key not in _ENVIRONMENT}
        cleaned: dict[str, Any] = self.value(shown)
        return cleaned


def _without_diff(items: object) -> object:
    if not isinstance(items, list):
        return items
    return [
        {key: value for key, value in item.items() if key != "diff"} if isinstance(item, dict) else item
        for item in items
    ]


class Bodies:
    """Takes results, and holds them as compressed blocks.

    Args:
        cleaner: makes them fit for the page.
        first: bytes of blocks for results that failed or changed something.
        others: bytes of blocks for the others. What comes when these are used up is not in the page.
    """

    def __init__(self, cleaner: Cleaner, first: int, others: int) -> None:
        self._cleaner = cleaner
        self.blocks: list[bytes] = []
        """The blocks, each a gzip stream of a JSON list. Those of writers that are not closed are empty."""
        self._writers = {True: _Writer(self.blocks, first), False: _Writer(self.blocks, others)}

    def add(self, res: Mapping[str, Any], *, first: bool) -> tuple[Place, bool, bool]:
        """Add a result.

        Args:
            res: what the module has returned.
            first: whether it failed or changed something.

        Returns:
            Where it is; whether it has a diff; whether not all of it is in the page.
        """
        cleaner = self._cleaner
        writer = self._writers[first]
        if not res:
            return Place(), False, False
        if writer.full:
            return Place(), False, True
        cleaner.cut = False
        shown = cleaner.result(res)
        diffs = [[cleaner.text(name), cleaner.text(text)] for name, text in diffs_of(res)]
        text = _encode([shown, diffs])
        if len(text) > _MAX_BODY:
            cleaner.cut = True
            kept = {key: _short(shown[key]) for key in _KEPT_WHEN_CUT if key in shown}
            text = _encode([kept, [[name, change[:_SHORT]] for name, change in diffs[:10]]])
        return writer.write(text), bool(diffs), cleaner.cut

    def close(self) -> None:
        """Complete the blocks."""
        for writer in self._writers.values():
            writer.close()


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def _short(value: object) -> object:
    if isinstance(value, str):
        return value if len(value) <= _SHORT else f"{value[:_SHORT]}…"
    return value if isinstance(value, (int, float, type(None))) else "…"


class _Writer:
    """Writes one kind of blocks.

    Args:
        blocks: gets the blocks.
        left: how many bytes they may have together.
    """

    def __init__(self, blocks: list[bytes], left: int) -> None:
        self._blocks = blocks
        self._left = left
        self._number = -1
        self._slots = 0
        self._size = 0
        self._packer = zlib.compressobj(6, zlib.DEFLATED, GZIP)
        self._packed = bytearray()

    @property
    def full(self) -> bool:
        """Whether no more may be written."""
        return self._left <= 0

    def write(self, text: str) -> Place:
        if self._slots == 0:
            self._number = len(self._blocks)
            self._blocks.append(b"")
        self._packed += self._packer.compress((("," if self._slots else "[") + text).encode())
        place = Place(self._number, self._slots)
        self._slots += 1
        self._size += len(text)
        if self._size > _BLOCK or self._slots == _MAX_SLOTS:
            self.close()
        return place

    def close(self) -> None:
        """Complete the block, if one was begun."""
        if self._slots == 0:
            return
        packed = bytes(self._packed) + self._packer.compress(b"]") + self._packer.flush()
        self._blocks[self._number] = packed
        self._left -= len(packed)
        self._slots = self._size = 0
        self._packer = zlib.compressobj(6, zlib.DEFLATED, GZIP)
        self._packed = bytearray()
