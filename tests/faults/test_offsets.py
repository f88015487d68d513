"""A small session with every fault at every byte: the right end, the cause named, nothing lost, nothing hangs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from playstream.pipeline.dialect import Dialect
from tests.faults.link import Fault, Kind
from tests.faults.receiving import check_job, check_results, stalls_unnoticed
from tests.faults.sessions import Session, job, results

CASES = [(results, check_results), (job, check_job)]


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("dialect", list(Dialect))
@pytest.mark.parametrize(("make", "check"), CASES, ids=["results", "job"])
def test_a_fault_at_every_byte(
    make: Callable[[Dialect], Session], check: Callable[[Session, Fault, Path], None], dialect: Dialect, kind: Kind,
    tmp_path: Path,
) -> None:
    session = make(dialect)
    for offset in range(len(session.data) + 1):
        fault = Fault(kind, offset)
        if stalls_unnoticed(session, fault):
            continue  # docs/runner-dialect.md: where no keepalive has come, silence means nothing
        try:
            check(session, fault, tmp_path)
        except Exception as error:
            raise AssertionError(f"{session}: {fault}") from error
