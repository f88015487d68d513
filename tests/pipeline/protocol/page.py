"""docs/protocol.md, taken apart for the tests that compare it with the code."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs" / "protocol.md").read_text(encoding="utf-8")

Row = list[str]


def section(heading: str) -> str:
    """What stands below a heading, up to the next heading of any level."""
    found = re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#+ |\Z)", TEXT, re.MULTILINE | re.DOTALL)
    assert found is not None, f"docs/protocol.md has no section {heading!r}"
    return found[1]


def table(heading: str, number: int = 0) -> list[Row]:
    """The cells of a table below a heading, without its head and without backticks; none if there is no table."""
    tables = re.findall(r"(?:^\|.*\n)+", section(heading), re.MULTILINE)
    return [
        [cell.strip().replace("`", "") for cell in line.strip("|").split(" | ")]
        for line in "".join(tables[number : number + 1]).splitlines()[2:]
    ]


def block(language: str) -> str:
    """The one code block of a language."""
    found = re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    assert len(found) == 1, f"expected one block of {language}, found {len(found)}"
    return str(found[0])


def anchors(text: str) -> set[str]:
    """The anchors that GitHub gives the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
