"""What the soak takes for growth: a leak is, and how a stage starts up is not."""

from __future__ import annotations

import os

import pytest

from tests.processes import wait_until
from tests.stress.load.events import check_flat
from tests.stress.load.measure import MIB, Figures, Sampling, SoakError, figures_of


def flat(count: int) -> list[Figures]:
    return [Figures(1, 10 + number % 2, 2, 20 * MIB) for number in range(count)]


def test_what_does_not_grow() -> None:
    rare = [Figures(2, 14, 3, 21 * MIB)]
    assert check_flat([*flat(30), *rare, *flat(30), *rare]).descriptors == 10


@pytest.mark.parametrize(
    ("leak", "said"),
    [
        (Figures(1, 1, 0, 0), "descriptors"),
        (Figures(0, 0, 1, 0), "threads"),
        (Figures(0, 0, 0, MIB), "memory"),
    ],
)
def test_what_grows(leak: Figures, said: str) -> None:
    samples = [
        Figures(1, 10 + number * leak.descriptors, 2 + number * leak.threads, (20 + number) * leak.memory)
        for number in range(40)
    ]
    with pytest.raises(SoakError, match=f"{said} grew"):
        check_flat(samples)


def test_samples_begin_when_a_stage_has_begun() -> None:
    begun: list[bool] = []
    looks: list[None] = []

    def has_begun() -> bool:
        looks.append(None)
        return bool(begun)

    with Sampling(lambda: figures_of(os.getpid()), 0.001, has_begun) as sampling:
        wait_until(lambda: len(looks) > 3)
        assert sampling.samples == []
        begun.append(True)
        wait_until(lambda: sampling.samples)
