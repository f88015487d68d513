"""The plot of idle nodes in docs/performance.md shows the figures beside it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.release.plots import check_kept, load_program, texts

pytestmark = pytest.mark.keeps_descriptors("matplotlib keeps the files of fonts open")


@pytest.fixture(scope="module")
def program() -> dict[str, Any]:
    """The names of the program that draws it."""
    return load_program("generate_mesh_plot.py")


def test_the_plot_shows_the_figures(program: dict[str, Any]) -> None:
    section = check_kept(program)
    assert list(section["figures"])[:4] == ["0", "1", "10", "100"]


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
