"""The plot of idle nodes in docs/performance.md shows the figures beside it."""

from __future__ import annotations

import json
import re
import runpy
from html import unescape
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.keeps_descriptors("matplotlib keeps the files of fonts open")
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def program() -> dict[str, Any]:
    """The names of the program that draws it."""
    return runpy.run_path(str(ROOT / "docs" / "generate_mesh_plot.py"))


def texts(svg: str) -> list[str]:
    """The texts of a picture."""
    return [unescape(text) for text in re.findall(r"<text [^>]*>([^<]*)</text>", svg)]


def test_the_plot_shows_the_figures(program: dict[str, Any]) -> None:
    kept = program["PLOT"].read_text(encoding="utf-8")
    assert len(kept) < 60_000
    assert 'href="http' not in kept
    section = json.loads(program["FIGURES"].read_text(encoding="utf-8"))["sections"][program["SECTION"]]
    assert list(section["figures"])[:4] == ["0", "1", "10", "100"]
    assert texts(program["draw"](section)) == texts(kept)


def test_several_runs_are_a_median_and_a_range(program: dict[str, Any]) -> None:
    figures = {
        number: {
            "memory": [low, low * 3, low * 2],
            "processor": [low / 100, 0.0 if low < 300 else 4.0, 5.0],
            "bytes": [1000.0] * 3,
        }
        for number, low in (("0", 8.0), ("1", 10.0), ("1000", 321.0))
    }
    shown = texts(program["draw"]({"seconds": 60, "figures": figures}))
    assert "A server of a mesh whose nodes wait for jobs: medians of 3 runs, and the least and the most" in shown
    assert {"20", "642", "1", "1,000", "traffic with all nodes, kB/s"} <= set(shown)
    assert "16" not in shown
