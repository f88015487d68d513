"""What the commands that ask a store share: where it is, and tables of text."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

from playstream.pipeline.errors import ConfigurationError

_WIDEST = 60


def named_store(url: str | None) -> str | None:
    """The store's URL, from its flag or from the environment; None when neither has one."""
    return url or os.environ.get("PLAYSTREAM_STORE") or None


def find_store(url: str | None) -> str:
    """The store's URL, from its flag or from the environment, where a password in it is out of others' sight.

    Raises:
        ConfigurationError: neither has one.
    """
    found = named_store(url)
    if found is None:
        raise ConfigurationError("expected --store URL or PLAYSTREAM_STORE, such as sqlite:///runs.db, got neither")
    return found


def make_table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Columns beside one another, with their heads above; control characters are shown and not sent."""
    lines = [list(heads), *([_plain(cell) for cell in row] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def _plain(cell: object) -> str:
    text = "-" if cell is None or cell == "" else str(cell)
    shown = "".join(character if character.isprintable() else "?" for character in text)
    return shown if len(shown) <= _WIDEST else shown[: _WIDEST - 1] + "…"
