"""Rows on a worker's cache: kinds of change of a project beside rsync, and an unchanged one beside `cp -a`."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping, Sequence

from benchmarks.cache_runs import FAR, NEAR, CacheRuns, rsync_options, rsync_version
from benchmarks.cache_table import BYTES, COPY, HERE, OWN, RSYNC, SECONDS, far_section, format_markdown
from benchmarks.changes import CHANGES, ONE_FILE, UNCHANGED, Change
from benchmarks.errors import BenchmarkError
from benchmarks.figures import Row, Samples, below, interleave, within
from benchmarks.inputs import Inputs
from benchmarks.kept_figures import KeptFigures
from benchmarks.report import describe_machine
from tests.network.network import Network, may_make_networks
from tests.release.readme import a_host

_AT_MOST = 1.2
"""How many times the time and the bytes of rsync."""
_AT_MOST_OF_A_COPY = 1.5
_MOST_KB = {UNCHANGED.name: 60.0, ONE_FILE.name: 100.0}
"""Thousands of bytes that may travel beside what is in a changed file."""


def cache_rows(inputs: Inputs, runs: int) -> list[Row]:
    """The kinds of change that were asked for, each in turns with rsync at all distances."""
    if not may_make_networks():
        raise BenchmarkError("the row cache needs networks, which only root can make here. Choose others with --rows")
    options = inputs.cache
    version = rsync_version()
    figures = KeptFigures(options.figures, {**describe_machine(), "rsync": version.split()[2]})
    about = {"tree": str(inputs.tree.size), "rsync_options": rsync_options(version)}
    for section in (HERE, *map(far_section, options.round_trips)):
        figures.begin(section, **about)
    folder = inputs.toolbox.scratch / "cache"
    folder.mkdir()
    changes = [change for change in CHANGES if change.name in options.changes]
    with (
        Network(NEAR, FAR) as network,
        a_host(folder / "host", inside=network.inside(FAR), address=network.address(FAR)) as ssh,
    ):
        measure = _Measure(inputs, CacheRuns(inputs, folder, network, ssh), figures, runs)
        rows = [row for change in changes for row in measure.rows(change)]
    shutil.rmtree(folder)
    print(format_markdown(figures.sections), flush=True)
    return rows


class _Measure:
    """Measures kinds of change, and keeps each figure as soon as it is taken."""

    def __init__(self, inputs: Inputs, transfers: CacheRuns, figures: KeptFigures, runs: int) -> None:
        self._round_trips = inputs.cache.round_trips
        self._transfers = transfers
        self._figures = figures
        self._runs = runs

    def rows(self, change: Change) -> list[Row]:
        """Return the rows of one kind."""
        _say(f"{change.name}: making both sides know the project as it was before")
        self._transfers.begin(change)
        rows = []
        for milliseconds in self._round_trips:
            self._transfers.shape(milliseconds)
            rows += self._far_rows(change, milliseconds)
        if change == UNCHANGED:
            rows.append(self._here_row())
        return rows

    def _far_rows(self, change: Change, milliseconds: float) -> list[Row]:
        section = far_section(milliseconds)
        ways = {OWN: self._transfers.start_far, RSYNC: self._transfers.rsync}
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        megabytes: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(self._runs):
            for name, transfer in ways.items():
                found = transfer()
                _say(f"{change.name} at {milliseconds:g} ms, {name}: {found.seconds:.2f} s, {found.size:,} bytes")
                seconds[name].append(self._figures.add(section, change.name, name, found.seconds, SECONDS))
                megabytes[name].append(self._figures.add(section, change.name, name, found.size, BYTES) / 1e6)
        at_most = _AT_MOST if change.has_target else None
        stage = f"{change.name} at {milliseconds:g} ms"
        time, sizes = _samples("s", seconds), _samples("MB", megabytes)
        rows = [
            within(stage, time[OWN], time[RSYNC], at_most),
            within(stage, sizes[OWN], sizes[RSYNC], at_most, "bytes"),
        ]
        if change.name in _MOST_KB:
            most = _MOST_KB[change.name] + (self._transfers.size_of_first_file / 1000 if change == ONE_FILE else 0)
            rows.append(below(stage, Samples(OWN, "kB", [size * 1000 for size in megabytes[OWN]]), most))
        return rows

    def _here_row(self) -> Row:
        def add(name: str, seconds: float) -> float:
            _say(f"{UNCHANGED.name} without a network, {name}: {seconds:.2f} s")
            return self._figures.add(HERE, UNCHANGED.name, name, seconds, SECONDS)

        found = interleave(
            {
                OWN: lambda: add(OWN, self._transfers.start_here()),
                COPY: lambda: add(COPY, self._transfers.copy_here()),
            },
            self._runs,
            "s",
            warm_up=False,
        )
        return within(f"{UNCHANGED.name}, without a network", found[OWN], found[COPY], _AT_MOST_OF_A_COPY)


def _samples(unit: str, values: Mapping[str, Sequence[float]]) -> dict[str, Samples]:
    return {name: Samples(name, unit, found) for name, found in values.items()}


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
