"""What the page of a run shows, and what can be done with it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.report.browser.opening import Opened, opened, write_page
from tests.report.browser.runs import small_run
from tests.report.events import GOOD, START, result

pytestmark = pytest.mark.keeps_descriptors("the browser serves all tests of the module")


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_page(tmp_path_factory.mktemp("page") / "run.html", small_run())


@pytest.fixture
def shown(browser: Browser, file: Path) -> Iterator[Opened]:
    with opened(browser, file) as found:
        yield found
        assert found.complaints == []
        assert found.violations() == []
        assert [url.partition(":")[0] for url in found.requests] == ["file"]


def test_what_is_asked_first(shown: Opened) -> None:
    assert shown.texts("h1") == ["site.yml"]
    assert shown.texts(".state") == ["failed"]
    (verdict,) = shown.texts(".verdict")
    assert verdict == "1 of 3 hosts failed, 1 was not reached, 3 results changed something on 2 hosts."
    assert "1 host failed" in shown.texts(".legend li")
    assert [title.split("\n")[0].split(" ")[0] for title in shown.texts("section > h2")] == ["What"] * 3 + [
        "Timeline",
        "Hosts",
        "Results",
    ]


def test_failures(shown: Opened) -> None:
    assert shown.texts(".failure h3") == ["Restart", "Restart"]
    assert shown.texts(".failure .place") == ["shell · /p/site.yml:3"] * 2
    assert shown.texts(".failure > pre")[:2] == ["non-zero return code", "it broke"]
    shown.page.locator(".failure summary").click()
    assert "false -x" in shown.texts(".failure details pre")


def test_changes(shown: Opened) -> None:
    assert shown.texts(".change .name") == ["Configure", "Restart"]
    shown.page.locator("#changed summary").click()
    expect(shown.page.locator("#changed .diff")).to_have_count(2)
    assert shown.texts("#changed .line.add") == ["+B\n"] * 2
    assert shown.texts("#changed .line.del") == ["-b\n"] * 2


def test_what_was_slow(shown: Opened) -> None:
    tasks, hosts, results = (shown.texts(f".columns > div:nth-child({place}) li") for place in (1, 2, 3))
    assert tasks[0].split("\n")[:3] == ["Configure", "9.0 s", "waited for web2, usual 1.2 s"]
    assert hosts[0].startswith("web2")
    assert results[0].split("\n") == ["Configure", "9.0 s", "web2"]


def test_results_are_found(shown: Opened) -> None:
    page = shown.page
    found = page.locator(".found")
    expect(found).to_have_text("All 11 results")
    page.get_by_label("Search host, task, module").fill("web2 conf")
    expect(found).to_have_text("1 of 11 results")
    page.get_by_label("Search host, task, module").fill("")
    page.get_by_role("checkbox", name="failed").check()
    page.get_by_role("checkbox", name="unreachable").check()
    expect(found).to_have_text("2 of 11 results")
    assert page.evaluate("location.hash") == "#outcome=failed%2Cunreachable"
    page.get_by_role("button", name="Clear").click()
    page.get_by_role("checkbox", name="slow").check()
    expect(found).to_have_text("2 of 11 results")
    page.get_by_role("checkbox", name="slow").uncheck()
    page.get_by_role("button", name="Took").click()
    page.get_by_role("button", name="Took").click()
    expect(page.locator("#results .rows .row").first).to_contain_text("9.0 s")
    page.get_by_label("Host", exact=True).fill("nobody")
    expect(page.locator("#results .none")).to_have_text("No result is like that.")


def test_the_sections_are_reached_and_filters_stay(shown: Opened) -> None:
    page = shown.page
    page.get_by_label("Host", exact=True).fill("web1")
    for name in ("What failed", "Hosts", "Timeline"):
        page.get_by_role("navigation").get_by_role("link", name=name).click()
        expect(page.get_by_role("heading", name=name, level=2)).to_be_in_viewport()
    expect(page.locator(".found")).to_have_text("5 of 11 results")


def test_a_result_opens_and_its_link_leads_there(shown: Opened, browser: Browser, file: Path) -> None:
    page = shown.page
    page.locator(".failure h3 a").first.click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    expect(dialog.locator("h2")).to_have_text("Restart")
    assert dialog.locator("dd").all_inner_texts()[:3] == ["web2", "shell", "/p/site.yml:3"]
    expect(dialog.locator("pre").first).to_have_text("non-zero return code")
    fragment = page.evaluate("location.hash")
    assert fragment == "#result=7"
    with opened(browser, file, fragment=fragment) as other:
        expect(other.page.get_by_role("dialog").locator("h2")).to_have_text("Restart")
    page.get_by_role("link", name="Previous of this host").click()
    expect(dialog.locator("h2")).to_have_text("Configure")
    expect(dialog.locator(".diff .line.add")).to_have_text("+B")
    page.get_by_role("button", name="Close").click()
    expect(dialog).to_be_hidden()
    expect(page).to_have_url(re.compile(r"\.html#?$"))  # the browser tells the page a little later
    page.go_back()
    expect(dialog.locator("h2")).to_have_text("Restart")


def test_a_result_is_a_tree_that_opens_level_by_level(browser: Browser, file: Path) -> None:
    with opened(browser, file, fragment="#result=0") as found:
        tree = found.page.locator(".body > .tree")
        expect(tree).to_contain_text("ansible_facts 300 values")
        tree.locator("summary").first.click()
        expect(tree.locator("li li")).to_have_count(201)
        tree.get_by_role("button", name="show 100 more").click()
        expect(tree.locator("li li")).to_have_count(300)
        tree.get_by_text("fact_7", exact=True).click()
        expect(tree).to_contain_text("value: 7")


def test_filters_of_the_address(browser: Browser, file: Path) -> None:
    with opened(browser, file, fragment="#host=web1&outcome=changed&sort=-took") as found:
        expect(found.page.locator(".found")).to_have_text("2 of 11 results")
        expect(found.page.get_by_label("Host", exact=True)).to_have_value("web1")
        expect(found.page.locator("#results .rows .row").first).to_contain_text("Configure")


@pytest.mark.parametrize(
    "fragment", ["#result=99999999999", "#result=-1", "#result=x", "#nothing", "#sort=x&mark=y&outcome=z", "#%"]
)
def test_an_address_that_names_nothing(browser: Browser, file: Path, fragment: str) -> None:
    with opened(browser, file, fragment=fragment) as found:
        expect(found.page.get_by_role("dialog")).to_be_hidden()
        expect(found.page.locator("#results .rows .row").first).to_be_visible()
        assert found.complaints == []


def test_a_source_without_times(browser: Browser, tmp_path: Path) -> None:
    file = write_page(tmp_path / "run.html", [START, result("a", res={"msg": "x"})], GOOD)
    with opened(browser, file) as found:
        assert any("no times of tasks" in note for note in found.texts(".note"))
        expect(found.page.locator("#timeline")).to_have_count(0)
        assert found.texts("#failed .none") == ["Nothing failed."]
        assert found.complaints == []


def test_a_run_without_anything(browser: Browser, tmp_path: Path) -> None:
    with opened(browser, write_page(tmp_path / "run.html", [])) as found:
        assert found.texts(".verdict") == ["It ended before a task ran on a host."]
        assert found.complaints == []


def test_a_browser_that_is_too_old_is_told_so(browser: Browser, file: Path) -> None:
    with opened(browser, file, ready=False, before="delete window.DecompressionStream;") as found:
        expect(found.page.get_by_role("status").first).to_contain_text("the browser is too old")


def test_a_part_that_the_browser_cannot_show_leaves_the_others(browser: Browser, file: Path) -> None:
    """The charts ask for the language of the browser, which has another form in some of them when LANG is C."""
    before = "Object.defineProperty(navigator, 'language', {get: () => 'C'});"
    with opened(browser, file, before=before) as found:
        assert found.page.locator("#timeline summary").inner_text() == "The timeline as a table"
        expect(found.page.locator("#hosts")).to_be_visible()
        expect(found.page.locator("#results")).to_be_visible()
        assert found.page.locator(".note.bad").count() == 1
        assert found.texts(".note.bad")[0].startswith("This browser cannot show all of the part above")
        assert found.violations() == []
