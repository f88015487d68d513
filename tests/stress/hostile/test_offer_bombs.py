"""Offers that stand for much, in a worker of its own: taken or refused in little memory. `make faults` has larger."""

from __future__ import annotations

from pathlib import Path

import pytest

from playstream.pipeline.errors import LimitExceeded, RemoteProtocolError
from tests.stress.faults.entries import measure_idle
from tests.stress.faults.listings import MIB, Case, check, doubling, many, short, vast

CASES = (
    Case("2,000 listings", lambda: many(2_000), None, 64 * MIB),
    Case("listings over the limit", lambda: many(9_000), LimitExceeded, 64 * MIB, ("--max-tree-entries", "1000")),
    Case("listings that double", lambda: doubling(40), LimitExceeded, 64 * MIB, ("--max-tree-entries", "1000")),
    Case("a file of 1 TiB", lambda: vast(1 << 18), LimitExceeded, 96 * MIB),
    Case("a short listing of 100,000 entries", lambda: short(100_000), RemoteProtocolError, 96 * MIB),
)


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_an_offer_that_stands_for_much(case: Case, tmp_path: Path) -> None:
    check(tmp_path, case, measure_idle(tmp_path, "worker"))
