"""The result of each task on each host, from the events of a run.

The events come from a worker that is not trusted: a field of the wrong type counts as missing.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any

from playstream.pipeline.errors import counted
from playstream.process.event_data import (
    ITEM_ENDS,
    TASK_ENDS,
    Outcome,
    TaskStatus,
    data_of,
    is_changed,
    is_ignored,
    public_res,
    text_of,
)

_MAX_NAME = 60
"""Maximum number of characters of a name in the representation of a result."""


@dataclass(frozen=True, slots=True, repr=False)
class ItemResult:
    """The result of one item of a loop.

    Attributes:
        item: the item; None when `no_log` hides it.
        status: `ok`, `failed` or `skipped`.
        changed: True if it changed something.
        res: what the module returned, without Ansible's private keys.
    """

    item: Any = field(hash=False)
    status: TaskStatus
    changed: bool
    res: Mapping[str, Any] = field(hash=False)

    def __repr__(self) -> str:
        """Say what it is, without what the module returned."""
        return f"<ItemResult: {_outcome_text(self.status, changed=self.changed)}>"


@dataclass(frozen=True, slots=True, repr=False)
class TaskResult:
    """The result of a task on a host.

    Attributes:
        host: name of the host in the inventory.
        task: name of the task; its action when it has no name.
        action: the action as the playbook writes it, such as `copy`.
        path: file and line of the task, as `path:line`; '' for a task without a file.
        role: name of the task's role; None without one.
        play: name of the play; None for a module that was run without a playbook.
        status: `ok`, `failed`, `skipped` or `unreachable`.
        ignored: True if it failed and the playbook ignores that (`ignore_errors`). Whether a `rescue` handled a failure
            is not known for single tasks; the counts of a summary show how often that happened.
        changed: True if it changed something. False when `no_log` hides it.
        start: when it started on this host; None when unknown.
        end: when it ended; None when unknown.
        duration: seconds between the two; None when unknown.
        res: what the module returned, without Ansible's private keys (`_ansible_no_log` …); empty for a task that was
            skipped, and with `omit_event_data`. What `no_log` hides is replaced by `censored`.
        truncated: True if `res` was too long for an event, and only a few of its fields are left.
        items: the results of a loop's items.
        task_uuid: Ansible's name of the task, the same for all hosts; '' when unknown.
    """

    host: str
    task: str
    action: str
    path: str
    role: str | None
    play: str | None
    status: TaskStatus
    ignored: bool
    changed: bool
    start: datetime | None
    end: datetime | None
    duration: float | None
    res: Mapping[str, Any] = field(hash=False)
    truncated: bool
    items: tuple[ItemResult, ...] = field(hash=False)
    task_uuid: str

    def __repr__(self) -> str:
        """Say what it is, without what the module returned."""
        outcome = _outcome_text(self.status, changed=self.changed, ignored=self.ignored)
        return f"<TaskResult: {_short(self.task)!r} on {_short(self.host)!r}: {outcome}>"


class TaskResults:
    """The results of a run's tasks, in the order of their events.

    Args:
        events: the events of a run; `add` takes more.

    Example:
        >>> results = TaskResults([{
        ...     "event": "runner_on_ok",
        ...     "event_data": {"host": "node1", "task": "Install nginx", "res": {"changed": True}},
        ... }])
        >>> [(result.host, result.status, result.changed) for result in results.by_task["Install nginx"]]
        [('node1', 'ok', True)]
    """

    def __init__(self, events: Iterable[Mapping[str, Any]] = ()) -> None:
        self._all: list[TaskResult] = []
        self._by_host: dict[str, list[TaskResult]] = {}
        self._by_task: dict[str, list[TaskResult]] = {}
        self._by_task_uuid: dict[str, list[TaskResult]] = {}
        self._items: dict[tuple[str, str], list[ItemResult]] = {}
        for event in events:
            self.add(event)

    def add(self, event: Mapping[str, Any]) -> TaskResult | None:
        """Take the next event.

        Args:
            event: the run's next event; most have no result.

        Returns:
            The result if the event ends a task on a host; None otherwise.
        """
        name = event.get("event")
        if not isinstance(name, str) or (name not in TASK_ENDS and name not in ITEM_ENDS):
            return None
        data = data_of(event)
        host = text_of(data, "host")
        if not host:
            return None  # events are empty with omit_event_data
        key = (host, text_of(data, "task_uuid"))
        if name in ITEM_ENDS:
            self._items.setdefault(key, []).append(_item_of(ITEM_ENDS[name], public_res(data)))
            return None
        result = make_result(event, items=tuple(self._items.pop(key, ())))
        if result is None:
            return None
        self._all.append(result)
        self._by_host.setdefault(host, []).append(result)
        self._by_task.setdefault(result.task, []).append(result)
        self._by_task_uuid.setdefault(result.task_uuid, []).append(result)
        return result

    @property
    def by_host(self) -> Mapping[str, list[TaskResult]]:
        """The results of each host, by its name."""
        return MappingProxyType(self._by_host)

    @property
    def by_task(self) -> Mapping[str, list[TaskResult]]:
        """The results of tasks, by the name of the task.

        Tasks with the same name share one list; `by_task_uuid` keeps them apart.
        """
        return MappingProxyType(self._by_task)

    @property
    def by_task_uuid(self) -> Mapping[str, list[TaskResult]]:
        """The results of each task, by its `task_uuid`."""
        return MappingProxyType(self._by_task_uuid)

    def __iter__(self) -> Iterator[TaskResult]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)

    def __repr__(self) -> str:
        return f"<TaskResults: {counted(len(self._all), 'result')} of {counted(len(self._by_host), 'host')}>"


def make_result(event: Mapping[str, Any], *, items: tuple[ItemResult, ...] = ()) -> TaskResult | None:
    """Return the result in an event.

    Args:
        event: any event.
        items: the results of a loop's items, which are in other events.

    Returns:
        The result; None if the event does not end a task on a host.
    """
    name = event.get("event")
    status = TASK_ENDS.get(name) if isinstance(name, str) else None
    data = data_of(event)
    host = text_of(data, "host")
    if status is None or not host:
        return None
    # Many results have the same names. Keeping each in memory once halves the memory of a result.
    res = {_once(key): value for key, value in public_res(data).items()}
    return TaskResult(
        host=_once(host),
        task=_once(text_of(data, "task")),
        action=_once(text_of(data, "task_action")),
        path=_once(text_of(data, "task_path")),
        role=_once(text_of(data, "role")) or None,
        play=_once(text_of(data, "play")) or None,
        status=status,
        ignored=is_ignored(status, data),
        changed=is_changed(res),
        start=_time_of(data, "start"),
        end=_time_of(data, "end"),
        duration=_seconds_of(data, "duration"),
        res=res,
        truncated="res_truncated" in data,
        items=items,
        task_uuid=_once(text_of(data, "task_uuid")),
    )


def result_outcome(result: TaskResult) -> Outcome:
    """Return how a task ended on a host, in one word."""
    if result.ignored:
        return "ignored"
    return "changed" if result.status == "ok" and result.changed else result.status


def _outcome_text(status: str, *, changed: bool, ignored: bool = False) -> str:
    return ", ".join(filter(None, (status, "changed" if changed else "", "ignored" if ignored else "")))


def _short(name: str) -> str:
    return name if len(name) <= _MAX_NAME else f"{name[:_MAX_NAME]}…"


def _once(text: str) -> str:
    """Return the interned text."""
    return sys.intern(text) if type(text) is str else text


def _seconds_of(mapping: Mapping[str, Any], name: str) -> float | None:
    value = mapping.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        seconds = float(value)
    except OverflowError:
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None


def _time_of(mapping: Mapping[str, Any], name: str) -> datetime | None:
    try:
        time = datetime.fromisoformat(text_of(mapping, name))
    except ValueError:
        return None
    # A time without a zone could not be compared with the others.
    return time if time.tzinfo is not None else None


def _item_of(status: TaskStatus, res: Mapping[str, Any]) -> ItemResult:
    return ItemResult(res.get(text_of(res, "ansible_loop_var")), status, is_changed(res), res)
