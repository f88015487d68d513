"""`playstream show`: show one run in a store."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from playstream.cli.parser import Parser
from playstream.cli.stored import find_store, table_lines
from playstream.interface.terminal_text import make_safe_json
from playstream.pipeline.errors import ConfigurationError
from playstream.pipeline.io.json_text import dump_json
from playstream.process.store import as_json, iter_results, open_store, show_run


def set_up(parser: Parser) -> None:
    """Add the arguments of the subcommand."""
    parser.usage = "%(prog)s IDENT --store URL [FLAGS]"
    parser.description = (
        "Show one run in a store: its outcome, hosts and tasks. If several runs have this name, show the latest."
    )
    parser.add_argument("ident", metavar="IDENT", type=str, help="name of the run")
    parser.add_flags("show")


def run(flags: argparse.Namespace) -> int:
    """Show the run; return the exit status."""
    with open_store(find_store(flags.store), writable=False) as store:
        found = show_run(store, flags.ident)
        if found is None:
            raise ConfigurationError(f"the store has no run {flags.ident!r}: use playstream runs to list its runs")
        if flags.json:
            _write_json(as_json(found), map(as_json, iter_results(store, found.run.id)))
            return 0
    run_, counts = (
        found.run,
        table_lines(
            ("HOST", "OK", "CHANGED", "FAILED", "UNREACHABLE", "SKIPPED", "RESCUED", "IGNORED"),
            (
                (
                    host.name,
                    host.counts.ok,
                    host.counts.changed,
                    host.counts.failures,
                    host.counts.unreachable,
                    host.counts.skipped,
                    host.counts.rescued,
                    host.counts.ignored,
                )
                for host in found.hosts
            ),
        ),
    )
    tasks = table_lines(
        ("TASK", "ACTION", "PATH", "OK", "CHANGED", "FAILED", "UNREACHABLE", "SKIPPED", "IGNORED"),
        (
            (
                task.name,
                task.action,
                None if task.path is None else Path(task.path).name,
                task.ok,
                task.changed,
                task.failures,
                task.unreachable,
                task.skipped,
                task.ignored,
            )
            for task in found.tasks
        ),
    )
    head = table_lines(
        ("IDENT", "STATUS", "RC", "STARTED", "ENDED", "PLAYBOOK", "EXPLANATION"),
        [
            (
                run_.ident,
                run_.status,
                run_.rc,
                run_.started.astimezone().isoformat(" ", "seconds"),
                run_.ended.astimezone().isoformat(" ", "seconds"),
                run_.playbook,
                run_.explanation,
            )
        ],
    )
    for line in chain(head, [""], counts, [""], tasks):
        print(line)
    return 0


def _write_json(head: dict[str, Any], results: Iterator[Any]) -> None:
    """Write one object without holding all its results in memory."""
    sys.stdout.write(make_safe_json(dump_json(head)[:-1]) + ', "results": [')
    for number, result in enumerate(results):
        sys.stdout.write((", " if number else "") + make_safe_json(dump_json(result)))
    sys.stdout.write("]}\n")
