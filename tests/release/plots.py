"""The programs in docs/ that draw plots, and what a picture shows."""

from __future__ import annotations

import json
import re
import runpy
import sys
from html import unescape
from pathlib import Path
from typing import Any
from unittest.mock import patch

DOCS = Path(__file__).resolve().parents[2] / "docs"


def load_program(name: str) -> dict[str, Any]:
    """The names of a program in docs/."""
    with patch.object(sys, "path", [str(DOCS), *sys.path]):
        return runpy.run_path(str(DOCS / name))


def texts(svg: str) -> list[str]:
    """The texts of a picture."""
    return [unescape(text) for text in re.findall(r"<text [^>]*>([^<]*)</text>", svg)]


def check_kept(program: dict[str, Any]) -> dict[str, Any]:
    """Check that the picture in docs/ shows the figures beside it; return them."""
    kept = program["PLOT"].read_text(encoding="utf-8")
    assert len(kept) < 60_000
    assert 'href="http' not in kept
    sections: dict[str, dict[str, Any]] = json.loads(program["FIGURES"].read_text(encoding="utf-8"))["sections"]
    section = sections[program["SECTION"]]
    assert texts(program["draw"](section)) == texts(kept)
    return section
