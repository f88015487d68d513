"""The report as a trace in Chrome's trace event format, which Perfetto shows: a track of slices for each host.

Times are microseconds since the first event of the run. In Perfetto the slices of a track may only nest, so each begins
after the end of the one before it on the same track, whatever the events say.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from playstream.process.event_data import PLAY_START, RUNNER_START, STATS, TASK_START, data_of, text_of
from playstream.process.task_results import TaskResult, result_outcome
from playstream.report.collecting import Collector, RunEnd, Verdicts, explanation_of
from playstream.report.failures import make_failure, name_of, task_name
from playstream.report.spool import Spool

_MAX_TIME = 2**53 - 1
"""Where times end, in microseconds: a reader may hold them as floats, and multiplies them by 1000 into 64 bits."""
_MICROSECOND = timedelta(microseconds=1)
_PROCESS = 1
"""All tracks are threads of one process, because Perfetto knows a thread by its number alone."""
_PLAYS, _TASKS = 1, 2
"""The numbers of the first tracks; those of hosts follow."""
_WITHOUT_NAME = "(no name)"
_OPEN = b"?"
"""The first byte of a line with a failure: whether it counts is only known at the end."""
_COLOURS = {
    "ok": "good",
    "changed": "yellow",
    "failed": "terrible",
    "unreachable": "cq_build_attempt_failed",
    "ignored": "olive",
    "rescued": "bad",
    "skipped": "grey",
}
"""The categories of slices, and the names that the format has for their colours."""


@dataclass(slots=True)
class _Track:
    """A row of slices."""

    number: int
    free: int = 0
    """When its last slice has ended."""

    def place(self, start: int, end: int) -> tuple[int, int]:
        """Return when a slice begins behind the others, and how long it takes."""
        start = max(start, self.free)
        self.free = max(start, end)
        return start, self.free - start


@dataclass(slots=True)
class _Begun:
    """A play or a task that has begun."""

    name: str
    start: int
    args: dict[str, Any] = field(default_factory=dict)
    last: int | None = None
    """When the last result came."""


class TraceReport:
    """The report as JSON. Memory grows with the number of hosts, and not with that of results.

    Args:
        hide: returns a text without what is not to be shown, such as the names of hosts.
    """

    def __init__(self, hide: Callable[[str], str] = lambda text: text) -> None:
        self._hide = hide
        self._collector = Collector()
        self._spool = Spool()
        self._clock = _Clock()
        self._plays, self._tasks = _Track(_PLAYS), _Track(_TASKS)
        self._hosts: dict[str, _Track] = {}
        self._play: _Begun | None = None
        self._task: _Begun | None = None
        self._active: set[str] = set()
        """The hosts on which a task runs, each in a fork of its own."""

    def start(self, cwd: str, env: Mapping[str, str]) -> None:
        """Do nothing: it is not told."""

    def add(self, event: Mapping[str, Any]) -> None:
        """Take the next event."""
        result = self._collector.add(event)
        now = self._clock.read(event)
        name, data = event.get("event"), data_of(event)
        if result is not None:
            self._add_result(result, now)
        elif name == RUNNER_START:
            self._count(text_of(data, "host"), now, active=True)
        elif name == TASK_START:
            self._end_task(now)
            self._task = _Begun(
                _task_name(data), now, _source(text_of(data, "task_action"), text_of(data, "task_path"))
            )
        elif name == PLAY_START:
            self._end_play(now)
            self._play = _Begun(name_of(text_of(data, "play")), now)
        elif name == STATS:
            self._end_play(now)

    def close(self) -> None:
        """Discard the results."""
        self._spool.close()

    def pieces(self, end: RunEnd) -> Iterator[str]:
        """Yield the JSON.

        Raises:
            JobError: when iterating: the results could not be stored.
        """
        self._end_play(self._clock.now)
        about = {
            "ident": name_of(end.ident),
            "status": end.status,
            "rc": end.rc,
            "explanation": self._hide(explanation_of(end)) or None,
            "started": self._clock.origin_text,
        }
        yield f'{{"displayTimeUnit":"ms","otherData":{_dump(about)},"traceEvents":[\n'
        yield _dump(_named("process_name", 0, self._collector.playbook or "run"))
        for name, track in (("plays", self._plays), ("tasks", self._tasks), *self._hosts.items()):
            yield f",\n{_dump(_named('thread_name', track.number, self._hide(name_of(name))))}"
        verdicts = self._collector.verdicts()
        for line in self._spool.lines():
            yield f",\n{_settle(line, verdicts)}"
        yield "\n]}\n"

    def _add_result(self, result: TaskResult, now: int) -> None:
        end = self._clock.place(result.end, now)
        seconds = result.duration or 0.0
        start = self._clock.place(result.start, max(0, end - int(min(seconds * 1e6, _MAX_TIME))))
        args = {"status": result.status, **_source(result.action, result.path)}
        if result.play:
            args["play"] = name_of(result.play)
        failed = result.status in {"failed", "unreachable"}
        if failed:
            args.update((name, name_of(text)) for name, text in make_failure(result).details[:1])
        track = self._track_of(result.host)
        slice_ = self._hidden(_slice(track, task_name(result), result_outcome(result), start, end, args))
        if failed and not result.ignored:
            number = self._collector.failed[result.host]
            self._keep(_OPEN + _dump({"host": result.host, "number": number, "slice": slice_}).encode())
        else:
            self._keep(_dump(slice_).encode())
        self._count(result.host, now, active=False)
        for begun in (self._play, self._task):
            if begun is not None:
                begun.last = now

    def _track_of(self, host: str) -> _Track:
        return self._hosts.setdefault(host, _Track(_TASKS + 1 + len(self._hosts)))

    def _count(self, host: str, now: int, *, active: bool) -> None:
        """Note how many forks are used from now on, if a host begins or ends a task."""
        if not host or (host in self._active) is active:
            return
        (self._active.add if active else self._active.discard)(host)
        self._track_of(host)  # in the order in which Ansible begins
        self._keep(_dump(_event("C", "forks", ts=now, tid=_PLAYS, args={"used": len(self._active)})).encode())

    def _end_task(self, now: int) -> None:
        self._end(self._tasks, self._task, "task", now)
        self._task = None

    def _end_play(self, now: int) -> None:
        self._end_task(now)
        self._end(self._plays, self._play, "play", now)
        self._play = None
        for host in list(self._active):
            self._count(host, now, active=False)

    def _end(self, track: _Track, begun: _Begun | None, kind: str, now: int) -> None:
        """Note that a play or a task has ended with its last result, or without one now."""
        if begun is not None:
            end = now if begun.last is None else begun.last
            slice_ = _slice(track, begun.name, kind, begun.start, end, begun.args)
            self._keep(_dump(self._hidden(slice_)).encode())

    def _hidden(self, slice_: dict[str, Any]) -> dict[str, Any]:
        """Return a slice without what is not to be shown."""
        args = {name: self._hide(value) for name, value in slice_["args"].items()}
        return {**slice_, "name": self._hide(slice_["name"]), "args": args}

    def _keep(self, line: bytes) -> None:
        self._spool.add(line + b"\n")


class _Clock:
    """Times as microseconds since the first one, which never run backwards."""

    def __init__(self) -> None:
        self._origin: datetime | None = None
        self.now = 0
        """When the last event was created."""

    @property
    def origin_text(self) -> str | None:
        """The first time as text; None if no event had one."""
        return None if self._origin is None else self._origin.isoformat()

    def read(self, event: Mapping[str, Any]) -> int:
        """Return when an event was created; if it does not say so, when the last one was."""
        try:
            created = datetime.fromisoformat(text_of(event, "created"))
        except ValueError:
            return self.now
        # Older versions of ansible-runner do not say that their times are those of UTC.
        self.now = max(self.now, self.place(created if created.tzinfo else created.replace(tzinfo=UTC), self.now))
        return self.now

    def place(self, time: datetime | None, otherwise: int) -> int:
        """Return where a time is; `otherwise` if it is not known."""
        if time is None:
            return otherwise
        self._origin = self._origin or time
        return min(max(0, (time - self._origin) // _MICROSECOND), _MAX_TIME)


def _settle(line: bytes, verdicts: Verdicts) -> str:
    """Return a kept line as it is in the trace."""
    if not line.startswith(_OPEN):
        return line.decode().rstrip("\n")
    failure = json.loads(line[len(_OPEN) :])
    slice_ = failure["slice"]
    unreachable = slice_["cat"] == "unreachable"
    if not verdicts.counts(failure["host"], failure["number"], unreachable=unreachable):
        handled = "ignored" if unreachable else "rescued"
        slice_.update(cat=handled, cname=_COLOURS[handled])
    return _dump(slice_)


def _slice(track: _Track, name: str, category: str, start: int, end: int, args: Mapping[str, Any]) -> dict[str, Any]:
    start, duration = track.place(start, end)
    found = _event("X", name or _WITHOUT_NAME, cat=category, ts=start, dur=duration, tid=track.number, args=args)
    if category in _COLOURS:
        found["cname"] = _COLOURS[category]
    return found


def _event(phase: str, name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "ph": phase, "pid": _PROCESS, **more}


def _named(what: str, number: int, name: str) -> dict[str, Any]:
    """Return the event that gives a process or a thread its name."""
    return _event("M", what, **({"tid": number} if number else {}), args={"name": name or _WITHOUT_NAME})


def _source(action: str, path: str) -> dict[str, Any]:
    """Return what is done and where that is written, as far as it is known."""
    found = {"action": name_of(action), "source": name_of(path)}
    return {name: value for name, value in found.items() if value}


def _task_name(data: Mapping[str, Any]) -> str:
    name, role = name_of(text_of(data, "task")), name_of(text_of(data, "role"))
    return f"{role} : {name}" if role else name


def _dump(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))
