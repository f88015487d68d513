"""The pictures of a report in the documents are there, and no larger than needed."""

from __future__ import annotations

import re

from tests.matrix.debian import ROOT

MOST_BYTES = 200_000


def test_the_pictures_of_the_page() -> None:
    docs = ROOT / "docs"
    shown = set(re.findall(r"\]\((report-[a-z]+\.png)\)", (docs / "captures.md").read_text(encoding="utf-8")))
    assert shown == {path.name for path in docs.glob("report-*.png")}
    for name in shown:
        assert (docs / name).stat().st_size < MOST_BYTES
