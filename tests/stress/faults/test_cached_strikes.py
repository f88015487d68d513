"""A signal to a sender or a worker while the worker stores a tree. `make faults` has more moments and all signals."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.processes import wait_until
from tests.stages import LIMIT_SECONDS
from tests.stress.faults.cached_strikes import ONE_WAY, TWO_WAY, LinkJobs, strike_one_way
from tests.stress.faults.stores import names_in

NUMBERS = [signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP]
FILES = 700
STORED = 40
"""So many objects are in the cache at the moment of the signal."""


def wait_for_objects(cache: Path) -> None:
    wait_until(lambda: len(names_in(cache)) >= STORED, LIMIT_SECONDS)


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("target", TWO_WAY)
def test_over_a_link(target: str, number: signal.Signals, tmp_path: Path) -> None:
    jobs = LinkJobs(tmp_path, FILES)
    assert jobs.strike(target, number, lambda: wait_for_objects(jobs.cache)) is not None
    brought = jobs.check_next()
    assert brought > 0 or target == "run", "the worker had everything by then"


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("target", ONE_WAY)
def test_in_pipes(target: str, number: signal.Signals, tmp_path: Path) -> None:
    assert strike_one_way(tmp_path, target, number, wait_for_objects, FILES) is not None
