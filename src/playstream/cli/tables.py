"""Tables of text: fitted to a terminal, or with whole values for programs and files.

A table is written while its rows arrive, and at most a thousand of them, or a million characters, are held. On a
terminal no line is wider than it: long values are cut and marked with an ellipsis, and if that is not enough, the least
important columns are left out. Wide characters, such as those of Chinese, take two columns.
"""

from __future__ import annotations

import os
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from itertools import pairwise
from typing import NamedTuple, TypeAlias

from playstream.pipeline.job.ident import UUID

BATCH_ROWS = 1000
BATCH_CHARACTERS = 2**20
GAP = 2
ELLIPSIS = "…"
_SHORT_UUID = 8
_LABEL_WIDTH = 13
_DEFAULT_WIDTH = 80
_EMOJI_STYLE = "\ufe0f"
"""Makes the character before it an emoji, which takes two columns."""
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")
_STYLES = {
    "successful": "green",
    "failed": "red",
    "error": "red",
    "unreachable": "red",
    "timeout": "yellow",
    "canceled": "yellow",
    "ready": "green",
    "stopping": "yellow",
    "lost": "red",
}
"""Colours of words in columns with `coloured`."""

Piece: TypeAlias = tuple[str, str]
"""Text, and its style for rich."""


class Column(NamedTuple):
    """A column of a table."""

    name: str
    """The heading."""
    short: str = ""
    """The heading on a terminal, if it is another."""
    least: int | None = None
    """Number of characters to which a value may be cut on a terminal; None if it is never cut."""
    rank: int = 0
    """On a narrow terminal the column with the highest number is left out first, and one with 0 never."""
    keep_end: bool = False
    """Whether a cut value keeps its end instead of its beginning."""
    coloured: bool = False
    """Whether words that tell an outcome are coloured."""
    below: bool = False
    """Whether a terminal shows the value on a line of its own below the row, if there is one."""
    shorten: Callable[[Sequence[str]], list[str]] | None = None
    """Shortens the values of a batch of rows for a terminal."""


