"""Comparing two runs: the outcome, result and duration of each task on each host, and the facts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from playstream.pipeline.host_order import sort_hosts
from playstream.pipeline.protocol import StatusName

SLOWER_SECONDS, SLOWER_SHARE = 1.0, 0.5
"""A duration has changed if it did by more than these seconds and by more than this share of the shorter one."""
_VOLATILE = frozenset({"start", "end", "delta", "ansible_facts", "ansible_job_id", "invocation", "elapsed", "duration"})
"""Keys of a result that are another for each run, or are compared elsewhere."""
_VOLATILE_FACTS = frozenset(
    {
        *("date_time", "uptime_seconds", "memfree_mb", "memory_mb", "swapfree_mb", "loadavg", "mounts", "env"),
        *("local", "processor_nproc"),
    }
)
_DIGEST_SIZE = 8


class Key(NamedTuple):
    """What makes a task on a host the same in two runs."""

    host: str
    role: str | None
    task: str
    action: str
    number: int
    """1 for the first time that such a task ended on the host, 2 for the second …"""


@dataclass(frozen=True, slots=True)
class TaskOutcome:
    """How a task ended on a host, with the hashes of its result."""

    outcome: str
    seconds: float | None
    parts: Mapping[str, bytes] | None
    """The hash of each part of the result; None if not all of the result is known."""


class Outline:
    """What is compared of a run. Memory grows with the number of its results, but not with what is in them."""

    def __init__(self) -> None:
        self.status = ""
        self.rc: int | None = None
        self.results: dict[Key, TaskOutcome] = {}
        self.facts: dict[str, dict[str, bytes]] = {}
        """By host, the hash of each fact."""
        self._numbers: dict[tuple[str, str | None, str, str], int] = {}

    def add(
        self,
        host: str,
        role: str | None,
        task: str,
        action: str,
        *,
        outcome: str,
        seconds: float | None,
        res: Mapping[str, Any] | None,
    ) -> None:
        """Take the result of a task on a host; `res` is None if not all of it is known."""
        action = action.removeprefix("ansible.builtin.").removeprefix("ansible.legacy.")
        name = (host, role, task, action)
        number = self._numbers[name] = self._numbers.get(name, 0) + 1
        parts = None
        if res is not None:
            parts = {key: _digest(value) for key, value in res.items() if key not in _VOLATILE}
            facts = res.get("ansible_facts")
            if isinstance(facts, dict) and outcome in {"ok", "changed"}:
                known = self.facts.setdefault(host, {})
                known.update((key, _digest(value)) for key, value in facts.items() if not _is_volatile(key))
        self.results[Key(*name, number)] = TaskOutcome(outcome, seconds, parts)


def _is_volatile(fact: str) -> bool:
    return fact.removeprefix("ansible_") in _VOLATILE_FACTS or fact.startswith("discovered_interpreter_")


def _digest(value: object) -> bytes:
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=_DIGEST_SIZE).digest()


class Change(StrEnum):
    """What differs."""

    STATUS = "status"
    OUTCOME = "outcome"
    GONE = "gone"
    """The first run has the task on the host, and the second has not."""
    NEW = "new"
    DURATION = "duration"
    RESULT = "result"
    FACTS = "facts"


OF_OUTCOMES = frozenset({Change.STATUS, Change.OUTCOME, Change.GONE, Change.NEW})
"""Differences for which runs do not count as having the same outcome."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A difference between two runs."""

    change: Change
    host: str | None
    task: str | None
    before: str | None
    after: str | None
    """For RESULT and FACTS, the names of what differs are in `after`."""


def compare(first: Outline, second: Outline) -> Iterator[Difference]:
    """Yield the differences between two runs: those of outcomes before the others, each in the order of the runs."""
    before, after = end_of(first), end_of(second)
    if before != after:
        yield Difference(Change.STATUS, None, None, before, after)
    for compared in (_outcomes, _durations, _results):
        yield from compared(first, second)
    yield from _facts(first, second)


def end_of(outline: Outline) -> str:
    """Return how a run has ended, in a few words."""
    is_told = outline.rc is None or (outline.status == StatusName.SUCCESSFUL.value and outline.rc == 0)
    return outline.status if is_told else f"{outline.status}, return code {outline.rc}"


def _both(first: Outline, second: Outline) -> Iterator[tuple[Key, TaskOutcome, TaskOutcome]]:
    for key, before in first.results.items():
        after = second.results.get(key)
        if after is not None:
            yield key, before, after


def _task_of(key: Key) -> str:
    name = key.task if key.role is None else f"{key.role} : {key.task}"
    return name if key.number == 1 else f"{name} (time {key.number})"


def _outcomes(first: Outline, second: Outline) -> Iterator[Difference]:
    for key, before in first.results.items():
        after = second.results.get(key)
        if after is None:
            yield Difference(Change.GONE, key.host, _task_of(key), before.outcome, None)
        elif before.outcome != after.outcome:
            yield Difference(Change.OUTCOME, key.host, _task_of(key), before.outcome, after.outcome)
    for key, after in second.results.items():
        if key not in first.results:
            yield Difference(Change.NEW, key.host, _task_of(key), None, after.outcome)


def _durations(first: Outline, second: Outline) -> Iterator[Difference]:
    for key, before, after in _both(first, second):
        if before.seconds is None or after.seconds is None:
            continue
        low, high = sorted((before.seconds, after.seconds))
        if high - low > max(SLOWER_SECONDS, low * SLOWER_SHARE):
            texts = f"{before.seconds:.1f} s", f"{after.seconds:.1f} s"
            yield Difference(Change.DURATION, key.host, _task_of(key), *texts)


def _results(first: Outline, second: Outline) -> Iterator[Difference]:
    for key, before, after in _both(first, second):
        if before.parts is None or after.parts is None or before.outcome != after.outcome:
            continue
        names = _different(before.parts, after.parts)
        if names:
            yield Difference(Change.RESULT, key.host, _task_of(key), None, ", ".join(names))


def _facts(first: Outline, second: Outline) -> Iterator[Difference]:
    for host, facts in first.facts.items():
        names = _different(facts, second.facts[host]) if host in second.facts else []
        if names:
            yield Difference(Change.FACTS, host, None, None, ", ".join(names))


def _different(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> list[str]:
    return sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))


def grouped(differences: Iterable[Difference]) -> Iterator[tuple[Difference, list[str]]]:
    """Yield differences that are the same on several hosts once, each with its hosts, sorted by name."""
    groups: dict[tuple[object, ...], tuple[Difference, list[str]]] = {}
    for each in differences:
        key = (each.change, each.task, each.before, each.after)
        hosts = groups.setdefault(key, (each, []))[1]
        if each.host is not None:
            hosts.append(each.host)
    for each, hosts in groups.values():
        yield each, sort_hosts(hosts)
