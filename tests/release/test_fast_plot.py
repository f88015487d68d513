"""The plot in docs/fast.md shows the figures beside it."""

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
    return runpy.run_path(str(ROOT / "docs" / "generate_plot.py"))


def texts(svg: str) -> list[str]:
    """The texts of a picture."""
    return [unescape(text) for text in re.findall(r"<text [^>]*>([^<]*)</text>", svg)]


def test_the_plot_shows_the_figures(program: dict[str, Any]) -> None:
    kept = program["PLOT"].read_text(encoding="utf-8")
    assert len(kept) < 60_000
    assert 'href="http' not in kept
    section = json.loads(program["FIGURES"].read_text(encoding="utf-8"))["sections"][program["SECTION"]]
    assert (section["tasks"], section["hosts"]) == (20, 5)
    assert list(section["seconds"]) == ["0", "20", "80"]
    assert texts(program["draw"](section)) == texts(kept)


def test_several_runs_are_a_median_and_a_range(program: dict[str, Any]) -> None:
    shown = texts(
        program["draw"]({"tasks": 4, "hosts": 2, "seconds": {"7": {"a": [3.0, 1.0, 200.04], "b": [150.0] * 3}}})
    )
    assert "The same 4 tasks on 2 hosts over ssh: medians of 3 runs, and the shortest and the longest" in shown
    assert {"round trip to a host: 7 ms", "a", "3.0 s", "b", "150 s"} <= set(shown)


def test_figures_of_an_interrupted_measurement(program: dict[str, Any]) -> None:
    """Some have been measured once more than others, and a distance not in all ways."""
    seconds = {"0": {"a": [1.0, 2.0, 3.0], "b": [4.0, 5.0]}, "80": {"a": [6.0, 7.0]}}
    shown = texts(program["draw"]({"tasks": 4, "hosts": 2, "seconds": seconds}))
    assert "The same 4 tasks on 2 hosts over ssh: medians of 2 runs or more, and the shortest and the longest" in shown
    assert {"2.0 s", "4.5 s", "6.5 s"} <= set(shown)
