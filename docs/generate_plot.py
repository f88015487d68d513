"""Writes docs/fast.svg, the plot in docs/fast.md, from figures of `make bench-fast`.

python docs/generate_plot.py [FILE]: takes the figures in FILE, such as .cache/bench/fast.json, into docs/fast.json, and
draws them; without FILE those that are there already.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from plots import COLOUR, INK, drawing, finish_axes, medians_of, to_svg, update

ROOT = Path(__file__).resolve().parent.parent
FIGURES = ROOT / "docs" / "fast.json"
PLOT = ROOT / "docs" / "fast.svg"
SECTION = "20 tasks"
HIGHLIGHTED = "playstream run --fast"
_OTHER_BARS = "#b3bcc6"
_SIZE = (8.0, 6.2)


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
    with drawing(_SIZE) as figure:
        plots = figure.subplots(len(seconds), 1, sharex=True, squeeze=False)[:, 0]
        for plot, (round_trip, ways) in zip(plots, seconds.items(), strict=True):
            _draw_group(plot, round_trip, ways)
            plot.set_xlim(0, longest * 1.12)
        plots[-1].set_xlabel("seconds, less is better", color=INK)
        figure.suptitle(_title(section), color=INK, x=0.01, ha="left")
        return to_svg(figure)


def _title(section: Mapping[str, Any]) -> str:
    runs = {len(values) for ways in section["seconds"].values() for values in ways.values()}
    if runs == {1}:
        how = "one run of each"
    else:
        more = " or more" if len(runs) > 1 else ""
        how = f"medians of {min(runs)} runs{more}, and the shortest and the longest"
    return f"The same {section['tasks']} tasks on {section['hosts']} hosts over ssh: {how}"


def _draw_group(plot: Any, round_trip: str, ways: Mapping[str, Sequence[float]]) -> None:
    medians, ranges = medians_of(ways.values())
    colours = [COLOUR if name == HIGHLIGHTED else _OTHER_BARS for name in ways]
    plot.barh(list(ways), medians, color=colours, height=0.72, zorder=2)
    if any(map(any, ranges)):
        plot.errorbar(medians, list(ways), xerr=ranges, fmt="none", ecolor=INK, elinewidth=0.9, capsize=2, zorder=3)
    for name, median, above in zip(ways, medians, ranges[1], strict=True):
        weight = "bold" if name == HIGHLIGHTED else "normal"
        place = (median + above, name)
        plot.annotate(label(median), place, (5, 0), textcoords="offset points", va="center", weight=weight, color=INK)
    plot.invert_yaxis()
    finish_axes(plot, f"round trip to a host: {round_trip} ms", "x")
    for text in plot.get_yticklabels():
        text.set_weight("bold" if text.get_text() == HIGHLIGHTED else "normal")


if __name__ == "__main__":
    update(FIGURES, PLOT, SECTION, draw)
