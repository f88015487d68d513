"""Writes docs/fast.svg, the plot in docs/fast.md, from figures of `make bench-fast`.

python docs/generate_plot.py [FILE]: takes the figures in FILE, such as .cache/bench/fast.json, into docs/fast.json, and
draws them; without FILE those that are there already.
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
FIGURES = ROOT / "docs" / "fast.json"
PLOT = ROOT / "docs" / "fast.svg"
SECTION = "20 tasks"
HIGHLIGHTED = "playstream run --fast"
_COLOUR, _OTHER_COLOUR, _INK, _GRID = "#1a6fb5", "#b3bcc6", "#24292f", "#e3e6ea"
_SIZE = (8.0, 6.2)
_STYLE = {
    "axes.spines.left": False,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "font.family": "sans-serif",
    "font.size": 10,
    "svg.fonttype": "none",
    "svg.hashsalt": "playstream",
}


def label(seconds: float) -> str:
    """Return a number of seconds as the plot shows it."""
    return f"{seconds:.1f} s" if seconds < 100 else f"{seconds:.0f} s"


def draw(section: Mapping[str, Any]) -> str:
    """Return the plot as SVG: a group of bars for each round trip, with medians and the range of all runs.

    Args:
        section: round trip to way to the seconds of each run, as `seconds`, and what was run.
    """
    seconds: Mapping[str, Mapping[str, Sequence[float]]] = section["seconds"]
    longest = max(max(values) for ways in seconds.values() for values in ways.values())
    with mpl.rc_context(_STYLE):
        # The background is not transparent, so that it can be read on a dark page too.
        figure = Figure(figsize=_SIZE, facecolor="white", layout="constrained")
        plots = figure.subplots(len(seconds), 1, sharex=True, squeeze=False)[:, 0]
        for plot, (round_trip, ways) in zip(plots, seconds.items(), strict=True):
            _draw_group(plot, round_trip, ways)
            plot.set_xlim(0, longest * 1.12)
        plots[-1].set_xlabel("seconds, less is better", color=_INK)
        figure.suptitle(_title(section), color=_INK, x=0.01, ha="left")
        svg = io.StringIO()
        figure.savefig(svg, format="svg", metadata={"Date": None})
    return "\n".join(line.rstrip() for line in svg.getvalue().splitlines()) + "\n"


def _title(section: Mapping[str, Any]) -> str:
    runs = {len(values) for ways in section["seconds"].values() for values in ways.values()}
    if runs == {1}:
        how = "one run of each"
    else:
        more = " or more" if len(runs) > 1 else ""
        how = f"medians of {min(runs)} runs{more}, and the shortest and the longest"
    return f"The same {section['tasks']} tasks on {section['hosts']} hosts over ssh: {how}"


def _draw_group(plot: Any, round_trip: str, ways: Mapping[str, Sequence[float]]) -> None:
    medians = [statistics.median(values) for values in ways.values()]
    ranges = [
        [median - min(values) for median, values in zip(medians, ways.values(), strict=True)],
        [max(values) - median for median, values in zip(medians, ways.values(), strict=True)],
    ]
    colours = [_COLOUR if name == HIGHLIGHTED else _OTHER_COLOUR for name in ways]
    plot.barh(list(ways), medians, color=colours, height=0.72, zorder=2)
    if any(map(any, ranges)):
        plot.errorbar(medians, list(ways), xerr=ranges, fmt="none", ecolor=_INK, elinewidth=0.9, capsize=2, zorder=3)
    for name, median, above in zip(ways, medians, ranges[1], strict=True):
        weight = "bold" if name == HIGHLIGHTED else "normal"
        place = (median + above, name)
        plot.annotate(label(median), place, (5, 0), textcoords="offset points", va="center", weight=weight, color=_INK)
    plot.set_title(f"round trip to a host: {round_trip} ms", loc="left", fontsize=10, color=_INK)
    plot.invert_yaxis()
    plot.grid(axis="x", color=_GRID, zorder=0)
    plot.tick_params(length=0, labelcolor=_INK)
    plot.spines["bottom"].set_color(_GRID)
    for text in plot.get_yticklabels():
        text.set_weight("bold" if text.get_text() == HIGHLIGHTED else "normal")


def main() -> None:
    """Take the figures, and draw them."""
    if len(sys.argv) > 1:
        FIGURES.write_text(Path(sys.argv[1]).read_text(encoding="utf-8"), encoding="utf-8")
    sections = json.loads(FIGURES.read_text(encoding="utf-8"))["sections"]
    PLOT.write_text(draw(sections[SECTION]), encoding="utf-8")


if __name__ == "__main__":
    main()
