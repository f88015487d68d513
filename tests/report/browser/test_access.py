"""The page without a mouse, and for a screen reader."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect

from tests.report.browser.opening import Opened, opened, write_page
from tests.report.browser.runs import large_run, small_run

pytestmark = pytest.mark.keeps_descriptors("the browser serves all tests of the module")


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_page(tmp_path_factory.mktemp("page") / "run.html", small_run())


@pytest.fixture(scope="module")
def longer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_page(tmp_path_factory.mktemp("page") / "run.html", large_run(40, 20))


@pytest.fixture
def shown(browser: Browser, longer: Path) -> Iterator[Opened]:
    with opened(browser, longer) as found:
        yield found


def flaws(shown: Opened) -> list[str]:
    """What axe-core finds."""
    found = Axe().run(shown.page).response["violations"]
    return [f"{flaw['id']}: {[node['html'][:200] for node in flaw['nodes'][:3]]}" for flaw in found]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_axe_finds_nothing(browser: Browser, file: Path, scheme: Literal["light", "dark"], width: int) -> None:
    with opened(browser, file, scheme=scheme, width=width) as found:
        for summary in found.page.locator("main summary").all():
            summary.click()
        expect(found.page.locator("#changed .diff")).to_have_count(2)
        expect(found.page.locator("#timeline .rows .row").first).to_be_visible()
        assert flaws(found) == []
        found.page.evaluate("location.hash = '#result=4'")
        found.page.locator("dialog .tree").first.wait_for()
        assert flaws(found) == []
        assert found.page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_table_says_what_the_timeline_shows(browser: Browser, file: Path) -> None:
    with opened(browser, file) as found:
        page = found.page
        page.get_by_text("The timeline as a table").click()
        table = page.get_by_role("grid", name="Timeline")
        row = table.get_by_role("row").filter(has_text="Configure")
        expect(row).to_be_visible()
        assert row.get_by_role("gridcell").all_inner_texts() == [
            "Configure",
            "0:02",
            "9.0 s",
            "1.2 s",
            "web2",
            "3",
            "0",
        ]
        expect(page.get_by_role("img", name="Tasks at work at the same time: at most 3.")).to_be_visible()
        row.get_by_role("link").click()
        expect(page.locator(".found")).to_have_text("3 of 11 results")


def test_rows_are_reached_by_keys(shown: Opened) -> None:
    page = shown.page
    table = page.get_by_role("grid", name="Results")
    table.get_by_role("link").first.focus()
    focused = page.locator("#results .row:focus-within")
    expect(focused).to_have_attribute("aria-rowindex", "2")
    last = int(table.get_attribute("aria-rowcount") or 0)
    steps = ("ArrowDown", 3), ("ArrowDown", 4), ("ArrowUp", 3), ("End", last), ("ArrowUp", last - 1), ("Home", 2)
    for key, row in steps:
        page.keyboard.press(key)
        expect(focused).to_have_attribute("aria-rowindex", str(row))
    page.keyboard.press("PageDown")
    expect(focused).not_to_have_attribute("aria-rowindex", "2")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(focused).to_have_count(1)


def test_only_one_row_takes_the_tab_key(shown: Opened) -> None:
    assert shown.page.locator("#results .rows a[tabindex='0']").count() == 1
    shown.page.locator("#results .scroller").evaluate("(scroller) => scroller.scrollTop = 9000")
    expect(shown.page.locator("#results .rows .row").first).not_to_have_attribute("aria-rowindex", "2")
    assert shown.page.locator("#results .rows a[tabindex='0']").count() == 1


def test_the_timeline_by_keys(shown: Opened) -> None:
    page = shown.page
    plot = page.get_by_role("application")
    plot.focus()

    low, high = plot.get_attribute("data-from") or "", plot.get_attribute("data-to") or ""
    page.keyboard.press("+")
    expect(plot).not_to_have_attribute("data-from", low)
    expect(plot).not_to_have_attribute("data-to", high)
    near = plot.get_attribute("data-to") or ""
    page.keyboard.press("ArrowLeft")
    expect(plot).not_to_have_attribute("data-to", near)
    page.keyboard.press("0")
    expect(plot).to_have_attribute("data-from", low)
    expect(plot).to_have_attribute("data-to", high)


def test_a_bar_is_found_by_the_mouse(shown: Opened) -> None:
    page = shown.page
    over = page.locator(".u-over").first
    box = over.bounding_box()
    assert box is not None
    over.hover(position={"x": 3, "y": 5})
    expect(page.locator(".tip")).to_contain_text("Task 0 of the play")
    over.click(position={"x": 3, "y": 5})
    expect(page.get_by_role("dialog").locator("h2")).to_have_text("Task 0 of the play")


def test_a_part_of_the_timeline_is_enlarged_by_dragging(shown: Opened) -> None:
    page = shown.page
    over = page.locator(".u-over").first
    over.scroll_into_view_if_needed()
    box = over.bounding_box()
    assert box is not None
    plot = page.get_by_role("application")
    whole = plot.get_attribute("data-to") or ""
    page.mouse.move(box["x"] + 100, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + 300, box["y"] + 44, steps=4)
    page.mouse.up()
    expect(plot).not_to_have_attribute("data-to", whole)
    page.get_by_role("button", name="Show all").click()
    expect(plot).to_have_attribute("data-to", whole)
