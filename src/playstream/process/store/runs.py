"""What queries return: runs and their parts, as they are in a store."""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Counts:
    """Ansible's statistics; `ok` counts tasks that changed something too."""

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
    """The store's own number of it."""
    ident: str
    """Its name, which later runs may have too."""
    status: str
    rc: int | None
    explanation: str | None
    playbook: str | None
    started: datetime
    ended: datetime
    events: int
    """How many events it had."""
    results: int
    """How many results it has in the store."""
    hosts: int
    """How many hosts had a part in it."""
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
    """A task of a run, and on how many hosts it ended how; `ok` does not count those that changed something."""

    number: int
    """From 1, in the order of their start."""
    play: int | None
    """Number of its play; None for a module that was run without a playbook."""
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
    """A host's part in a run."""

    name: str
    counts: Counts


@dataclass(frozen=True, slots=True)
class StoredResult:
    """How a task ended on a host."""

    run_id: int
    ident: str
    """Of its run."""
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
    """Seconds."""
    res: Any
    """What the module returned; None when there is nothing."""
    truncated: bool
    """True if `res` holds a few short fields of it only."""


@dataclass(frozen=True, slots=True)
class RunDetail:
    """A run with its parts. Its results come apart, by `iter_results`."""

    run: StoredRun
    earlier: int
    """How many earlier runs of the same ident the store has."""
    plays: tuple[StoredPlay, ...]
    tasks: tuple[StoredTask, ...]
    hosts: tuple[StoredHost, ...]


def as_json(item: Any) -> Any:
    """Convert what queries return to JSON values: dicts and lists, with times as ISO 8601 in UTC."""
    if isinstance(item, datetime):
        return item.isoformat()
    if is_dataclass(item) and not isinstance(item, type):
        return {field.name: as_json(getattr(item, field.name)) for field in fields(item)}
    if isinstance(item, (list, tuple)):
        return [as_json(part) for part in item]
    return item
