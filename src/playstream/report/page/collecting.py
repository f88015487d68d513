"""The report of a run as a page: takes its events, and returns the HTML at the end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from playstream._version import __version__
from playstream.process.event_data import PLAYBOOK_START, data_of, text_of
from playstream.process.task_results import TaskResult
from playstream.report.collecting import COUNTS, Collector, RunEnd, Verdicts
from playstream.report.failures import make_failure, name_of, task_name
from playstream.report.page.bodies import Bodies, Cleaner
from playstream.report.page.columns import UNKNOWN, Columns, Mark, Outcome
from playstream.report.page.hiding import Hide, Paths, show_all
from playstream.report.page.pace import mark_pace
from playstream.report.page.rendering import load_page, render

FIRST_BYTES, OTHER_BYTES = 5_500_000, 3_500_000
"""Compressed bytes of what modules have returned: of results that failed or changed something, and of others."""
MAX_RESULTS = 250_000
"""Results that are in the page; of others only failures are, and the counts of their hosts. Together with the bytes
above this bounds the page at 15 MB."""
MAX_FAILURES = 20_000
_MAX_GROUPS = 300
"""Different failures that the page tells at its beginning."""


@dataclass(slots=True)
class _Group:
    """Results that failed at the same task for the same reason."""

    details: tuple[tuple[str, str], ...]
    results: list[int] = field(default_factory=list)


class PageReport:
    """The report as HTML. Memory grows with the page: numbers in columns, names once, and compressed results.

    Args:
        hide: returns a text without the names of hosts.
        home: the home directory of this user, whose path is not shown; the default is that of the process.

    Raises:
        JobError: Jinja2 is not installed.
    """

    def __init__(self, hide: Hide = show_all, home: str | None = None) -> None:
        self._template = load_page()
        self._hidden = hide is not show_all
        self._paths = Paths(home)
        self._hide: Hide = lambda text: hide(self._paths.hide(text))
        self._cleaner = Cleaner(self._hide)
        self._bodies = Bodies(self._cleaner, FIRST_BYTES, OTHER_BYTES)
        self._collector = Collector()
        self._columns = Columns()
        self._tasks: dict[object, int] = {}
        self._task_rows: list[tuple[str, str, str, int]] = []
        self._hosts: dict[str, int] = {}
        self._plays: dict[str, int] = {}
        self._groups: dict[object, _Group] = {}
        self._failed: list[tuple[int, str, int, bool]] = []
        """Of each failure the number of the result, its host, which of its host's failures it is, and whether the host
        was not reached."""
        self._began: datetime | None = None
        self._left_out = 0
        self._cut = 0
        self._with_times = self._with_bodies = False

    def start(self, cwd: str, env: Mapping[str, str]) -> None:
        """Take how the run was started, to shorten its paths. Nothing else of it is in the page."""
        self._paths.start(cwd, env)

    def add(self, event: Mapping[str, Any]) -> None:
        """Take the next event."""
        if event.get("event") == PLAYBOOK_START:
            directory, slash, _ = text_of(data_of(event), "playbook").rpartition("/")
            if slash:
                self._paths.project(directory)
        if self._began is None:
            self._began = _moment(text_of(event, "created"))
        result = self._collector.add(event)
        if result is not None:
            self._take(result)

    def close(self) -> None:
        """Discard what was taken."""
        self._bodies = Bodies(self._cleaner, 0, 0)
        self._columns = Columns()

    def _take(self, result: TaskResult) -> None:
        failed = result.status in {"failed", "unreachable"}
        counts = failed and not result.ignored
        if len(self._columns) >= MAX_RESULTS and not (counts and len(self._failed) < MAX_FAILURES):
            self._left_out += 1
            return
        place, has_diff, cut = self._bodies.add(result.res, first=failed or result.changed)
        cut = cut or result.truncated
        self._cut += cut
        if result.start is not None and not len(self._columns):
            self._began = result.start if self._began is None else min(self._began, result.start)
        start = None
        if result.start is not None and self._began is not None:
            start = (result.start - self._began).total_seconds()
        self._with_times = self._with_times or (start is not None and result.duration is not None)
        self._with_bodies = self._with_bodies or place.block != UNKNOWN
        number = self._columns.add(
            self._number_of_task(result),
            self._hosts.setdefault(result.host, len(self._hosts)),
            _outcome_of(result),
            (Mark.DIFF if has_diff else Mark(0)) | (Mark.CUT if cut else Mark(0)),
            start=start,
            took=result.duration,
            place=place,
        )
        if counts:
            self._take_failure(result, number)

    def _take_failure(self, result: TaskResult, number: int) -> None:
        unreachable = result.status == "unreachable"
        self._failed.append((number, result.host, self._collector.failed[result.host], unreachable))
        if len(self._failed) > MAX_FAILURES:
            return
        failure = make_failure(replace(result, res=self._cleaner.result(result.res)))
        key = (self._columns.task[number], unreachable, failure.details)
        if key in self._groups or len(self._groups) < _MAX_GROUPS:
            self._groups.setdefault(key, _Group(failure.details)).results.append(number)

    def _number_of_task(self, result: TaskResult) -> int:
        key = result.task_uuid or (result.play, result.role, result.task, result.action, result.path)
        number = self._tasks.get(key)
        if number is None:
            number = self._tasks[key] = len(self._task_rows)
            play = self._plays.setdefault(self._name(result.play or ""), len(self._plays))
            row = (self._name(task_name(result)), self._name(result.action), self._name(result.path), play)
            self._task_rows.append(row)
        return number

    def _name(self, text: str) -> str:
        return name_of(self._hide(text))

    def pieces(self, end: RunEnd) -> Iterator[str]:
        """Yield the HTML."""
        self._judge()
        mark_pace(self._columns)
        self._bodies.close()
        yield from render(self._template, self._title(), self._columns.pack(self._head(end)), self._bodies.blocks)

    def _judge(self) -> None:
        """Set the outcomes of failures that were rescued or ignored, which only Ansible's counts tell."""
        verdicts: Verdicts = self._collector.verdicts()
        handled = set()
        for number, host, nth, unreachable in self._failed:
            if not verdicts.counts(host, nth, unreachable=unreachable):
                self._columns.outcome[number] = Outcome.IGNORED if unreachable else Outcome.RESCUED
                handled.add(number)
        for group in self._groups.values():
            group.results = [number for number in group.results if number not in handled]

    def _title(self) -> str:
        return name_of(self._hide(self._collector.playbook)) or "run"

    def _head(self, end: RunEnd) -> dict[str, Any]:
        """Return what the page needs besides the columns."""
        counts = self._collector.hosts
        hosts = list(dict.fromkeys((*self._hosts, *counts)))
        groups = [group for group in self._groups.values() if group.results]
        return {
            "program": f"playstream {__version__}",
            "title": self._title(),
            "ident": self._name(end.ident),
            "status": end.status,
            "successful": end.successful,
            "rc": end.rc,
            "explanation": self._cleaner.text(end.explanation or ""),
            "began": None if self._began is None else self._began.isoformat(),
            "seconds": self._collector.seconds,
            "hosts": [self._name(host) for host in hosts],
            "counts": [[counts[host][name] for name in COUNTS] if host in counts else None for host in hosts],
            "countNames": COUNTS,
            "outcomes": [outcome.name.lower() for outcome in Outcome],
            "marks": {mark.name: mark.value for mark in Mark},
            "plays": list(self._plays),
            "tasks": self._task_rows,
            "failures": [{"details": group.details, "results": group.results} for group in groups],
            "notes": list(self._notes()),
        }

    def _notes(self) -> Iterator[str]:
        """Yield what the page or its source lacks."""
        if len(self._columns):
            if not self._with_times:
                yield "The source has no times of tasks, so there is no timeline and nothing is known to be slow."
            if not self._with_bodies:
                yield "The source has no results of modules: only how each task ended is known."
        if self._cut:
            yield f"{self._cut} results are not in this page, or not whole, because they are long."
        if self._left_out:
            yield f"{self._left_out} more results are counted, but not in this page."
        if self._hidden:
            yield "The names of hosts are replaced."


def _outcome_of(result: TaskResult) -> Outcome:
    if result.status == "ok":
        return Outcome.CHANGED if result.changed else Outcome.OK
    if result.status == "failed":
        return Outcome.IGNORED if result.ignored else Outcome.FAILED
    return Outcome.SKIPPED if result.status == "skipped" else Outcome.UNREACHABLE


def _moment(text: str) -> datetime | None:
    """Return a time with its zone; None if it is not one."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None
