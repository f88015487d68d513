"""Writes the pictures of a report in docs/, from the page of a real run: python docs/generate_report_pictures.py"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Literal, NamedTuple

from PIL import Image
from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
RUN = ROOT / "docs" / "report-run"
"""The playbook and the hosts of the run."""
CHROMIUM = "/usr/bin/chromium"
_COLOURS = 256


class Picture(NamedTuple):
    """A picture, and what it shows."""

    name: str
    scheme: Literal["light", "dark"]
    width: int
    height: int
    part: str
    """A selector of what is at its top, or a fragment of the address."""


PICTURES = (
    Picture("report-light", "light", 1280, 860, ""),
    Picture("report-timeline", "light", 1280, 700, "#timeline"),
    Picture("report-dark", "dark", 1280, 800, "#result"),
)


def make_page(directory: Path) -> Path:
    """Run the playbook and write its page; return the file."""
    demo = directory / "shop"
    shutil.copytree(RUN, demo)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    env = {"PATH": path, "HOME": str(directory), "LANG": "C.UTF-8", "TMPDIR": str(directory)}
    words = ["playstream", "run", str(demo), "-p", "site.yml", "-i", "nightly", "--quiet", "--cmdline=--diff --forks=6"]
    subprocess.run(words, env=env, check=False)  # some of its hosts fail
    file = directory / "run.html"
    subprocess.run(["playstream", "report", str(demo / "artifacts"), "-o", str(file)], env=env, check=True)
    return file


def take(page: Page, picture: Picture) -> None:
    """Show what a picture shows, and write it."""
    if picture.part == "#result":
        task = page.locator("#changed li").filter(has_text="Raise the number of workers")
        task.locator("summary").click()
        task.locator("h3 a").first.click()
        page.locator("dialog .body > .tree").wait_for()
    elif picture.part:
        page.locator(picture.part).scroll_into_view_if_needed()
        page.evaluate("(part) => document.querySelector(part).scrollIntoView()", picture.part)
    file = DOCS / f"{picture.name}.png"
    page.screenshot(path=file)
    with Image.open(file) as shot:
        small = shot.convert("RGB").quantize(_COLOURS, dither=Image.Dither.NONE)
        small.save(file, optimize=True)


def main() -> None:
    """Write all pictures."""
    with tempfile.TemporaryDirectory() as directory, sync_playwright() as playwright:
        file = make_page(Path(directory))
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        for picture in PICTURES:
            size = {"width": picture.width, "height": picture.height}
            page = browser.new_page(viewport=size, color_scheme=picture.scheme)  # type: ignore[arg-type]  # a dict
            page.goto(f"file://{file}")
            page.wait_for_selector("html[data-ready]", state="attached")
            take(page, picture)
        browser.close()


if __name__ == "__main__":
    main()
