"""A page of 100,000 results: how large it is, what is in the document, and what scrolling takes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.report.browser.opening import Opened, opened, write_page
from tests.report.browser.runs import large_run

pytestmark = [pytest.mark.keeps_descriptors("the browser serves all tests of the module"), pytest.mark.timeout(480)]

HOSTS, TASKS = 500, 200
MOST_BYTES = 15_000_000
MOST_NODES = 5_000
MOST_MICROSECONDS = 100_000


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_page(tmp_path_factory.mktemp("page") / "run.html", large_run(HOSTS, TASKS))


@pytest.fixture
def shown(browser: Browser, file: Path) -> Iterator[Opened]:
    with opened(browser, file) as found:
        yield found
        assert found.complaints == []


def test_the_file(file: Path) -> None:
    assert file.stat().st_size < MOST_BYTES


def test_nodes_wherever_one_scrolls(shown: Opened) -> None:
    page = shown.page
    most = shown.nodes()
    for summary in page.locator("main summary").all():
        summary.click()
    for selector in ("#results .scroller", "#hosts .scroller", "#timeline .scroller"):
        scroller = page.locator(selector)
        for part in (0.0, 0.21, 0.5, 0.999, 1.0):
            scroller.evaluate("(scroller, part) => scroller.scrollTop = part * scroller.scrollHeight", part)
            expect(scroller.locator(".row").first).to_be_visible()
            most = max(most, shown.nodes())
    page.evaluate("location.hash = '#result=50000'")
    page.locator("dialog .tree").first.wait_for()
    assert max(most, shown.nodes()) <= MOST_NODES


def test_tasks_while_scrolling(browser: Browser, shown: Opened) -> None:
    """No task takes 100 ms of the thread that draws; what other programs take of the processor does not count."""
    page = shown.page
    page.locator("#results .scroller").scroll_into_view_if_needed()
    browser.start_tracing(
        page=page, categories=["toplevel", "devtools.timeline", "disabled-by-default-devtools.timeline"]
    )
    box = page.locator("#results .scroller").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 200, box["y"] + 200)
    for distance in (100, 400, 2_000, 20_000, 400_000, -300_000, -900):
        page.mouse.wheel(0, distance)
        page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    page.evaluate("scrollTo(0, 0)")
    for _ in range(8):
        page.evaluate(
            "scrollBy(0, 600); new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
        )
    trace = json.loads(browser.stop_tracing())
    lengths = list(_task_lengths(trace["traceEvents"]))
    assert len(lengths) > 50
    assert max(lengths) < MOST_MICROSECONDS


def _task_lengths(events: list[dict[str, Any]]) -> Iterator[int]:
    """Yield the processor time of each task of the threads that draw pages, in microseconds."""
    drawing = {
        (event["pid"], event["tid"])
        for event in events
        if event["name"] == "thread_name" and event["args"]["name"] == "CrRendererMain"
    }
    for event in events:
        if event["name"].endswith("RunTask") and (event["pid"], event["tid"]) in drawing:
            yield event.get("tdur", event.get("dur", 0))
