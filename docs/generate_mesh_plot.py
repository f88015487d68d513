"""Writes docs/mesh.svg, the plot of idle nodes in docs/performance.md, from figures of `make bench-mesh`.

python docs/generate_mesh_plot.py [FILE]: takes the figures in FILE, such as .cache/bench/mesh.json, into docs/mesh.json
and draws them; without FILE, those that are there already.
"""

from __future__ import annotations

import io
import json
import statistics
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

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
_COLOUR, _INK, _GRID = "#1a6fb5", "#24292f", "#e3e6ea"
_SIZE = (8.0, 3.4)
_STYLE = {
    "axes.spines.left": False,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "font.family": "sans-serif",
    "font.size": 10,
    "svg.fonttype": "none",
    "svg.hashsalt": "playstream",
}


def label(value: float) -> str:
    """Return a figure as the plot shows it."""
    return f"{value:.0f}" if value >= 100 else f"{value:.2g}"


def draw(section: Mapping[str, Any]) -> str:
    """Return the plot as SVG: a line for each quantity, with medians and the range of all runs.

    Args:
        section: number of nodes to quantity to the figure of each run, as `figures`, and how long each was taken.
    """
    figures: Mapping[str, Mapping[str, Sequence[float]]] = section["figures"]
    with mpl.rc_context(_STYLE):
        # The background is not transparent, so that it can be read on a dark page too.
        figure = Figure(figsize=_SIZE, facecolor="white", layout="constrained")
        plots = figure.subplots(1, len(PANELS), squeeze=False)[0]
        for plot, (quantity, heading, factor) in zip(plots, PANELS, strict=True):
            points = {
                int(number): [value * factor for value in found[quantity]]
                for number, found in figures.items()
                if int(number) > 0 and min(found[quantity]) > 0  # the axes have no place for 0
            }
            _draw_panel(plot, heading, points)
        figure.suptitle(_title(figures), color=_INK, x=0.01, ha="left")
        figure.supxlabel("idle nodes", color=_INK, fontsize=10)
        svg = io.StringIO()
        figure.savefig(svg, format="svg", metadata={"Date": None})
    return "\n".join(line.rstrip() for line in svg.getvalue().splitlines()) + "\n"


def _title(figures: Mapping[str, Mapping[str, Sequence[float]]]) -> str:
    runs = min(len(values) for found in figures.values() for values in found.values())
    how = "one run of each" if runs == 1 else f"medians of {runs} runs, and the least and the most"
    return f"A server of a mesh whose nodes wait for jobs: {how}"


def _draw_panel(plot: Any, heading: str, points: Mapping[int, Sequence[float]]) -> None:
    numbers = list(points)
    medians = [statistics.median(values) for values in points.values()]
    ranges = [
        [median - min(values) for median, values in zip(medians, points.values(), strict=True)],
        [max(values) - median for median, values in zip(medians, points.values(), strict=True)],
    ]
    plot.plot(numbers, medians, color=_COLOUR, marker="o", zorder=2)
    if any(map(any, ranges)):
        plot.errorbar(numbers, medians, yerr=ranges, fmt="none", ecolor=_INK, elinewidth=0.9, capsize=2, zorder=3)
    for number, median in zip(numbers, medians, strict=True):
        plot.annotate(label(median), (number, median), (0, 6), textcoords="offset points", ha="center", color=_INK)
    plot.set_xscale("log")
    plot.set_yscale("log")
    plot.set_xlim(min(numbers) / 2, max(numbers) * 2)
    plot.set_xticks(numbers, [f"{number:,}" for number in numbers])
    plot.minorticks_off()
    plot.set_ylim(min(map(min, points.values())) / 2, max(map(max, points.values())) * 2.5)
    plot.set_title(heading, loc="left", fontsize=10, color=_INK)
    plot.grid(axis="y", color=_GRID, zorder=0)
    plot.tick_params(length=0, labelcolor=_INK)
    plot.spines["bottom"].set_color(_GRID)


def main() -> None:
    """Take the figures, and draw them."""
    if len(sys.argv) > 1:
        FIGURES.write_text(Path(sys.argv[1]).read_text(encoding="utf-8"), encoding="utf-8")
    sections = json.loads(FIGURES.read_text(encoding="utf-8"))["sections"]
    PLOT.write_text(draw(sections[SECTION]), encoding="utf-8")


if __name__ == "__main__":
    main()
