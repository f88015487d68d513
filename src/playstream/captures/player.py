"""Showing a run at rest again: which of its events, when, and from where after a jump."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from itertools import takewhile
from typing import Any

from playstream.captures.pacing import Pace
from playstream.captures.pieces import Lack
from playstream.captures.runs import RunAtRest
from playstream.pipeline.protocol import Event, Log, Noise, Record, Status
from playstream.process.event_data import PLAY_START, PLAYBOOK_START, STATS, TASK_START, data_of, moment_of, text_of
from playstream.process.events import parse_event

_FRAMES = frozenset((PLAYBOOK_START, PLAY_START, STATS))
"""Events that are shown whatever host and task are chosen."""
_FASTER = 2.0


class Command(Enum):
    """What the user asks for while a run is shown."""

    PAUSE = "pause"
    NEXT = "next"
    """The next task."""
    PREVIOUS = "previous"
    """The task before this one."""
    FASTER = "faster"
    SLOWER = "slower"
    QUIT = "quit"


@dataclass(frozen=True, slots=True)
class Selection:
    """Which events are shown."""

    host: str | None = None
    task: str | None = None
    start: timedelta | datetime | None = None
    """Where to begin; the beginning when None."""

    def wants(self, event: Mapping[str, Any]) -> bool:
        """Return whether an event is one of the host and of the task."""
        name, data = text_of(event, "event"), data_of(event)
        if name in _FRAMES:
            return True
        if self.task is not None and self.task not in _names_of_task(data):
            return False
        return self.host is None or name == TASK_START or text_of(data, "host") == self.host

    def begins_at(self, first: float) -> float:
        """Return the moment where to begin, if the first event is of the moment `first`."""
        if self.start is None:
            return first
        return first + self.start.total_seconds() if isinstance(self.start, timedelta) else self.start.timestamp()


def _names_of_task(data: Mapping[str, Any]) -> tuple[str, ...]:
    task, role = text_of(data, "task"), text_of(data, "role")
    return (task, f"{role} : {task}") if role else (task,)


class Screen:
    """Shows what is due, and returns what the user asks for. This one ignores all and asks for nothing."""

    def show(self, event: dict[str, Any]) -> None:
        """Show an event."""

    def say(self, record: Log | Noise) -> None:
        """Show a message of the worker."""

    def tell(self, text: str) -> None:
        """Show what has become of a command."""

    def end(self, status: Status) -> None:
        """Take the last status."""

    def wait(self, seconds: float | None) -> Command | None:
        """Wait for a command; None if there is none.

        Args:
            seconds: how long at most; None for no limit.
        """
        raise NotImplementedError


class Player:
    """Shows a run at rest.

    Args:
        open_run: opens the run, again after a jump back.
        screen: shows it.
        selection: what is shown.
        speed: how much faster than the run; None does not wait.
        clock: returns seconds that do not go back.
    """

    def __init__(
        self,
        open_run: Callable[[], AbstractContextManager[RunAtRest]],
        screen: Screen,
        selection: Selection,
        speed: float | None,
        clock: Callable[[], float],
    ) -> None:
        self._open_run = open_run
        self._screen = screen
        self._selection = selection
        self._pace = Pace(speed)
        self._clock = clock
        self._tasks = array("Q")
        """The counters of the events that begin a task, in their order, as far as they were seen."""
        self._skipping = False
        """Whether events are left out up to the next task."""
        self._first: float | None = None
        """The moment of the first event."""
        self._begun = selection.start is None
        """Whether the event at which to begin has come."""

    def play(self) -> bool:
        """Show the run to its end.

        Returns:
            False if the user has ended it before.

        Raises:
            PlaystreamError: the run is damaged; what comes before was shown.
        """
        begin = 0
        while True:
            with self._open_run() as run:
                jump = self._play_from(run, begin)
            if jump is None:
                return True
            if isinstance(jump, Command):
                return False
            begin = jump

    def _play_from(self, run: RunAtRest, begin: int) -> int | Command | None:
        """Show the run from the event with a counter on.

        Returns:
            The counter to continue at after a jump back; QUIT; None at the end.
        """
        dated = Lack.TIMES_OF_STATUSES not in run.lacks
        for record in self._records_from(run, begin):
            if isinstance(record, Event):
                event, _ = parse_event(record)
                jump = self._take_event(event, record.counter, begin)
            else:
                jump = self._take_other(record, begin, dated=dated)
            if jump is not None:
                return jump
        return None

    def _records_from(self, run: RunAtRest, begin: int) -> Iterator[Record | Noise]:
        """Yield the records from which the run is shown, and perhaps some before them.

        Args:
            run: the run.
            begin: the counter of the event to show first; 0 for where the selection begins.
        """
        blocks = run.blocks() if begin or self._selection.start is not None else None
        if blocks is None:
            return run.records()
        infos = blocks.infos
        first = next((info.first_moment for info in infos if info.first_moment is not None), None)
        self._first = first if self._first is None else self._first
        for info in infos:
            for counter in info.tasks:
                self._note_task(counter)
        moment = None if self._first is None else self._selection.begins_at(self._first)
        return blocks.read(sum(1 for _ in takewhile(lambda info: info.is_before(begin, moment), infos)))

    def _note_task(self, counter: int) -> None:
        if not self._tasks or counter > self._tasks[-1]:
            self._tasks.append(counter)

    def _take_event(self, event: dict[str, Any], counter: int, begin: int) -> int | Command | None:
        is_task = event.get("event") == TASK_START
        if is_task:
            self._note_task(counter)
        moment = moment_of(event.get("created"))
        if self._first is None:
            self._first = moment
        if counter < begin or self._is_before_start(moment):
            return None
        self._begun = True
        if self._skipping and not is_task:
            return None
        self._skipping = False
        if not self._selection.wants(event):
            return None
        jump = self._wait_for(moment, counter)
        if jump is None and not self._skipping:
            self._screen.show(event)
        return jump

    def _is_before_start(self, moment: float | None) -> bool:
        return moment is not None and self._first is not None and moment < self._selection.begins_at(self._first)

    def _take_other(self, record: Record | Noise, begin: int, *, dated: bool) -> int | Command | None:
        if isinstance(record, Status) and record.status.terminal:
            jump = self._wait_for(moment_of(record.created) if dated else None, None)
            if jump is None:
                self._screen.end(record)
            return jump
        if isinstance(record, (Log, Noise)) and self._begun and not begin:
            self._screen.say(record)
        return None

    def _wait_for(self, moment: float | None, counter: int | None) -> int | Command | None:
        """Wait until a moment, and do what the user asks for meanwhile.

        Args:
            moment: the moment; None for at once.
            counter: that of the event which is due then; None at the end of the run.
        """
        while True:
            left = 0.0 if moment is None else self._pace.left(moment, self._clock())
            command = self._screen.wait(left)
            if command is not None:
                jump = self._obey(command, counter)
                if jump is not None or self._skipping:
                    return jump
            elif left == 0.0:
                return None

    def _obey(self, command: Command, counter: int | None) -> int | Command | None:
        now = self._clock()
        if command is Command.QUIT:
            return command
        if command is Command.PAUSE:
            self._pace.toggle_pause(now)
            self._screen.tell("paused" if self._pace.paused else "continued")
        elif command in {Command.FASTER, Command.SLOWER}:
            self._pace.change(_FASTER if command is Command.FASTER else 1 / _FASTER, now)
            self._screen.tell(f"speed {self._pace.speed:g}")
        elif command is Command.NEXT:
            self._pace.restart()
            self._skipping = True
        else:
            self._pace.restart()
            return self._previous(counter)
        return None

    def _previous(self, counter: int | None) -> int:
        """Return the event that begins the task before the one that was shown last; 1 for the first."""
        begun = len(self._tasks) if counter is None else bisect_left(self._tasks, counter)
        return self._tasks[begun - 2] if begun > 1 else 1
