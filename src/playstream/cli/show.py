"""`playstream show`: show one run in a store, or one whose artifacts are in a directory."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from playstream.captures.finding import find_stored, several
from playstream.cli.parser import Parser
from playstream.cli.stored import find_artifacts, find_store, named_store, reading
from playstream.cli.tables import ELLIPSIS, Column, absolute, print_record, print_table, relative, terminal_width
from playstream.interface.terminal_text import make_safe_json
from playstream.pipeline.errors import ConfigurationError
from playstream.pipeline.io.json_text import dump_json
from playstream.pipeline.protocol import StatusName
from playstream.process import store as stores  # each name is loaded when it is used
from playstream.process.explanation import Explainer
from playstream.process.kept_runs import find_runs, read_events, read_run

if TYPE_CHECKING:
    from playstream.process.store import Store
    from playstream.process.store.runs import StoredResult, StoredRun

_RUN = [Column(name) for name in ("IDENT", "STATUS", "RC", "STARTED", "ENDED", "PLAYBOOK", "EXPLANATION")]
_HOSTS = (
    Column("HOST", least=12),
    Column("OK", rank=2),
    Column("CHANGED", rank=3),
    Column("FAILED"),
    Column("UNREACHABLE", short="UNREACH", rank=1),
    Column("SKIPPED", rank=4),
    Column("RESCUED", rank=5),
    Column("IGNORED", rank=6),
)
_TASKS = (
    Column("TASK", least=16),
    Column(
        "ACTION",
        least=10,
        rank=5,
        keep_end=True,
        shorten=lambda actions: [action.removeprefix("ansible.builtin.") for action in actions],
    ),
    Column("PATH", least=10, rank=4, keep_end=True),
    Column("OK", rank=2),
    Column("CHANGED", rank=3),
    Column("FAILED"),
    Column("UNREACHABLE", short="UNREACH", rank=1),
    Column("SKIPPED", rank=6),
    Column("IGNORED", rank=7),
)
_FAILURES = (
    Column("HOST", least=12),
    Column("TASK", least=12, rank=1),
    Column("OUTCOME", rank=2, coloured=True),
    Column("MESSAGE", least=32),
)


def set_up(parser: Parser) -> None:
    """Add the arguments of the subcommand."""
    parser.usage = "%(prog)s [DIR] IDENT [--store URL] [FLAGS]"
    parser.description = (
        "Show one run whose artifacts are in a directory, or one in a store: its outcome, hosts, tasks and failures. "
        "If several runs in a store have this name, show the latest. On a terminal the tables fit its width."
    )
    parser.add_argument(
        "private_data_dir",
        metavar="DIR",
        type=Path,
        nargs="?",
        help="the artifacts are in DIR/artifacts, or in DIR itself if there is no such directory",
    )
    parser.add_argument(
        "ident",
        metavar="IDENT",
        type=str,
        help="name of the run, or its beginning if no other name starts so; with DIR also latest, with a store also "
        "last and last-failed",
    )
    parser.add_flags("show")


def run(flags: argparse.Namespace) -> int:
    """Show the run; return the exit status."""
    if flags.private_data_dir is not None:
        ident, path = _find_kept(find_artifacts(flags.private_data_dir, flags.store), flags.ident)
        opened: AbstractContextManager[Store] = _stored(ident, path)
    else:
        _refuse_directory(flags.ident, flags.store)
        ident, opened = flags.ident, stores.open_store(find_store(flags.store), writable=False)
    with opened as store:
        found = find_stored(store, ident)
        if flags.json:
            _write_json(stores.as_json(found), map(stores.as_json, stores.iter_results(store, found.run.id)))
            return 0
        width = terminal_width(wide=flags.wide)
        _print_run(found.run, width)
        print()
        print_table(
            _HOSTS,
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
            width,
        )
        print()
        print_table(
            _TASKS,
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
            width,
        )
        _print_failures(store, found.run, width)
    return 0


def _refuse_directory(ident: str, store: str | None) -> None:
    """Refuse a directory in place of the name of a run, if no store is named.

    Raises:
        ConfigurationError: it is one.
    """
    if named_store(store) is None and os.path.isdir(ident):
        raise ConfigurationError(
            f"expected DIR and the name of a run, got only the directory {ident!r}: add latest, or a name that "
            f"playstream runs {shlex.quote(ident)} lists"
        )


def _find_kept(base: Path, ident: str) -> tuple[str, Path]:
    """Return the run of a directory with this name, or with the only name that starts with it, and its artifacts.

    Raises:
        ConfigurationError: there is none, or several names start with it, or the directory cannot be read.
    """
    beginning = ident.removesuffix(ELLIPSIS)
    with reading(base):
        runs = find_runs(base, beginning) if beginning else {}
    if len(runs) > 1:
        raise several(f"{str(base)!r} has", beginning, sorted(runs))
    if not runs:
        raise ConfigurationError(f"{str(base)!r} has no run {ident!r}: use playstream runs to list its runs")
    return next(iter(runs.items()))


@contextmanager
def _stored(ident: str, path: Path) -> Iterator[Store]:
    """Return a context with a store that contains only the run whose artifacts are in a directory."""
    explainer = Explainer()
    run = read_run(path, ident)
    with TemporaryDirectory(prefix="playstream-show-") as place, stores.open_store(f"{place}/run.db") as store:
        with stores.RunWriter(store) as writer:
            for event in read_events(path):
                explainer.event(event)
                writer.take(event)
            successful = run.status == StatusName.SUCCESSFUL
            ended_by_itself = successful or run.status == StatusName.FAILED
            explanation = explainer.explain(successful=successful, rc=run.rc) if ended_by_itself else None
            writer.save(ident or "-", run.status or "", run.rc, explanation, started=run.started, ended=run.ended)
        yield store


def _print_run(run: StoredRun, width: int | None) -> None:
    started, ended = absolute(run.started), absolute(run.ended)
    if width is None:
        print_table(_RUN, [(run.ident, run.status, run.rc, started, ended, run.playbook, run.explanation)], width)
        return
    now = datetime.now(UTC)
    times = f"{relative(run.started, now)} ({started})", f"{relative(run.ended, now)} ({ended})"
    values = (run.ident, run.status, run.rc, *times, run.playbook, run.explanation)
    print_record(zip((column.name for column in _RUN), values, strict=True), width)


def _print_failures(store: Store, run: StoredRun, width: int | None) -> None:
    """Print the message of each failure while they are read; nothing if there are none."""
    failures = stores.iter_results(store, run.id, outcomes=("failed", "unreachable"))
    first = next(failures, None)
    if first is None:
        return
    print()
    print_table(
        _FAILURES,
        ((result.host, result.task, result.outcome, _message(result)) for result in chain([first], failures)),
        width,
    )


def _message(result: StoredResult) -> str | None:
    """Return what the module said, in one line."""
    if not isinstance(result.res, dict):
        return None
    message = result.res.get("msg") or result.res.get("censored")
    if message is None or isinstance(message, str):
        return message and " ".join(message.split())
    return dump_json(message)


def _write_json(head: dict[str, Any], results: Iterator[Any]) -> None:
    """Write one object without holding all its results in memory."""
    sys.stdout.write(make_safe_json(dump_json(head)[:-1]) + ', "results": [')
    for number, result in enumerate(results):
        sys.stdout.write((", " if number else "") + make_safe_json(dump_json(result)))
    sys.stdout.write("]}\n")
