"""`playstream runs`: list the runs in a store."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime

from playstream.cli.parser import Parser
from playstream.cli.stored import find_store
from playstream.cli.tables import Column, absolute, print_table, relative, shorten_idents, terminal_width
from playstream.interface.terminal_text import make_safe_json
from playstream.pipeline.io.json_text import dump_json
from playstream.process import store as stores  # each name is loaded when it is used

COLUMNS = (
    Column("STARTED"),
    Column("IDENT", least=24, shorten=shorten_idents),
    Column("STATUS", coloured=True),
    Column("RC", rank=1),
    Column("PLAYBOOK", least=12, rank=3, keep_end=True),
    Column("HOSTS", rank=6),
    Column("CHANGED", rank=4),
    Column("FAILED", rank=2),
    Column("UNREACHABLE", short="UNREACH", rank=5),
    Column("EXPLANATION", below=True),
)


def set_up(parser: Parser) -> None:
    """Add the arguments of the subcommand."""
    parser.usage = "%(prog)s --store URL [FLAGS]"
    parser.description = (
        "List the runs in a store, newest first. With --task or --host, --status may also be the result of the task or "
        "host: ok, changed, failed, unreachable, skipped or ignored. "
        "On a terminal the table fits its width; playstream show accepts the beginning of a name."
    )
    parser.add_flags("runs")


def run(flags: argparse.Namespace) -> int:
    """List the runs; return the exit status."""
    since = None if flags.since is None else stores.parse_since(flags.since)
    with stores.open_store(find_store(flags.store), writable=False) as store:
        found = stores.iter_runs(
            store, host=flags.host, task=flags.task, status=flags.status, since=since, limit=flags.limit
        )
        if flags.json:
            for item in found:
                print(make_safe_json(dump_json(stores.as_json(item))))
            return 0
        width, now = terminal_width(wide=flags.wide), datetime.now(UTC)
        print_table(
            COLUMNS,
            (
                (
                    absolute(item.started) if width is None else relative(item.started, now),
                    item.ident,
                    item.status,
                    item.rc,
                    item.playbook,
                    item.hosts,
                    item.counts.changed,
                    item.counts.failures,
                    item.counts.unreachable,
                    item.explanation,
                )
                for item in found
            ),
            width,
        )
    return 0
