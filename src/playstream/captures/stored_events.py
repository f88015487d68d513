"""A run in a store as the events of it that a report takes: its playbook, its results and the counts of its hosts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from playstream.process import store as stores  # each name is loaded when it is used
from playstream.process.event_data import PLAYBOOK_START, STATS, STATS_TABLES

if TYPE_CHECKING:
    from playstream.process.store.engine import Store
    from playstream.process.store.runs import RunDetail, StoredResult

_NAMES: Mapping[str, str] = {
    "ok": "runner_on_ok",
    "changed": "runner_on_ok",
    "failed": "runner_on_failed",
    "ignored": "runner_on_failed",
    "skipped": "runner_on_skipped",
    "unreachable": "runner_on_unreachable",
}
"""By outcome, the event that ends a task so."""


def stored_events(store: Store, found: RunDetail) -> Iterator[dict[str, Any]]:
    """Yield the events of a run in a store, by task and host.

    Args:
        store: the store.
        found: the run.

    Raises:
        StoreError: when iterating: the store cannot be read.
    """
    run = found.run
    yield {
        "event": PLAYBOOK_START,
        "created": run.started.isoformat(),
        "runner_ident": run.ident,
        "event_data": {"playbook": run.playbook or ""},
    }
    plays = {play.number: play.name for play in found.plays}
    names = {
        (task.name, task.role, task.action, task.path): plays[task.play] for task in found.tasks if task.play in plays
    }
    for result in stores.iter_results(store, run.id):
        play = names.get((result.task, result.role, result.action, result.path))
        yield {
            "event": _NAMES.get(result.outcome, "runner_on_ok"),
            "created": result.ended.isoformat(),
            "event_data": _data_of(result, play),
        }
    tables = {
        its_name: {host.name: count for host in found.hosts if (count := getattr(host.counts, name))}
        for name, its_name in STATS_TABLES.items()
    }
    processed = {host.name: 1 for host in found.hosts}
    yield {"event": STATS, "created": run.ended.isoformat(), "event_data": {"processed": processed, **tables}}


def _data_of(result: StoredResult, play: str | None) -> dict[str, Any]:
    data = {
        "host": result.host,
        "task": result.task,
        "role": result.role,
        "task_action": result.action,
        "task_path": result.path,
        "play": play,
        "start": None if result.started is None else result.started.isoformat(),
        "end": result.ended.isoformat(),
        "duration": result.duration,
        "res": result.res,
        "ignore_errors": result.outcome == "ignored",
    }
    return {**data, "res_truncated": True} if result.truncated else data
