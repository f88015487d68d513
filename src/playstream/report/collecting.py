"""What the reports of a run have in common: its end, its counts and its failures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from playstream.pipeline.protocol import StatusName
from playstream.process.event_data import PLAYBOOK_START, STATS_TABLES, data_of, text_of
from playstream.process.summary import Summary
from playstream.process.task_results import TaskResult, make_result
from playstream.report.failures import Failure, clean, make_failure, name_of

MAX_FAILURES = 1000
"""Number of failures that are held in memory; more are only counted."""
COUNTS = tuple(STATS_TABLES)


@dataclass(frozen=True, slots=True)
class RunEnd:
    """How a run has ended."""

    ident: str
    status: str
    rc: int | None
    explanation: str | None

    @property
    def successful(self) -> bool:
        """Whether nothing has to be done."""
        return self.status == StatusName.SUCCESSFUL.value


class Report(Protocol):
    """Takes the events of a run, and returns its text at the end."""

    def start(self, cwd: str, env: Mapping[str, str]) -> None:
        """Take how the run was started: the directory in which Ansible ran, and its environment."""

    def add(self, event: Mapping[str, Any]) -> None:
        """Take the next event."""

    def pieces(self, end: RunEnd) -> Iterator[str]:
        """Yield the text.

        Raises:
            JobError: when iterating: results could not be stored.
        """

    def close(self) -> None:
        """Discard what was taken."""


class Collector:
    """Takes the events of a run, and holds what a short report tells: memory grows with hosts, and not with results."""

    def __init__(self) -> None:
        self._summary = Summary(keep=lambda *_: None)
        self._failures: list[tuple[Failure, int]] = []
        self._more = 0
        self._first: str | None = None
        self._last: str | None = None
        self.failed: Counter[str] = Counter()
        """Number of failed results of each host, without those that were ignored."""
        self.playbook = ""
        """The name of the playbook; '' for a module."""

    def add(self, event: Mapping[str, Any]) -> TaskResult | None:
        """Take the next event; return the result in it, if it has one."""
        self._summary.add(event)
        created = text_of(event, "created")
        if created:
            self._first = self._first or created
            self._last = created
        if event.get("event") == PLAYBOOK_START and not self.playbook:
            self.playbook = name_of(text_of(data_of(event), "playbook"))
        result = make_result(event)
        if result is not None and result.status in {"failed", "unreachable"} and not result.ignored:
            if result.status == "failed":
                self.failed[result.host] += 1
            if len(self._failures) < MAX_FAILURES:
                self._failures.append((make_failure(result), self.failed[result.host]))
            else:
                self._more += 1
        return result

    @property
    def hosts(self) -> dict[str, dict[str, int]]:
        """The counts of each host."""
        return self._summary.counts

    @property
    def total(self) -> dict[str, int]:
        """The counts of all hosts together."""
        hosts = self.hosts.values()
        return {name: sum(counts[name] for counts in hosts) for name in COUNTS}

    @property
    def seconds(self) -> float | None:
        """The time between the first event and the last; None if it is not known."""
        try:
            first, last = datetime.fromisoformat(self._first or ""), datetime.fromisoformat(self._last or "")
            return max(0.0, (last - first).total_seconds())
        except (ValueError, TypeError):
            return None

    def failures(self) -> tuple[list[Failure], int]:
        """Return the failures that count, and the number of further ones."""
        verdicts = self.verdicts()
        found = [
            each for each, number in self._failures if verdicts.counts(each.host, number, unreachable=each.unreachable)
        ]
        return found, self._more

    def verdicts(self) -> Verdicts:
        """Return which failures count, when the run has ended."""
        return Verdicts(self.hosts, self.failed)


class ShortReport:
    """A report that needs no more of a run than a Collector holds."""

    def __init__(self) -> None:
        self.collector = Collector()

    def start(self, cwd: str, env: Mapping[str, str]) -> None:
        """Do nothing: it is not told."""

    def add(self, event: Mapping[str, Any]) -> None:
        """Take the next event."""
        self.collector.add(event)

    def close(self) -> None:
        """Do nothing: little is held."""


class Verdicts:
    """Which failures count, according to Ansible's counts of each host.

    A failure may have been rescued, and a host that was not reached ignored; the events do not tell. A host takes part
    in no more tasks of a play after a failure that is not rescued, so of its failures the last ones count, as many as
    Ansible has counted.

    Args:
        hosts: the counts of each host.
        failed: the number of failed results of each host, without those that were ignored.
    """

    def __init__(self, hosts: Mapping[str, Mapping[str, int]], failed: Mapping[str, int]) -> None:
        self._hosts = hosts
        self._failed = failed

    def counts(self, host: str, number: int, *, unreachable: bool) -> bool:
        """Return whether a failure counts.

        Args:
            host: the host.
            number: which of its failures it is, from 1.
            unreachable: whether the host was not reached.
        """
        counts = self._hosts.get(host)
        if counts is None:
            return True
        if unreachable:
            return counts["unreachable"] > 0
        return not counts["rescued"] or number > self._failed.get(host, 0) - counts["failures"]


def headline(collector: Collector, end: RunEnd) -> str:
    """Return in one line what was run, and how it has ended."""
    code = "" if end.rc is None else f", return code {end.rc}"
    seconds = collector.seconds
    took = "" if seconds is None else f", {seconds:.1f} s"
    return f"{collector.playbook or 'run'} {end.status}{code}{took}, ident {name_of(end.ident) or '-'}"


def explanation_of(end: RunEnd) -> str:
    """Return why the run ended as it did, in one line; '' if there is nothing to explain."""
    return " ".join(clean(end.explanation or "").split())
