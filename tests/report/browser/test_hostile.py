"""Values of a run that look like markup, script or an address: they are text, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Error, expect

from playstream.report.collecting import RunEnd
from tests.report.browser.opening import Opened, opened, write_page
from tests.report.browser.runs import timed
from tests.report.events import stats

pytestmark = pytest.mark.keeps_descriptors("the browser serves all tests of the module")

HOSTILE = (
    "<img src=x onerror='window.hacked=1'>",
    "</script><script>window.hacked=1</script>",
    "<!--<script>",
    "]]><svg onload=window.hacked=1>",
    "javascript:window.hacked=1",
    "{{ 7*7 }}${7*7}",
    "#result=0&host=x",
    "__proto__",
    '" onmouseover="window.hacked=1',
    "a\u202eb\x1b[31m\x00",
    "a\n\nb",
)


def hostile_run() -> list[dict[str, Any]]:
    """Each text as a host, a task, a module, a place, a play, a role, and wherever a result may have it."""
    events: list[dict[str, Any]] = []
    for number, text in enumerate(HOSTILE):
        res = {
            "changed": True,
            "msg": text,
            "stderr": text,
            text: {text: [text, {text: text}]},
            "diff": {"before": "", "after": f"{text}\n", "after_header": text},
            "cmd": [text],
        }
        more = {"task_action": text, "task_path": text, "play": text, "role": text, "res": res}
        for step, status in enumerate(("ok", "failed", "unreachable")):
            events.append(timed(text, f"{text} {step}", number * 3 + step, 1, status, **more))
    start = {"event": "playbook_on_start", "runner_ident": HOSTILE[1], "event_data": {"playbook": HOSTILE[1]}}
    counts = dict.fromkeys(HOSTILE, 1)
    return [start, *events, stats(ok=counts, failures=counts, dark=counts)]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    end = RunEnd(HOSTILE[0], "failed", 2, HOSTILE[1])
    return write_page(tmp_path_factory.mktemp("page") / "run.html", hostile_run(), end)


@pytest.fixture
def shown(browser: Browser, file: Path) -> Iterator[Opened]:
    with opened(browser, file) as found:
        yield found


def assert_harmless(shown: Opened) -> None:
    """Nothing has run, nothing was asked for, and no element came from a text."""
    page = shown.page
    assert page.evaluate("window.hacked") is None
    assert (
        page.evaluate("document.querySelectorAll('img, svg, iframe, object, embed, base, [onerror], [onload]').length")
        == 0
    )
    links = page.evaluate("Array.from(document.querySelectorAll('[href]'), (link) => link.getAttribute('href'))")
    assert all(link.startswith("#") for link in links)
    assert shown.complaints == []
    assert shown.violations() == []
    assert len(shown.requests) == 1
    assert page.evaluate("({}).x") is None


def test_hostile_values_are_shown_as_they_are(shown: Opened) -> None:
    page = shown.page
    assert shown.texts("h1") == [HOSTILE[1]]
    more = page.locator(".failures > .more")
    while more.count():
        more.click()
    told = "\n".join(shown.texts(".failure"))
    for text in HOSTILE[:-2]:
        assert text in told
    assert r"a\u202eb\x00" in told
    for summary in page.locator("summary").all():
        summary.click()
    expect(page.locator("#changed .diff").first).to_be_visible()
    page.locator(".plot").first.hover(position={"x": 400, "y": 60})
    assert_harmless(shown)


@pytest.mark.parametrize("number", range(0, 3 * len(HOSTILE), 4))
def test_hostile_results(shown: Opened, number: int) -> None:
    page = shown.page
    page.evaluate(f"location.hash = '#result={number}'")
    page.locator("dialog .tree").first.wait_for()
    for _ in range(3):
        for summary in page.locator("dialog details:not([open]) > summary").all():
            summary.click()
    assert_harmless(shown)


def test_hostile_filters(browser: Browser, file: Path) -> None:
    for text in ("%3Cimg%20src%3Dx%20onerror%3Dwindow.hacked%3D1%3E", "javascript%3Awindow.hacked%3D1"):
        with opened(
            browser, file, fragment=f"#text={text}&host={text}&task={text}&outcome={text}&sort={text}"
        ) as found:
            assert_harmless(found)


@pytest.mark.parametrize(
    "attempt",
    [
        "document.body.append(Object.assign(document.createElement('script'), {text: 'window.hacked=1'}))",
        "document.body.innerHTML = '<b>x</b>'",
        "document.body.insertAdjacentHTML('beforeend', '<img src=x>')",
        "document.body.setAttribute('onclick', 'window.hacked=1'); document.body.click()",
        "document.body.append(Object.assign(document.createElement('img'), {src: 'https://example.com/x.png'}))",
        "document.body.append(Object.assign(document.createElement('iframe'), {src: 'https://example.com/'}))",
        "fetch('https://example.com/').catch(() => null)",
        "document.head.append(Object.assign(document.createElement('style'), {textContent: 'body { display: none }'}))",
        "setTimeout('window.hacked=1')",
    ],
)
def test_the_policy_refuses_what_a_fault_of_the_page_could_let_in(shown: Opened, attempt: str) -> None:
    try:
        shown.page.evaluate(f"() => {{ {attempt} }}")
    except Error as error:
        assert "Trusted" in str(error) or "Content Security Policy" in str(error)
    shown.page.wait_for_selector("html[data-refused]", state="attached")
    assert shown.page.evaluate("window.hacked") is None
    assert [url.partition(":")[0] for url in shown.requests] == ["file"]
