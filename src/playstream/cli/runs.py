"""`playstream runs`: list the runs in a store."""

from __future__ import annotations

import argparse

from playstream.cli.parser import Parser
from playstream.cli.stored import find_store, table_lines
from playstream.interface.terminal_text import make_safe_json
from playstream.pipeline.io.json_text import dump_json
from playstream.process.store import as_json, iter_runs, open_store, parse_since


def set_up(parser: Parser) -> None:
    """Add the arguments of the subcommand."""
    parser.usage = "%(prog)s --store URL [FLAGS]"
    parser.description = (
        "List the runs in a store, newest first. With --task or --host, --status may also be the result of the task or "
        "host: ok, changed, failed, unreachable, skipped or ignored."
    )
    parser.add_flags("runs")


def run(flags: argparse.Namespace) -> int:
    """List the runs; return the exit status."""
    since = None if flags.since is None else parse_since(flags.since)
    with open_store(find_store(flags.store), writable=False) as store:
        found = iter_runs(store, host=flags.host, task=flags.task, status=flags.status, since=since, limit=flags.limit)
        if flags.json:
            for item in found:
                print(make_safe_json(dump_json(as_json(item))))
            return 0
        lines = table_lines(
            ("STARTED", "IDENT", "STATUS", "RC", "PLAYBOOK", "HOSTS", "CHANGED", "FAILED", "UNREACHABLE"),
            (
                (
                    item.started.astimezone().isoformat(" ", "seconds"),
                    item.ident,
                    item.status,
                    item.rc,
                    item.playbook,
                    item.hosts,
                    item.counts.changed,
                    item.counts.failures,
                    item.counts.unreachable,
                )
                for item in found
            ),
        )
        for line in lines:
            print(line)
    return 0
