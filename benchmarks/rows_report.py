"""Rows of a run as a page: writing it, its size, and opening it in Chromium."""

from __future__ import annotations

import time
from pathlib import Path

from benchmarks.errors import BenchmarkError
from benchmarks.figures import Row, Samples, below, interleave
from benchmarks.inputs import Inputs
from benchmarks.programs import peak_memory, time_pipeline
from tests.captures.reading import a_run, an_event
from tests.report.browser.runs import large_run

HOSTS, TASKS = 500, 200
_MOST_SECONDS = 3.0
_MOST_MEGABYTES = 15.0


def report_rows(inputs: Inputs, runs: int) -> list[Row]:
    """A capture of 100,000 results as a page."""
    hosts = max(1, round(HOSTS * inputs.scale))
    capture, page = inputs.work / "report.playstream", inputs.work / "report.html"
    events = large_run(hosts, TASKS)
    capture.write_bytes(a_run(*(an_event(number, **event) for number, event in enumerate(events, 1)), rc=2))
    program = inputs.toolbox.playstream("report", capture, "-o", page)
    written = interleave({"playstream report": lambda: time_pipeline([program])}, runs, "s")["playstream report"]
    memory = interleave({"playstream report": lambda: peak_memory(program)}, runs, "MiB", warm_up=False)
    size = Samples("the file", "MB", [page.stat().st_size / 1e6])
    opened = Samples("Chromium", "s", _time_opening(page, runs))
    what = f"report of {hosts * TASKS:,} results"
    return [
        Row(f"{what}: writing the page", written, None, None, ""),
        Row(f"{what}: peak memory", memory["playstream report"], None, None, ""),
        below(f"{what}: size of the page", size, _MOST_MEGABYTES),
        below(f"{what}: opening the page", opened, _MOST_SECONDS),
    ]


def _time_opening(page: Path, runs: int) -> list[float]:
    """Seconds from the call to open the file until it shows the run, in a browser that runs already.

    Raises:
        BenchmarkError: there is no browser.
    """
    try:
        from playwright.sync_api import Error  # noqa: PLC0415 - only this row needs it

        from tests.report.browser.opening import opened, started_browser  # noqa: PLC0415
    except ImportError as error:
        raise BenchmarkError(f"the row report requires Playwright: {error}") from None
    seconds = []
    try:
        with started_browser() as browser:
            for _ in range(runs):
                started = time.perf_counter()
                with opened(browser, page):
                    seconds.append(time.perf_counter() - started)
    except Error as error:
        raise BenchmarkError(f"the page cannot be opened: {error}") from None
    return seconds
