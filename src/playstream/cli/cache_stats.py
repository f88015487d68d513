"""`playstream cache stats`: what is in the cache, by who has sent it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime

from playstream.cli.cache import opened
from playstream.cli.parser import Parser
from playstream.cli.tables import Column, absolute, binary_size, print_table, relative, terminal_width
from playstream.pipeline.io.json_text import dump_json
from playstream.worker.cache.inspection import Division, measure

_COLUMNS = (
    Column("SENDER", least=12),
    Column("HASH", rank=3),
    Column("OBJECTS", rank=2),
    Column("SIZE"),
    Column("TREES", rank=4),
    Column("LAST USED", rank=1),
)


def set_up(parser: Parser) -> None:
    """Add the arguments of the subcommand."""
    parser.usage = "%(prog)s [FLAGS]"
    parser.description = (
        "Show what is in the cache of a worker on this host. Each sender has a division: user is whoever starts the "
        "worker, user-N a user of this host by number, and cert-NAME the holder of a certificate."
    )
    parser.add_flags("cache stats")


def run(flags: argparse.Namespace) -> int:
    """Show what is in the cache; return the exit status."""
    with opened(flags) as (directory, place):
        found = [] if place is None else [division for division in measure(place) if division.objects]
    total = sum(division.bytes for division in found)
    if flags.json:
        shown = {"directory": str(directory), "bytes": total, "divisions": [asdict(division) for division in found]}
        print(dump_json(shown))
        return 0
    if place is None:
        print(f"There is no cache at {directory}")
        return 0
    _print(found)
    print(f"{binary_size(total)} in {directory}")
    return 0


def _print(found: Sequence[Division]) -> None:
    width, now = terminal_width(), datetime.now(UTC)
    rows = []
    for division in found:
        used = None if division.last_used is None else datetime.fromtimestamp(division.last_used, UTC)
        when = None if used is None else absolute(used) if width is None else relative(used, now)
        size = binary_size(division.bytes)
        rows.append((division.sender, division.algorithm, division.objects, size, division.trees, when))
    print_table(_COLUMNS, rows, width)
