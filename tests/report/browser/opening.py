"""Opens pages in Chromium, which has no network, and notes what goes wrong there."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from playwright.sync_api import Browser, Page, sync_playwright

from playstream.report.collecting import RunEnd
from playstream.report.page.collecting import PageReport
from tests.report.events import BAD, render_pieces

CHROMIUM = "/usr/bin/chromium"
LIMIT_MILLISECONDS = 60_000
_NOTE_VIOLATIONS = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) => {
  violations.push(event.violatedDirective);
  document.documentElement.dataset.refused = "yes";
});
"""


@contextmanager
def started_browser() -> Iterator[Browser]:
    """Start Chromium. As root it has no sandbox, as in every container."""
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Opened:
    """A page, and what it has loaded or complained about."""

    page: Page
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def texts(self, selector: str) -> list[str]:
        """The texts of the elements that a selector finds."""
        return self.page.locator(selector).all_inner_texts()

    def nodes(self) -> int:
        """The number of nodes in the page: elements, texts and comments."""
        count = self.page.evaluate(
            "() => { const all = document.createTreeWalker(document); let n = 1; while (all.nextNode()) n++; return n }"
        )
        return int(count)

    def violations(self) -> list[str]:
        """What the policy of the page has refused."""
        found: list[str] = self.page.evaluate("violations")
        return found


Write = Callable[..., Path]
"""Writes the page of some events, and returns its file."""


def write_page(
    path: Path, events: Iterable[Mapping[str, Any]], end: RunEnd = BAD, report: PageReport | None = None
) -> Path:
    """Write the page of a run to a file."""
    with path.open("w", encoding="utf-8") as file:
        file.writelines(render_pieces(report or PageReport(), events, end))
    return path


@contextmanager
def opened(
    browser: Browser,
    file: Path,
    *,
    fragment: str = "",
    width: int = 1280,
    scheme: Literal["light", "dark"] = "light",
    ready: bool = True,
    before: str = "",
) -> Iterator[Opened]:
    """Open a page from its file, offline, and wait until it shows the run.

    Args:
        browser: the browser.
        file: the file.
        fragment: what follows its name in the address, such as `#result=1`.
        width: of the window, in pixels.
        scheme: whether the user prefers light or dark.
        ready: whether the run is expected to be shown.
        before: a script that runs before those of the page.
    """
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    context.set_default_timeout(LIMIT_MILLISECONDS)
    context.set_offline(True)
    try:
        page = context.new_page()
        found = Opened(page)
        page.on("requestfinished", lambda request: found.requests.append(request.url))
        page.on("console", lambda message: found.complaints.append(message.text))
        page.on("pageerror", lambda error: found.complaints.append(str(error)))
        page.add_init_script(_NOTE_VIOLATIONS + before)
        page.goto(f"file://{file}{fragment}")
        if ready:
            page.wait_for_selector("html[data-ready]", state="attached")
        yield found
    finally:
        context.close()