def age(seconds: float | None) -> str | None:
    """Return an age in its largest unit; None if there is none."""
    if seconds is None:
        return None
    for unit, size in (("d", 86_400), ("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def terminal_width(*, wide: bool = False) -> int | None:
    """Return the number of columns of the terminal on standard output.

    Args:
        wide: whether whole values are wanted anyway.

    Returns:
        None if standard output is not a terminal, or with `wide`.
    """
    if wide or not sys.stdout.isatty():
        return None
    try:
        columns = os.get_terminal_size(sys.stdout.fileno()).columns
    except OSError:
        columns = 0
    return columns or _DEFAULT_WIDTH  # a terminal that does not know its size says 0


def print_table(columns: Sequence[Column], rows: Iterable[Sequence[object]], width: int | None) -> None:
    """Print a table while its rows arrive.

    Args:
        columns: the columns.
        rows: a value for each column; None and empty text are shown as a dash.
        width: number of columns of the terminal; None prints whole values, one line for each row.
    """
    if width is None:
        for line in table_lines([column.name for column in columns], rows):
            print(line)
        return
    print_pieces(fitted_lines(columns, rows, width))


def print_record(fields: Iterable[tuple[str, object]], width: int) -> None:
    """Print names and values below each other; long values take several lines of a terminal."""
    print_pieces(_record_lines(fields, width))


def print_pieces(lines: Iterable[Sequence[Piece]]) -> None:
    """Print lines on a terminal, in colours if rich is installed and the terminal has them."""
    try:
        from rich.console import Console  # noqa: PLC0415 - the library is an extra
        from rich.text import Text  # noqa: PLC0415
    except ImportError:
        for line in lines:
            print(_encodable("".join(text for text, _ in line).rstrip()))
        return
    console = Console(highlight=False, emoji=False, markup=False)
    for line in lines:
        whole = Text.assemble(*((_encodable(text), style) for text, style in line))
        whole.rstrip()
        console.print(whole, soft_wrap=True)


def _encodable(text: str) -> str:
    """Replace characters that standard output cannot encode by others that are not wider."""
    try:
        text.encode(sys.stdout.encoding)
    except UnicodeEncodeError:
        return text.replace(ELLIPSIS, "~").encode(sys.stdout.encoding, "replace").decode(sys.stdout.encoding)
    return text


def table_lines(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """Yield the lines of a table with whole values; control characters are replaced.

    Column widths are those of the first rows, which are held until then. If later ones have wider cells, their columns
    are wider.
    """
    widths = [len(head) for head in headers]
    head = [list(headers)]
    for batch in _batches(rows):
        shown = head + batch
        widths[:] = map(max, widths, _widths(shown))
        for row in shown:
            yield "".join(map(_padded, row, widths)).rstrip()
        head = []


def fitted_lines(columns: Sequence[Column], rows: Iterable[Sequence[object]], width: int) -> Iterator[Sequence[Piece]]:
    """Yield the lines of a table that is at most `width` wide; control characters are replaced."""
    heads = [column.short or column.name for column in columns]
    natural = [len(head) for head in heads]
    first = True
    for batch in _batches(rows):
        for at, column in enumerate(columns):
            if column.shorten is not None:
                for row, short in zip(batch, column.shorten([row[at] for row in batch]), strict=True):
                    row[at] = short
        natural[:] = map(max, natural, _widths([heads, *batch]))
        widths = fit(columns, natural, width)
        if first:
            yield _limited([(_padded(cut(heads[at], size), size), "bold") for at, size in widths.items()], width)
            first = False
        for row in batch:
            yield _limited([_piece(columns[at], row[at], size) for at, size in widths.items()], width)
            for at, column in enumerate(columns):
                if column.below and row[at] != "-":
                    yield [(cut(f"    {row[at]}", width), "dim")]


def fit(columns: Sequence[Column], natural: Sequence[int], width: int) -> dict[int, int]:
    """Choose the columns to show and their widths.

    Args:
        columns: the columns.
        natural: the width of the widest value of each.
        width: the width of the terminal.

    Returns:
        The width of each column to show, by its number, in their order.
    """
    least = [
        size if column.least is None else min(size, column.least) for column, size in zip(columns, natural, strict=True)
    ]
    shown = [at for at, column in enumerate(columns) if not column.below]
    for at in sorted(shown, key=lambda at: -columns[at].rank):
        if columns[at].rank and _total(least[at] for at in shown) > width:
            shown.remove(at)
    widths = {at: natural[at] if columns[at].least is None else min(natural[at], width) for at in shown}
    for limits in (least, [1] * len(least)):
        able = [at for at in shown if columns[at].least is not None]
        while _total(widths.values()) > width and (able := [at for at in able if widths[at] > limits[at]]):
            widths[max(able, key=lambda at: widths[at])] -= 1
    return widths


def _total(widths: Iterable[int]) -> int:
    found = list(widths)
    return sum(found) + GAP * (len(found) - 1)


def shorten_idents(idents: Sequence[str]) -> list[str]:
    """Shorten UUIDs to their first characters, as many as tell them apart; leave other names."""
    different = sorted(set(idents))
    needed = dict.fromkeys(different, _SHORT_UUID)
    for one, other in pairwise(different):  # of all names, a neighbour has the most in common
        apart = _common(one, other) + 1
        needed[one], needed[other] = max(needed[one], apart), max(needed[other], apart)
    return [ident[: needed[ident]] if UUID.fullmatch(ident) else ident for ident in idents]


def _common(one: str, other: str) -> int:
    """Return how many characters two texts have in common at their beginning."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (left, right) in pairs if left != right), min(len(one), len(other)))


def relative(time: datetime, now: datetime) -> str:
    """Return how long ago a time is: `3 min ago`, `2 d ago`."""
    seconds = int((now - time).total_seconds())
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        if abs(seconds) >= size:
            count = abs(seconds) // size
            return f"{count} {unit} ago" if seconds > 0 else f"in {count} {unit}"
    return "now"


def absolute(time: datetime) -> str:
    """Return a time with its date, in the zone of this host."""
    return time.astimezone().isoformat(" ", "seconds")


def binary_size(size: float) -> str:
    """Return a number of bytes in powers of 1024: `512 B`, `3.1 GiB`, `20 GiB`."""
    units = list(_UNITS)
    while size >= 1000 and len(units) > 1:
        size /= 1024
        del units[0]
    digits = 1 if size < 9.95 and units[0] != "B" else 0
    return f"{size:.{digits}f} {units[0]}"


def cells(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    if text.isascii():
        return len(text)
    return sum(map(_cells_of, text))


def _cells_of(character: str) -> int:
    if character == _EMOJI_STYLE:
        return 1
    if unicodedata.category(character) in {"Mn", "Me"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1


def cut(text: str, width: int, *, keep_end: bool = False) -> str:
    """Cut a text to `width` columns; an ellipsis shows where."""
    if cells(text) <= width:
        return text
    if keep_end:
        return ELLIPSIS + _head(text[::-1], width - 1)[::-1]
    return _head(text, width - 1) + ELLIPSIS


def _head(text: str, width: int) -> str:
    """Return the beginning that fits into `width` columns."""
    for at, character in enumerate(text):
        width -= _cells_of(character)
        if width < 0:
            return text[:at]
    return text


def wrap(text: str, width: int) -> Iterator[str]:
    """Yield a text as lines of at most `width` columns, which must be 2 or more."""
    line = ""
    for part in text.split(" "):
        word = part
        joined = f"{line} {word}" if line else word
        if cells(joined) <= width:
            line = joined
            continue
        if line:
            yield line
        while cells(word) > width:
            head = _head(word, width)
            yield head
            word = word[len(head) :]
        line = word
    yield line


def plain(value: object) -> str:
    """Return a value as one line of text without control characters; a dash for None and for empty text."""
    text = "" if value is None else str(value)
    if not text.isprintable():
        text = "".join(
            character if character.isprintable() else " " if character.isspace() else "?" for character in text
        )
    return text or "-"


def _batches(rows: Iterable[Sequence[object]]) -> Iterator[list[list[str]]]:
    """Yield rows of texts, at least one batch of them."""
    held: list[list[str]] = []
    size, empty = 0, True
    for row in rows:
        texts = [plain(value) for value in row]
        held.append(texts)
        size += sum(map(len, texts))
        if len(held) == BATCH_ROWS or size >= BATCH_CHARACTERS:
            yield held
            held, size, empty = [], 0, False
    if held or empty:
        yield held


def _widths(rows: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(cells, column)) for column in zip(*rows, strict=True)]


def _padded(text: str, width: int) -> str:
    return text + " " * (width - cells(text) + GAP)


def _piece(column: Column, text: str, size: int) -> Piece:
    style = _STYLES.get(text, "") if column.coloured else ""
    return _padded(cut(text, size, keep_end=column.keep_end), size), style


def _limited(line: Sequence[Piece], width: int) -> Sequence[Piece]:
    """Return the line, cut if the terminal has no room for the columns that are always shown."""
    whole = "".join(text for text, _ in line).rstrip()
    return line if cells(whole) <= width else [(cut(whole, width), "")]


def _record_lines(fields: Iterable[tuple[str, object]], width: int) -> Iterator[Sequence[Piece]]:
    for name, value in fields:
        style = _STYLES.get(plain(value), "")
        for number, line in enumerate(wrap(plain(value), max(width - _LABEL_WIDTH, 2))):
            yield [(("" if number else name).ljust(_LABEL_WIDTH), "bold"), (line, style)]
