"""Shared by the commands that read a store: its URL, and tables of text."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence

from playstream.pipeline.errors import ConfigurationError

_MAX_WIDTH = 60
_BATCH_ROWS = 1000


def named_store(url: str | None) -> str | None:
    """Return the store's URL from the flag or the environment, or None."""
    return url or os.environ.get("PLAYSTREAM_STORE") or None


def find_store(url: str | None) -> str:
    """Return the store's URL from the flag or the environment, which hides a password in it from other users.

    Raises:
        ConfigurationError: neither is set.
    """
    found = named_store(url)
    if found is None:
        raise ConfigurationError("expected --store URL or PLAYSTREAM_STORE, such as sqlite:///runs.db, got neither")
    return found


def table_lines(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """Yield the lines of a table; control characters are replaced.

    Column widths are those of the first thousand rows, which are held until then. If a later thousand has wider cells,
    its columns are wider.
    """
    widths = [len(head) for head in headers]
    held: list[list[str]] = [list(headers)]
    for row in rows:
        held.append([_plain(cell) for cell in row])
        if len(held) > _BATCH_ROWS:
            yield from _align(held, widths)
            held = []
    yield from _align(held, widths)


def _align(rows: list[list[str]], widths: list[int]) -> Iterator[str]:
    """Yield the lines of these rows; increase `widths` for wider cells."""
    widths[:] = map(max, zip(widths, *([len(cell) for cell in row] for row in rows), strict=True))
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _plain(cell: object) -> str:
    text = "-" if cell is None or cell == "" else str(cell)
    shown = "".join(character if character.isprintable() else "?" for character in text)
    return shown if len(shown) <= _MAX_WIDTH else shown[: _MAX_WIDTH - 1] + "…"
