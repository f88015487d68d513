"""A worker dies while it stores a tree, and jobs race for one cache. `make faults` has every step, and longer races."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.stages import Stages
from tests.stress.faults.stores import Stored, die_at, make_tree, race, serve

PARTS = 6


@pytest.fixture
def stored(tmp_path: Path) -> Stored:
    return make_tree(tmp_path / "source")


def test_a_worker_that_dies_leaves_an_intact_cache(stored: Stored, tmp_path: Path) -> None:
    """At steps all over its work: the next job is right, and is sent only what was not kept."""
    (tmp_path / "whole" / "tmp").mkdir(parents=True)
    status, kinds, said = serve(Stages(tmp_path / "whole" / "tmp"), tmp_path / "whole" / "cache", stored.stream, 0)
    assert status == 0, said
    assert {"open", "write", "os.rename", "os.mkdir"} <= set(kinds)
    # One of each kind, half way, and some more.
    places = {kind: [place for place, each in enumerate(kinds) if each == kind] for kind in kinds}
    halves = {found[len(found) // 2] for found in places.values()}
    steps = sorted(halves | set(range(0, len(kinds), len(kinds) // PARTS)) | {len(kinds) - 1})
    brought = [_die_near(tmp_path / f"step-{step}", stored, step + 1) for step in steps]
    assert brought[0] == len(stored.contents), "nothing is kept at the first step"
    assert brought[-1] == 0, "everything is kept at the last one"
    assert len(set(brought)) > 3


def _die_near(directory: Path, stored: Stored, step: int) -> int:
    """Let a worker die at a step, or a little before: it takes fewer steps where more of its input comes at once."""
    for number in range(step, max(0, step - PARTS), -1):
        count = die_at(directory / str(number), stored, number)
        if count is not None:
            return count
    raise AssertionError(f"the worker had ended before step {step - PARTS}")


@pytest.mark.parametrize("senders", [["user"] * 3, ["user", "cert-a", "user"]], ids=["one sender", "two senders"])
def test_jobs_race_for_a_cache(senders: list[str], tmp_path: Path) -> None:
    """While it is verified, and pruned of everything that no job uses."""
    assert race(tmp_path, senders, 6) > 0


def test_some_of_the_jobs_that_race_are_killed(tmp_path: Path) -> None:
    moments = iter([3, 60, 300])

    def wait() -> None:
        for _ in range(next(moments)):
            list(os.walk(tmp_path))

    race(tmp_path, ["user"] * 4, 6, wait)
