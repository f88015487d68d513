"""A small session with every fault at a fifth of its bytes: the right end, the cause named, all kept, nothing hangs.

An encrypted one, which is longer, has them at fewer. `make faults` has every byte of both.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from playstream.pipeline.dialect import Dialect
from tests.stress.faults.encrypted import encrypted_job, encrypted_results
from tests.stress.faults.link import Fault, Kind
from tests.stress.faults.offered import OFFERS, OfferSession
from tests.stress.faults.receiving import check_job, check_results, stalls_unnoticed
from tests.stress.faults.sessions import Session, job, results

STEP = 5
ENCRYPTED_STEP = 31
OFFER_STEP = 11
CASES = [
    (results, check_results, STEP),
    (job, check_job, STEP),
    (encrypted_results, check_results, ENCRYPTED_STEP),
    (encrypted_job, check_job, ENCRYPTED_STEP),
]


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("dialect", list(Dialect))
@pytest.mark.parametrize(("make", "check", "step"), CASES, ids=["results", "job", "encrypted-results", "encrypted-job"])
def test_a_fault_at_many_bytes(
    make: Callable[[Dialect], Session],
    check: Callable[[Session, Fault, Path], None],
    step: int,
    dialect: Dialect,
    kind: Kind,
    tmp_path: Path,
) -> None:
    session = make(dialect)
    # Each kind begins at another byte, so that together they meet all of them; the end is met by each.
    first = list(Kind).index(kind) % step
    for offset in (*range(first, len(session.data), step), len(session.data)):
        fault = Fault(kind, offset)
        if stalls_unnoticed(session, fault):
            continue  # docs/runner-dialect.md: where no keepalive has come, silence means nothing
        try:
            check(session, fault, tmp_path)
        except Exception as error:
            raise AssertionError(f"{session}: {fault}") from error


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("make", OFFERS, ids=[each.__name__ for each in OFFERS])
def test_a_fault_at_many_bytes_of_an_offer(make: Callable[[], OfferSession], kind: Kind, tmp_path: Path) -> None:
    """Nothing wrong comes into the cache either."""
    session = make()
    first = list(Kind).index(kind) % OFFER_STEP
    for offset in (*range(first, len(session.data), OFFER_STEP), len(session.data)):
        fault = Fault(kind, offset)
        try:
            check_job(session, fault, tmp_path)
        except Exception as error:
            raise AssertionError(f"{session}: {fault}") from error


def test_a_stall_late_in_a_large_session(tmp_path: Path) -> None:
    """More comes before it than a socket holds."""
    session = results(Dialect.RUNNER, 400, 400, 100_000)
    check_results(session, Fault(Kind.STALL, len(session.data) - 10), tmp_path)
