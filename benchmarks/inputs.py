"""What the programs work on: trees, captures of streams, archives. Each is made once, when a row first asks for it."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from benchmarks.programs import Program, time_pipeline
from benchmarks.toolbox import Toolbox
from benchmarks.tree import TreeSize, make_events_job, make_tree

PLAYBOOK = ("-p", "site.yml")
IDENT = ("-i", "bench")
HOSTS, TASKS = 200, 25


class Tree:
    """A generated tree, and what both tools and tar make of it."""

    def __init__(self, toolbox: Toolbox, folder: Path, size: TreeSize) -> None:
        self._toolbox = toolbox
        self._folder = folder
        self.size = size
        self.path = folder / "tree"
        self.capture = folder / "playstream.capture"
        self.runner_capture = folder / "ansible-runner.capture"
        self.archive = folder / "tree.tar.zst"
        self.results = folder / "playstream.results"
        self.runner_results = folder / "ansible-runner.results"
        _say(f"generating a tree of {size}")
        make_tree(self.path, size)

    def transmit(self) -> Program:
        """`playstream transmit`, for `capture`."""
        return self._toolbox.playstream("transmit", self.path, *PLAYBOOK, *IDENT)

    def runner_transmit(self) -> Program:
        """`ansible-runner transmit`, for `runner_capture`."""
        return self._toolbox.runner("transmit", self.path, *PLAYBOOK, *IDENT)

    def pack(self) -> list[Program]:
        """`tar c | zstd -T0`, for `archive`."""
        tar = self._toolbox.system("tar", "-C", self.path.parent, "-c", self.path.name)
        return [tar, self._toolbox.system("zstd", "-T0", "-q", "-c")]

    def require_captures(self) -> None:
        """See to it that the captures are there."""
        if not self.capture.exists():
            time_pipeline([self.transmit()], sink=self.capture)
        if not self.runner_capture.exists():
            time_pipeline([self.runner_transmit()], sink=self.runner_capture)

    def require_results(self) -> None:
        """See to it that the workers' results are there."""
        self.require_captures()
        if not self.results.exists():
            time_pipeline([self._toolbox.playstream("worker")], source=self.capture, sink=self.results)
        if not self.runner_results.exists():
            time_pipeline([self._toolbox.runner("worker")], source=self.runner_capture, sink=self.runner_results)


class EventsJob:
    """A job that gives many events, and the results of both tools' workers for it."""

    def __init__(self, toolbox: Toolbox, folder: Path, hosts: int) -> None:
        self._toolbox = toolbox
        self.path = folder / "events"
        self.hosts = hosts
        self.results = folder / "playstream.events"
        self.runner_results = folder / "ansible-runner.events"
        make_events_job(self.path, hosts=hosts, tasks=TASKS)

    def transmit(self) -> Program:
        """`playstream transmit`."""
        return self._toolbox.playstream("transmit", self.path, *PLAYBOOK, *IDENT)

    def require_results(self) -> None:
        """See to it that the captures of the workers' results are there."""
        if self.results.exists():
            return
        _say(f"running {self.hosts} hosts x {TASKS} tasks with both workers, for captures of their events")
        time_pipeline([self.transmit(), self._toolbox.playstream("worker")], sink=self.results)
        runner_transmit = self._toolbox.runner("transmit", self.path, *PLAYBOOK, *IDENT)
        time_pipeline([runner_transmit, self._toolbox.runner("worker")], sink=self.runner_results)


@dataclass(frozen=True, slots=True)
class CacheOptions:
    """What the command line says of the rows on a worker's cache."""

    figures: Path
    """The file that they keep their figures in."""
    changes: Sequence[str]
    """Names of kinds of change."""
    round_trips: Sequence[float]
    """Milliseconds to the worker's host and back."""


class Inputs:
    """All of them, in one directory."""

    def __init__(
        self,
        toolbox: Toolbox,
        work: Path,
        scale: float,
        fast_figures: Path,
        cache: CacheOptions,
        mesh_figures: Path,
    ) -> None:
        self.toolbox = toolbox
        self.work = work
        """Where the inputs are; what programs unpack goes to the toolbox's `scratch`."""
        self.scale = scale
        self.fast_figures = fast_figures
        """The file that the rows on `--fast` keep their figures in."""
        self.cache = cache
        self.mesh_figures = mesh_figures
        """The file that the rows on idle nodes keep their figures in."""

    @cached_property
    def tree(self) -> Tree:
        """The tree of the rows."""
        return Tree(self.toolbox, self._folder("once"), TreeSize().scaled(self.scale))

    @cached_property
    def double_tree(self) -> Tree:
        """One with twice as much of everything."""
        return Tree(self.toolbox, self._folder("twice"), TreeSize().scaled(2 * self.scale))

    @cached_property
    def large_tree(self) -> Tree:
        """One with a GiB more than the first."""
        size = TreeSize().scaled(self.scale)
        return Tree(self.toolbox, self._folder("large"), TreeSize(size.files, size.large + (512 << 20)))

    @cached_property
    def events_job(self) -> EventsJob:
        """The job of many events."""
        return EventsJob(self.toolbox, self._folder("job"), max(1, round(HOSTS * self.scale)))

    @cached_property
    def small_job(self) -> EventsJob:
        """The same job for a single host."""
        return EventsJob(self.toolbox, self._folder("small-job"), 1)

    def scratch(self) -> Path:
        """A path where nothing is, for a target; whatever a run left there is removed, and written data is synced.

        So no run pays for the disk writes of the one before.
        """
        path = self.toolbox.scratch / "target"
        remove(path)
        os.sync()
        return path

    def _folder(self, name: str) -> Path:
        folder = self.work / name
        folder.mkdir()
        return folder


def remove(path: Path) -> None:
    """Remove a file or directory, if it is there."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
