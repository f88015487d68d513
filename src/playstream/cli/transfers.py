"""Showing how far packing, sending and unpacking are, once they take longer than a second.

On a terminal a bar on standard error shows it; elsewhere `--progress` prints a line every 10 seconds.
"""

from __future__ import annotations

import argparse
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

from playstream.cli.output import print_message, standard_error_terminal
from playstream.pipeline.tree.meter import Activity, Meter

if TYPE_CHECKING:
    from playstream.cli.progress import Progress

_SHOWN_AFTER_SECONDS = 1.0
_LINE_SECONDS = 10.0
_TICK_SECONDS = 0.25
_WINDOW = 20
"""The rate is that of so many ticks."""
_UNITS = ("B", "kB", "MB", "GB", "TB")


@dataclass(frozen=True, slots=True)
class State:
    """What is shown of an activity."""

    what: str
    files: int
    size: int
    rate: float
    """Bytes in a second."""
    seconds: float
    is_counted: bool = True
    """False if there are no bytes and files."""

    @property
    def parts(self) -> tuple[str, ...]:
        """The bytes, the files and the rate as texts; the time if nothing is counted."""
        if not self.is_counted:
            return (f"{self.seconds:.0f} seconds",)
        files = f"{self.files:,} file" if self.files == 1 else f"{self.files:,} files"
        return show_size(self.size), files, f"{show_size(self.rate)}/s"


def show_size(size: float) -> str:
    """Return a number of bytes with three digits and a unit."""
    for unit in _UNITS[:-1]:
        if size < 999.5:
            return f"{size:.0f} {unit}" if unit == "B" or size >= 99.95 else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} {_UNITS[-1]}"


class Painter(Protocol):
    """Shows states."""

    def paint(self, state: State, *, moves: bool) -> None:
        """Show a state.

        Args:
            state: the state.
            moves: whether something has passed since the last one.
        """

    def end(self, state: State | None) -> None:
        """End the display of an activity; None for one that was never shown or is broken off."""


class Transfers:
    """A context in which the activities of some meters are shown.

    Args:
        meters: count what is shown; the first that is active is.
        painter: shows it.
        clock: returns seconds.
    """

    def __init__(self, meters: Sequence[Meter], painter: Painter, clock: Callable[[], float] = time.monotonic) -> None:
        self._meters = meters
        self._painter = painter
        self._clock = clock
        self._activity: Activity | None = None
        self._began = 0.0
        self._samples: deque[tuple[float, int]] = deque(maxlen=_WINDOW)
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._busy = threading.Event()
        """Set while something is on its way; the thread sleeps otherwise."""
        self._thread = threading.Thread(target=self._run, name="playstream-transfers", daemon=True)
        for meter in meters:
            meter.changed = self.tick

    def __enter__(self) -> Transfers:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for meter in self._meters:
            meter.changed = lambda: None
        self._over.set()
        self._busy.set()
        self._thread.join()
        self._painter.end(None)

    def _run(self) -> None:
        while not self._over.wait(_TICK_SECONDS):
            self._busy.wait()
            self.tick()

    def tick(self) -> None:
        """Look at the meters, and show what has changed."""
        with self._lock:
            now = self._clock()
            if any(meter.activity for meter in self._meters):
                self._busy.set()
            else:
                self._busy.clear()
            meter = next((meter for meter in self._meters if meter.activity is not None), None)
            activity = None if meter is None else meter.activity
            if activity is not self._activity:
                if self._activity is not None:
                    self._painter.end(self._state(self._activity, now))
                self._activity, self._began = activity, now
                self._samples.clear()
            if meter is None or activity is None:
                return
            moves = not activity.is_counted or (bool(self._samples) and self._samples[-1][1] != activity.size)
            self._samples.append((now, activity.size))
            if meter.ready and now - self._began >= _SHOWN_AFTER_SECONDS:
                self._painter.paint(self._state(activity, now), moves=moves)

    def _state(self, activity: Activity, now: float) -> State:
        since, size = self._samples[0] if self._samples else (now, activity.size)
        rate = (activity.size - size) / (now - since) if now > since else 0.0
        return State(activity.what, activity.files, activity.size, rate, now - self._began, activity.is_counted)


class Lines:
    """Prints a line every 10 seconds, and one at the end.

    Args:
        command: the subcommand.
        summarizes: whether to print the last line in any case.
        print_line: prints a line.
    """

    def __init__(
        self, command: str, *, summarizes: bool, print_line: Callable[[str, object], None] = print_message
    ) -> None:
        self._command = command
        self._summarizes = summarizes
        self._print = print_line
        self._next = _LINE_SECONDS

    def paint(self, state: State, *, moves: bool) -> None:  # noqa: ARG002 - a line that repeats itself says so
        if state.seconds >= self._next:
            self._next = state.seconds + _LINE_SECONDS
            self._print(self._command, f"{state.what}: {', '.join(state.parts)}")

    def end(self, state: State | None) -> None:
        if state is not None and (self._summarizes or self._next > _LINE_SECONDS):
            text = f"{state.what}: done in {state.seconds:.1f} seconds"
            if state.is_counted:
                average = show_size(state.size / state.seconds if state.seconds > 0 else 0.0)
                text += f", {', '.join(state.parts[:2])}, {average}/s"
            self._print(self._command, text)
        self._next = _LINE_SECONDS


class Beside:
    """Shows states on the line of a run's progress, as long as that is there, and by another painter before.

    Args:
        progress: the progress of the run.
        painter: the other painter.
    """

    def __init__(self, progress: Progress, painter: Painter) -> None:
        self._progress = progress
        self._painter = painter

    def paint(self, state: State, *, moves: bool) -> None:
        if self._progress.has_begun:
            self._progress.transfer = "  ".join((state.what, *state.parts))
        else:
            self._painter.paint(state, moves=moves)

    def end(self, state: State | None) -> None:
        self._progress.transfer = ""
        self._painter.end(state)


def show_transfers(
    flags: argparse.Namespace, meters: Sequence[Meter], progress: Progress | None = None
) -> AbstractContextManager[object]:
    """Return a context in which the activities of some meters are shown.

    Args:
        flags: with `name`; `progress` and `debug` choose what is shown. `wants_transfers` has said that something is.
        meters: count what is shown.
        progress: the progress of the run on the same terminal; None for none.
    """
    painter = _choose_painter(flags, progress)
    return nullcontext() if painter is None else Transfers(meters, painter)


def _choose_painter(flags: argparse.Namespace, progress: Progress | None) -> Painter | None:
    terminal = standard_error_terminal()
    if terminal is not None and not flags.debug:
        try:
            from playstream.cli.bar import Bar  # noqa: PLC0415 - the library is an extra
            from playstream.cli.progress import can_move  # noqa: PLC0415
        except ImportError:
            return Lines(flags.name, summarizes=flags.progress)
        if can_move():
            bar = Bar(terminal, sys.stderr)
            return bar if progress is None else Beside(progress, bar)
        return Lines(flags.name, summarizes=flags.progress)
    return Lines(flags.name, summarizes=True) if flags.progress else None
