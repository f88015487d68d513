"""Faults at every byte of small sessions and at random ones of large ones; a reader that goes away after each byte."""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from playstream.pipeline.dialect import Dialect
from playstream.worker import WorkResult
from tests.stress.faults import departures
from tests.stress.faults.encrypted import encrypted_job, encrypted_results
from tests.stress.faults.link import Fault, Kind
from tests.stress.faults.offered import OFFERS
from tests.stress.faults.receiving import check_job, check_results, stalls_unnoticed
from tests.stress.faults.report import Report
from tests.stress.faults.sessions import Session, job, results


def measure(flags: argparse.Namespace, report: Report) -> None:
    """Put every fault everywhere, and `--offsets` into each of eight large sessions; let a reader go at as many."""
    _let_readers_depart(flags.offsets, report)
    _put_everywhere(report)
    sessions = [
        *((results(dialect, 400, 400, 100_000), check_results) for dialect in Dialect),
        *((job(dialect, 300_000), check_job) for dialect in Dialect),
        *((encrypted_results(dialect, 400, 400, 100_000), check_results) for dialect in Dialect),
        *((encrypted_job(dialect, 300_000), check_job) for dialect in Dialect),
    ]
    for session, check in sessions:
        _put(_some(session, flags), session, check, report)


def measure_offers(flags: argparse.Namespace, report: Report) -> None:
    """Put every fault everywhere in small sessions that offer their tree, and `--offsets` into each of three large."""
    for make in OFFERS:
        _put(_all(make()), make(), check_job, report)
        _put(_some(make(200_000), flags), make(200_000), check_job, report)


def _all(session: Session) -> Iterator[Fault]:
    """Every fault at every byte."""
    return (Fault(kind, offset) for kind in Kind for offset in range(len(session.data) + 1))


def _some(session: Session, flags: argparse.Namespace) -> Iterator[Fault]:
    """`--offsets` faults by chance."""
    chance = random.Random(f"{flags.seed} {session}")
    return (
        Fault(chance.choice(list(Kind)), chance.randrange(len(session.data) + 1), flags.seed)
        for _ in range(flags.offsets)
    )


def _put_everywhere(report: Report) -> None:
    """Put every fault at every byte of the small sessions."""
    for make, check in (
        (results, check_results),
        (job, check_job),
        (encrypted_results, check_results),
        (encrypted_job, check_job),
    ):
        for dialect in Dialect:
            session = make(dialect)
            _put(_all(session), session, check, report)


def _put(
    faults: Iterable[Fault], session: Session, check: Callable[[Session, Fault, Path], None], report: Report
) -> None:
    """Put one fault after the other into a session and see how the stage ends."""
    row = f"faults in {session}: until the stage has ended"
    for fault in faults:
        if stalls_unnoticed(session, fault):
            continue
        with tempfile.TemporaryDirectory() as directory:
            start = time.monotonic()
            try:
                check(session, fault, Path(directory))
            except Exception as error:  # noqa: BLE001 - whatever it is, it is a broken promise
                report.fail(row, f"{fault}: {error!r}")
            report.add(row, time.monotonic() - start, "s")


def _let_readers_depart(most: int, report: Report) -> None:
    """Run a job for each byte after which the reader of its results may go away."""
    for dialect in Dialect:
        for script in departures.SCRIPTS:
            row = f"the reader of a {script} job in the {dialect.value} dialect goes away: until the worker has ended"
            with tempfile.TemporaryDirectory() as directory, departures.host(Path(directory), script):
                size = _size_of_results(dialect)
                for offset in range(0, size, max(1, size // most)):
                    try:
                        report.add(row, departures.check(dialect, script, offset), "s")
                    except Exception as error:  # noqa: BLE001 - whatever it is, it is a broken promise
                        report.fail(row, f"after {offset} of {size} bytes: {error!r}")


def _size_of_results(dialect: Dialect) -> int:
    with tempfile.TemporaryDirectory() as directory, departures.host(Path(directory), "short"):
        size, ended, _ = departures.serve(dialect, None)
    assert isinstance(ended, WorkResult)
    return size
