"""Figures of one row: samples of both sides, their ratio, and the target it is held against."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

MEMORY_LIMIT = 64.0


@dataclass(frozen=True, slots=True)
class Samples:
    """What one side gave, a figure for each run."""

    name: str
    unit: str
    values: Sequence[float]

    @property
    def median(self) -> float:
        """The middle one."""
        return statistics.median(self.values)

    def __str__(self) -> str:
        return f"{self.median:.3g} {self.unit} ({min(self.values):.3g} to {max(self.values):.3g})"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    stage: str
    own: Samples
    peer: Samples | None
    ratio: float | None
    """The median of the ratios of each pair of runs."""
    ratio_text: str
    target: str = ""
    met: bool | None = None
    """None when there is no target."""


Contenders = Mapping[str, Callable[[], float]]
"""Name to what measures it once."""


def interleave(contenders: Contenders, runs: int, unit: str, *, warm_up: bool = True) -> dict[str, Samples]:
    """Measure A B A B …, so that each pair has met the same weather; the first round, the warm-up, is dropped."""
    values: dict[str, list[float]] = {name: [] for name in contenders}
    for index in range(-int(warm_up), runs):
        for name, measure in contenders.items():
            value = measure()
            if index >= 0:
                values[name].append(value)
    return {name: Samples(name, unit, found) for name, found in values.items()}


def median_ratio(above: Sequence[float], beside: Sequence[float]) -> float:
    """The median of the ratios of each pair; figures without another one are left out."""
    return statistics.median(a / b for a, b in zip(above, beside, strict=False))


def _ratio(above: Samples, beside: Samples) -> float:
    return median_ratio(above.values, beside.values)


def _ratios(above: Samples, beside: Samples) -> list[float]:
    return [a / b for a, b in zip(above.values, beside.values, strict=True)]


def faster(stage: str, own: Samples, peer: Samples, at_least: float | None = None) -> Row:
    """How many times as fast as the peer."""
    ratio = _ratio(peer, own)
    text = f"{ratio:.2f} times as fast"
    if at_least is None:
        return Row(stage, own, peer, ratio, text)
    return Row(stage, own, peer, ratio, text, f"at least {at_least:g} times as fast", ratio >= at_least)


def within(stage: str, own: Samples, peer: Samples, at_most: float | None, what: str = "time") -> Row:
    """How many times the peer's time, or what else is measured."""
    ratio = _ratio(own, peer)
    text = f"{ratio:.2f} times its {what}"
    if at_most is None:
        return Row(stage, own, peer, ratio, text)
    return Row(stage, own, peer, ratio, text, f"within {at_most:g} times", ratio <= at_most)


def below(stage: str, own: Samples, limit: float) -> Row:
    """A figure without a peer; every run has to be under the limit."""
    return Row(stage, own, None, None, "", f"under {limit:g} {own.unit}", max(own.values) < limit)


def added(stage: str, own: Samples, peer: Samples, less_than: float) -> Row:
    """How much time comes on top of the peer's, in percent: the median of all pairs, the least and the most."""
    ratio, ratios = _ratio(own, peer), _ratios(own, peer)
    percent, least, most = ((value - 1) * 100 for value in (ratio, min(ratios), max(ratios)))
    text = f"{percent:+.1f} % time ({least:+.1f} to {most:+.1f})"
    return Row(stage, own, peer, ratio, text, f"under +{less_than:g} %", percent < less_than)


def memory(stage: str, own: Samples, peer: Samples | None) -> Row:
    """Peak memory; every run has to be under the limit."""
    ratio = None if peer is None else _ratio(own, peer)
    text = "" if ratio is None else f"{ratio:.2f} times its memory"
    return Row(stage, own, peer, ratio, text, f"under {MEMORY_LIMIT:g} MiB", max(own.values) < MEMORY_LIMIT)
