"""Compares long runs on a machine whose speed changes: the sides run at the same time, in turns of half a second.

While one side runs, the processes of all others are frozen. So each meets the same weather: where the machine's speed
changed by 10 % from minute to minute, pairs of whole runs of a minute gave -3 to +17 %, and turns +2.3 to +4.5 %.
"""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from benchmarks.errors import BenchmarkError
from benchmarks.figures import Samples
from benchmarks.programs import Program
from benchmarks.storage import mounts

_TURN_SECONDS = 0.5
_CHANGE_SECONDS = 30
"""Within which processes are frozen, thawed or gone, unless one of them hangs in the kernel."""
_JOIN = 'echo $$ >"$0" && exec "$@"'

Side = Callable[["Group"], object]
"""Runs its programs in that group, to their end."""
Sides = Mapping[str, Side]


class Group:
    """A control group (version 2), for processes that are frozen and thawed together."""

    def __init__(self, parent: Path, name: str) -> None:
        self._folder = parent / f"playstream-bench-{os.getpid()}-{name}"
        self._folder.mkdir()

    def holding(self, program: Program) -> Program:
        """The program, started in this group."""
        join = ["/bin/sh", "-c", _JOIN, str(self._folder / "cgroup.procs")]
        return replace(program, argv=[*join, *program.argv])

    def set_frozen(self, frozen: bool) -> None:
        """Freeze or thaw, and wait until it is done."""
        (self._folder / "cgroup.freeze").write_text(str(int(frozen)))
        self._wait(f"frozen {frozen:d}")

    def remove(self) -> None:
        """End what is left in it, and remove it."""
        (self._folder / "cgroup.kill").write_text("1")
        self._wait("populated 0")
        self._folder.rmdir()

    def _wait(self, state: str) -> None:
        """Until the group has that state; the kernel tells of each change."""
        with (self._folder / "cgroup.events").open() as events:
            changes = select.poll()
            changes.register(events, select.POLLPRI)
            while state not in events.read():
                if not changes.poll(_CHANGE_SECONDS * 1000):
                    raise BenchmarkError(f"{self._folder}: expected {state!r} within {_CHANGE_SECONDS} s")
                events.seek(0)


def find_parent() -> Path:
    """Where groups can be made.

    Raises:
        BenchmarkError: nowhere.
    """
    for point, kind in mounts():
        if kind == "cgroup2" and os.access(point, os.W_OK):
            return point
    raise BenchmarkError(
        "the row run freezes processes in turn, for which it needs to be root and control groups of version 2 "
        "(a mount of type cgroup2 that can be written to). Choose other rows with --rows"
    )


def in_turns(prepare: Callable[[], Sides], runs: int, unit: str) -> dict[str, Samples]:
    """Measure all sides beside each other so many times: seconds, those in which a side was frozen not counted.

    Args:
        prepare: gives the sides, before each of the runs.
        runs: how many.
        unit: of the samples.
    """
    values: dict[str, list[float]] = {}
    for _ in range(runs):
        for name, seconds in _run_in_turns(prepare()).items():
            values.setdefault(name, []).append(seconds)
    return {name: Samples(name, unit, found) for name, found in values.items()}


def _run_in_turns(sides: Sides) -> dict[str, float]:
    seconds = dict.fromkeys(sides, 0.0)
    running: dict[str, Future[object]] = {}
    groups: dict[str, Group] = {}
    parent = find_parent()
    with ThreadPoolExecutor(len(sides)) as threads, ExitStack() as stack:
        for index, name in enumerate(sides):
            groups[name] = Group(parent, str(index))
            stack.callback(groups[name].remove)
        order: Sequence[str] = list(sides)
        while order:
            for name in order:
                started = time.perf_counter()
                groups[name].set_frozen(False)
                if name not in running:
                    running[name] = threads.submit(sides[name], groups[name])
                wait([running[name]], _TURN_SECONDS)
                if running[name].done():
                    running[name].result()
                else:
                    groups[name].set_frozen(True)
                seconds[name] += time.perf_counter() - started
            order = [name for name in reversed(order) if not running[name].done()]
    return seconds
