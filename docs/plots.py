"""What the plots in docs/ have in common: their style, their figures, and how they are written."""

from __future__ import annotations

import io
import json
import statistics
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

COLOUR, INK, GRID = "#1a6fb5", "#24292f", "#e3e6ea"
_STYLE = {
    "axes.spines.left": False,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "font.family": "sans-serif",
    "font.size": 10,
    "svg.fonttype": "none",
    "svg.hashsalt": "playstream",
}


@contextmanager
def drawing(size: tuple[float, float]) -> Iterator[Figure]:
    """Yield an empty figure, in whose with statement everything has the style of the plots.

    Args:
        size: width and height in inches.
    """
    with mpl.rc_context(_STYLE):
        # The background is not transparent, so that it can be read on a dark page too.
        yield Figure(figsize=size, facecolor="white", layout="constrained")


def to_svg(figure: Figure) -> str:
    """Return a figure as SVG, the same each time. Call it inside of `drawing`."""
    svg = io.StringIO()
    figure.savefig(svg, format="svg", metadata={"Date": None})
    return "\n".join(line.rstrip() for line in svg.getvalue().splitlines()) + "\n"


def medians_of(runs: Collection[Sequence[float]]) -> tuple[list[float], list[list[float]]]:
    """Return the median of the runs of each thing, and how far the lowest and the highest are from it."""
    medians = [statistics.median(values) for values in runs]
    below = [median - min(values) for median, values in zip(medians, runs, strict=True)]
    above = [max(values) - median for median, values in zip(medians, runs, strict=True)]
    return medians, [below, above]


def finish_axes(plot: Any, heading: str, axis: str) -> None:
    """Give a plot its heading and the grid of one axis."""
    plot.set_title(heading, loc="left", fontsize=10, color=INK)
    plot.grid(axis=axis, color=GRID, zorder=0)
    plot.tick_params(length=0, labelcolor=INK)
    plot.spines["bottom"].set_color(GRID)


def update(figures: Path, plot: Path, section: str, draw: Callable[[Mapping[str, Any]], str]) -> None:
    """Take the figures in the file that is the first argument, if there is one, and draw them.

    Args:
        figures: where they are kept in docs/.
        plot: the picture.
        section: which of them are drawn.
        draw: returns the picture as SVG.
    """
    if len(sys.argv) > 1:
        figures.write_text(Path(sys.argv[1]).read_text(encoding="utf-8"), encoding="utf-8")
    sections = json.loads(figures.read_text(encoding="utf-8"))["sections"]
    plot.write_text(draw(sections[section]), encoding="utf-8")
