"""The results of queries: runs and their parts."""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Counts:
    """Ansible's statistics; `ok` includes tasks that changed something."""

    ok: int
    changed: int
    failures: int
    unreachable: int
    skipped: int
    rescued: int
    ignored: int


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A run. Times are in UTC."""

    id: int
    """The run's number in the store."""
    ident: str
    """The run's name, which later runs may have too."""
    status: str
    rc: int | None
    explanation: str | None
    playbook: str | None
    label: str | None
    """The label that the user gave it."""
    directory: str | None
    """Name of the private data directory, without its path."""
    started: datetime
    ended: datetime
    events: int
    """Number of events."""
    kept_events: int | None
    """How many of them are in the store, so that the run can be replayed from it; None for none."""
    results: int
    """Number of results in the store."""
    hosts: int
    """Number of hosts."""
    counts: Counts


@dataclass(frozen=True, slots=True)
class StoredPlay:
    """A play of a run."""

    number: int
    """From 1, in the order of their start."""
    name: str
    pattern: str
    started: datetime | None


@dataclass(frozen=True, slots=True)
class StoredTask:
    """A task of a run, and the number of hosts by outcome; `ok` does not include those that changed something."""

    number: int
    """From 1, in the order of their start."""
    play: int | None
    """Number of its play; None for a module without a playbook."""
    name: str
    role: str | None
    action: str
    path: str | None
    started: datetime | None
    ok: int
    changed: int
    failures: int
    unreachable: int
    skipped: int
    ignored: int


@dataclass(frozen=True, slots=True)
class StoredHost:
    """A host in a run."""

    name: str
    counts: Counts


@dataclass(frozen=True, slots=True)
class StoredResult:
    """How a task ended on a host."""

    run_id: int
    ident: str
    """The ident of its run."""
    host: str
    task: str
    """The task's name."""
    role: str | None
    action: str
    path: str | None
    counter: int | None
    """Number of its event, as in the name of the event's file in job_events."""
    outcome: str
    """`ok`, `changed`, `failed`, `unreachable`, `skipped` or `ignored`."""
    started: datetime | None
    ended: datetime
    duration: float | None
    """Duration in seconds."""
    res: Any
    """The result of the module; None if there is none."""
    truncated: bool
    """True if `res` only has a few short fields of the result."""


@dataclass(frozen=True, slots=True)
class RunDetail:
    """A run with its parts. `iter_results` yields its results separately."""

    run: StoredRun
    earlier: int
    """Number of earlier runs with the same ident in the store."""
    plays: tuple[StoredPlay, ...]
    tasks: tuple[StoredTask, ...]
    hosts: tuple[StoredHost, ...]


def as_json(item: Any) -> Any:
    """Convert a result of a query to JSON values: dicts and lists, with times as ISO 8601 in UTC."""
    if isinstance(item, datetime):
        return item.isoformat()
    if is_dataclass(item) and not isinstance(item, type):
        return {field.name: as_json(getattr(item, field.name)) for field in fields(item)}
    if isinstance(item, (list, tuple)):
        return [as_json(part) for part in item]
    return item
