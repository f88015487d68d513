"""Writes docs/mesh.svg, the plot of idle nodes in docs/performance.md, from figures of `make bench-mesh`.

python docs/generate_mesh_plot.py [FILE]: takes the figures in FILE, such as .cache/bench/mesh.json, into docs/mesh.json
and draws them; without FILE, those that are there already.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from plots import COLOUR, INK, drawing, finish_axes, medians_of, to_svg, update

ROOT = Path(__file__).resolve().parent.parent
FIGURES = ROOT / "docs" / "mesh.json"
PLOT = ROOT / "docs" / "mesh.svg"
SECTION = "idle nodes"
PANELS = (
    ("memory", "memory of the server, MiB", 1.0),
    ("processor", "its processor time, percent of one", 1.0),
    ("bytes", "traffic with all nodes, kB/s", 1e-3),
)
"""Quantity, heading, and the factor to the unit of the heading."""
_SIZE = (8.0, 3.4)


def label(value: float) -> str:
    """Return a figure as the plot shows it."""
    return f"{value:.0f}" if value >= 100 else f"{value:.2g}"


def draw(section: Mapping[str, Any]) -> str:
    """Return the plot as SVG: a line for each quantity, with medians and the range of all runs.

    Args:
        section: number of nodes to quantity to the figure of each run, as `figures`, and how long each was taken.
    """
    figures: Mapping[str, Mapping[str, Sequence[float]]] = section["figures"]
    with drawing(_SIZE) as figure:
        plots = figure.subplots(1, len(PANELS), squeeze=False)[0]
        for plot, (quantity, heading, factor) in zip(plots, PANELS, strict=True):
            points = {
                int(number): [value * factor for value in found[quantity]]
                for number, found in figures.items()
                if int(number) > 0 and min(found[quantity]) > 0  # the axes have no place for 0
            }
            _draw_panel(plot, heading, points)
        figure.suptitle(_title(figures), color=INK, x=0.01, ha="left")
        figure.supxlabel("idle nodes", color=INK, fontsize=10)
        return to_svg(figure)


def _title(figures: Mapping[str, Mapping[str, Sequence[float]]]) -> str:
    runs = min(len(values) for found in figures.values() for values in found.values())
    how = "one run of each" if runs == 1 else f"medians of {runs} runs, and the least and the most"
    return f"A server of a mesh whose nodes wait for jobs: {how}"


def _draw_panel(plot: Any, heading: str, points: Mapping[int, Sequence[float]]) -> None:
    numbers = list(points)
    medians, ranges = medians_of(points.values())
    plot.plot(numbers, medians, color=COLOUR, marker="o", zorder=2)
    if any(map(any, ranges)):
        plot.errorbar(numbers, medians, yerr=ranges, fmt="none", ecolor=INK, elinewidth=0.9, capsize=2, zorder=3)
    for number, median in zip(numbers, medians, strict=True):
        plot.annotate(label(median), (number, median), (0, 6), textcoords="offset points", ha="center", color=INK)
    plot.set_xscale("log")
    plot.set_yscale("log")
    plot.set_xlim(min(numbers) / 2, max(numbers) * 2)
    plot.set_xticks(numbers, [f"{number:,}" for number in numbers])
    plot.minorticks_off()
    plot.set_ylim(min(map(min, points.values())) / 2, max(map(max, points.values())) * 2.5)
    finish_axes(plot, heading, "y")


if __name__ == "__main__":
    update(FIGURES, PLOT, SECTION, draw)
