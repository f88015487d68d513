"""Figures of processes, as /proc has them, and how they change."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median_low

from tests.processes import Repeating, children

_PAGE = os.sysconf("SC_PAGE_SIZE")
MIB = 1 << 20


class SoakError(Exception):
    """What was promised was not kept; the message says what."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What some processes hold."""

    processes: int = 0
    descriptors: int = 0
    threads: int = 0
    memory: int = 0
    """Bytes: resident for one process, the proportional share of shared pages for several."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    what: str
    before: Figures
    most: Figures
    after: Figures
    seconds: float
    count: str


def figures_of(pid: int) -> Figures:
    """Of one process; nothing of one that has ended."""
    place = Path("/proc", str(pid))
    try:
        resident = int((place / "statm").read_text().split()[1]) * _PAGE
        return Figures(1, len(os.listdir(place / "fd")), len(os.listdir(place / "task")), resident)
    except OSError:
        return Figures()


def peak_of(pid: int) -> int:
    """The most memory that a process has had, in bytes; 0 for one that has ended."""
    try:
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    except OSError:
        return 0
    return int(found[1]) << 10 if found else 0


def figures_with_children(pid: int) -> Figures:
    """Of a process and those that it has started."""
    try:
        started = children(pid)
    except OSError:
        started = []
    return _sum(map(figures_of, (pid, *started)))


def figures_below(temporary: Path) -> Figures:
    """Of all processes whose TMPDIR is `temporary`: stages, guards, and what the jobs have started."""
    mark = b"TMPDIR=" + os.fsencode(temporary)
    found = [place for place in _processes() if _is_marked(place, mark)]
    return replace(_sum(figures_of(int(place.name)) for place in found), memory=sum(map(_share, found)))


def _sum(figures: Iterable[Figures]) -> Figures:
    found = list(figures)
    return Figures(
        sum(item.processes for item in found),
        sum(item.descriptors for item in found),
        sum(item.threads for item in found),
        sum(item.memory for item in found),
    )


def _processes() -> Iterable[Path]:
    return (place for place in Path("/proc").iterdir() if place.name.isdigit())


def _is_marked(place: Path, mark: bytes) -> bool:
    try:
        return mark in (place / "environ").read_bytes().split(b"\0")
    except OSError:
        return False


def _share(place: Path) -> int:
    try:
        lines = (place / "smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) << 10 for line in lines if line.startswith("Pss:"))


class Sampling(Repeating):
    """Takes figures again and again in a thread of its own.

    Args:
        take: what takes them.
        pause: seconds between two.
        begun: what is looked at has started up, whose figures change until then.
    """

    def __init__(
        self, take: Callable[[], Figures], pause: float = 0.1, begun: Callable[[], bool] = lambda: True
    ) -> None:
        super().__init__(self._sample, pause)
        self._take = take
        self._begun = begun
        self.samples: list[Figures] = []

    def _sample(self) -> None:
        if not self.samples and not self._begun():
            return
        figures = self._take()
        if figures.processes:
            self.samples.append(figures)


def most_of(samples: Iterable[Figures]) -> Figures:
    """The largest of each figure."""
    found = list(samples) or [Figures()]
    return Figures(
        max(item.processes for item in found),
        max(item.descriptors for item in found),
        max(item.threads for item in found),
        max(item.memory for item in found),
    )


def median_of(samples: Iterable[Figures]) -> Figures:
    """The median of each figure."""
    found = list(samples)
    return Figures(
        median_low(item.processes for item in found),
        median_low(item.descriptors for item in found),
        median_low(item.threads for item in found),
        median_low(item.memory for item in found),
    )


def expect(condition: object, message: str) -> None:
    """Raise SoakError with `message` unless `condition` holds."""
    if not condition:
        raise SoakError(message)


def format_rows(rows: Iterable[Row]) -> str:
    """A table in Markdown: each figure before, at most, and after."""
    lines = [
        "| What | Result | Seconds | Processes | Descriptors | Threads | Memory, MiB |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        three = (row.before, row.most, row.after)
        cells = [
            " / ".join(f"{value:,}" for value in values)
            for values in (
                [item.processes for item in three],
                [item.descriptors for item in three],
                [item.threads for item in three],
                [item.memory // MIB for item in three],
            )
        ]
        lines.append(f"| {row.what} | {row.count} | {row.seconds:.0f} | {' | '.join(cells)} |")
    return "\n".join([*lines, "", "Each figure before, at most meanwhile, and after."])
