"""The plot in docs/fast.md shows the figures beside it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.release.plots import check_kept, load_program, texts

pytestmark = pytest.mark.keeps_descriptors("matplotlib keeps the files of fonts open")


@pytest.fixture(scope="module")
def program() -> dict[str, Any]:
    """The names of the program that draws it."""
    return load_program("generate_plot.py")


def test_the_plot_shows_the_figures(program: dict[str, Any]) -> None:
    section = check_kept(program)
    assert (section["tasks"], section["hosts"]) == (20, 5)
    assert list(section["seconds"]) == ["0", "20", "80"]


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
