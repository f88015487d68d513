"""`playstream runs`: list the runs in a store, or those whose artifacts are in a directory."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from playstream.cli.active_runs import find, note_directories
from playstream.cli.parser import Parser
from playstream.cli.stored import find_artifacts, find_store, reading
from playstream.cli.tables import Column, absolute, print_table, relative, shorten_idents, terminal_width
from playstream.interface.terminal_text import make_safe_json
from playstream.pipeline.errors import ConfigurationError
from playstream.pipeline.io.json_text import dump_json
from playstream.process import store as stores  # each name is loaded when it is used
from playstream.process.kept_runs import KeptRun, list_runs
from playstream.process.store.words import STATUSES, check_word

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
KEPT_COLUMNS = (*COLUMNS[:1], Column("DURATION", rank=4), *COLUMNS[1:])


def set_up(parser: Parser) -> None:
    """Add the arguments of the subcommand."""
    parser.usage = "%(prog)s [DIR | --store URL] [FLAGS]"
    parser.description = (
        "List the runs whose artifacts are in a directory, or the runs in a store, newest first. In a store, with "
        "--task or --host, --status may also be the result of the task or host: ok, changed, failed, unreachable, "
        "skipped or ignored. On a terminal the table fits its width; playstream show accepts the beginning of a name."
    )
    parser.add_argument(
        "private_data_dir",
        metavar="DIR",
        type=Path,
        nargs="?",
        help="list the runs whose artifacts are in DIR/artifacts, or in DIR itself if there is no such directory",
    )
    parser.add_flags("runs")


def run(flags: argparse.Namespace) -> int:
    """List the runs; return the exit status."""
    since = None if flags.since is None else stores.parse_since(flags.since)
    if flags.limit is not None and flags.limit < 0:
        raise ConfigurationError(f"--limit: expected 0 or more, got {flags.limit}")
    if flags.private_data_dir is not None:
        _print(flags, KEPT_COLUMNS, _kept_runs(flags, since))
        return 0
    with stores.open_store(find_store(flags.store), writable=False) as store:
        found = stores.iter_runs(
            store, host=flags.host, task=flags.task, status=flags.status, since=since, limit=flags.limit
        )
        _print(flags, COLUMNS, found)
    return 0


def _kept_runs(flags: argparse.Namespace, since: datetime | None) -> Iterator[KeptRun]:
    """Return the runs of a directory that the flags select.

    Raises:
        ConfigurationError: there is no such directory, a flag is for a store, or there is no such status.
    """
    for name in ("host", "task"):
        if getattr(flags, name) is not None:
            raise ConfigurationError(f"--{name} is for a store: expected --store URL, got a directory")
    if flags.status is not None:
        check_word("status", flags.status, STATUSES)
    base = find_artifacts(flags.private_data_dir, flags.store)
    active = {run.ident for run in find([*note_directories(flags.private_data_dir, None), base])}
    with reading(base):
        runs = list_runs(base)
    known = (replace(run, status="running") if run.status is None and run.ident in active else run for run in runs)
    wanted = (
        run
        for run in known
        if flags.status in {None, run.status} and (since is None or (run.started is not None and run.started >= since))
    )
    return islice(wanted, None if flags.limit is None else min(flags.limit, sys.maxsize))


def _print(flags: argparse.Namespace, columns: Sequence[Column], found: Iterable[Any]) -> None:
    """Print runs as JSON lines, or as a table."""
    if flags.json:
        for item in found:
            print(make_safe_json(dump_json(stores.as_json(item))))
        return
    width, now = terminal_width(wide=flags.wide), datetime.now(UTC)
    cells = (_cells(item, now, fitted=width is not None) for item in found)
    print_table(columns, ([row[column.name] for column in columns] for row in cells), width)


def _cells(run: Any, now: datetime, *, fitted: bool) -> dict[str, object]:
    """Return the values of a run by the names of the columns."""
    started, counts = run.started, run.counts
    duration = run.duration if isinstance(run, KeptRun) else None
    return {
        "STARTED": None if started is None else relative(started, now) if fitted else absolute(started),
        "DURATION": None if duration is None else f"{duration:.1f} s",
        "IDENT": run.ident,
        "STATUS": run.status,
        "RC": run.rc,
        "PLAYBOOK": run.playbook,
        "HOSTS": run.hosts,
        "CHANGED": None if counts is None else counts.changed,
        "FAILED": None if counts is None else counts.failures,
        "UNREACHABLE": None if counts is None else counts.unreachable,
        "EXPLANATION": run.explanation,
    }
