"""`playstream inspect`: show what is in a capture or a recording, and whether it is whole."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from playstream.captures.descriptions import Description
from playstream.captures.inspection import Inspection
from playstream.captures.pieces import Piece
from playstream.captures.stream import open_stream
from playstream.cli.output import print_message
from playstream.cli.parser import Parser
from playstream.cli.tables import Column, binary_size, plain, print_record, print_table, terminal_width
from playstream.interface.terminal_text import make_safe_json
from playstream.pipeline.io.json_text import dump_json

_COLUMNS = (
    Column("OFFSET"),
    Column("SIZE", rank=2),
    Column("RECORD"),
    Column("TIME", least=10, rank=1),
    Column("CONTENT", least=16),
)
_NAME_WIDTH = 13


def set_up(parser: Parser) -> None:
    """Add the arguments of the subcommand."""
    parser.usage = "%(prog)s FILE [FLAGS]"
    parser.description = (
        "Show every record of a capture or a recording with its place and its size, and then the totals and whether "
        "the file is whole. OFFSET is the byte where a frame, a line or an archive begins, and after a plus sign the "
        "place in the decompressed frame. Of a job, which holds secrets, only names are shown. The exit status is that "
        "of the error that the file would cause in process or worker."
    )
    parser.add_argument("file", metavar="FILE", type=Path, help="a capture of a stream, or a recording of the plugin")
    parser.add_flags("inspect")


def run(flags: argparse.Namespace) -> int:
    """Show the file; return the exit status."""
    with open_stream(flags.file, vars(flags), partial(print_message, "inspect"), indexed=True) as stream:
        inspection = Inspection(stream)
        if flags.json:
            for piece, description in inspection.pieces():
                print(_as_json(piece, description))
            print(make_safe_json(dump_json(inspection.as_dict())))
        else:
            width = terminal_width(wide=flags.wide)
            print_table(_COLUMNS, map(_row, inspection.pieces()), width)
            print()
            _print_totals(inspection.as_dict(), width)
    if inspection.totals.damage is not None:
        raise inspection.totals.damage
    return 0


def _row(pair: tuple[Piece, Description]) -> tuple[object, ...]:
    piece, description = pair
    place = f"{piece.offset}+{piece.at}" if piece.at else piece.offset
    return place, piece.size, description.kind, description.time, description.text


def _as_json(piece: Piece, description: Description) -> str:
    values = {
        "offset": piece.offset,
        "at": piece.at,
        "size": piece.size,
        "record": description.kind,
        "time": description.time,
        **description.details,
    }
    return make_safe_json(dump_json(values))


def _print_totals(totals: dict[str, Any], width: int | None) -> None:
    lines = list(_lines(totals))
    if width is not None:
        print_record(lines, width)
        return
    for name, value in lines:
        print(f"{name:<{_NAME_WIDTH}}{plain(value)}")


def _lines(totals: dict[str, Any]) -> Iterator[tuple[str, object]]:
    """Yield the totals for people."""
    yield "FORMAT", totals["format"]
    yield "DIRECTION", totals["direction"]
    yield "SIZE", binary_size(totals["bytes"])
    if totals["compression_ratio"] is not None and totals["digest"] != "none":
        content, ratio = binary_size(totals["content_bytes"]), totals["compression_ratio"]
        yield "CONTENT", f"{content}, compressed {ratio:.1f} to 1"
    yield "RECORDS", ", ".join(f"{count} {kind}" for kind, count in totals["records"].items())
    if totals["first"] is not None:
        yield "TIMES", f"{totals['first']} to {totals['last']}"
    yield "COMPLETE", "yes" if totals["complete"] else "no"
    yield "DIGEST", totals["digest"]
    if totals["bytes_behind_end"]:
        yield "BEHIND END", f"{totals['bytes_behind_end']} bytes that are not part of the stream"
    if totals["lacks"]:
        yield "LACKS", ", ".join(totals["lacks"])
    if totals["damage"] is not None:
        yield "DAMAGE", f"at byte {totals['damage']['offset']}: {totals['damage']['message']}"
    if totals["note"] is not None:
        yield "NOTE", totals["note"]
