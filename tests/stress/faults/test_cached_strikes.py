"""A signal to a sender or a worker while the worker stores a tree. `make faults` has more moments and all signals."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.processes import wait_until
from tests.stages import LIMIT_SECONDS
from tests.stress.faults.cached_strikes import HALF, ONE_WAY, TWO_WAY, LinkJobs, strike_one_way
from tests.stress.faults.stores import names_in

NUMBERS = [signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP]
FILES = 700
STORED = 40
"""So many objects are in the cache at the moment of the signal."""
ATTEMPTS = 5
"""How often a stage may end before it gets its signal, because the test was not scheduled."""


def wait_for_objects(cache: Path) -> None:
    wait_until(lambda: len(names_in(cache)) >= STORED, LIMIT_SECONDS)


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("target", TWO_WAY)
def test_over_a_link(target: str, number: signal.Signals, tmp_path: Path) -> None:
    jobs = LinkJobs(tmp_path, FILES, HALF)
    assert jobs.strike(target, number, lambda: wait_for_objects(jobs.cache)) is not None
    assert jobs.check_next() > 0


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("target", ONE_WAY)
def test_in_pipes(target: str, number: signal.Signals, tmp_path: Path) -> None:
    for attempt in range(ATTEMPTS):
        directory = tmp_path / str(attempt)
        directory.mkdir()
        if strike_one_way(directory, target, number, wait_for_objects, FILES) is not None:
            return
    pytest.fail(f"{target} had ended each time before it got its signal")
