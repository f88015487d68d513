"""Random faults at random offsets of large sessions, and a reader that goes away after every byte of a small one."""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from pathlib import Path

from playstream.pipeline.dialect import Dialect
from playstream.worker import Served
from tests.faults import departures
from tests.faults.link import Fault, Kind
from tests.faults.receiving import check_job, check_results, stalls_unnoticed
from tests.faults.report import Report
from tests.faults.sessions import job, results


def measure(flags: argparse.Namespace, report: Report) -> None:
    """Put `--offsets` faults into each of the four sessions; let a reader go away at as many offsets at most."""
    _let_readers_depart(flags.offsets, report)
    sessions = [
        *((results(dialect, 400, 400, 100_000), check_results) for dialect in Dialect),
        *((job(dialect, 300_000), check_job) for dialect in Dialect),
    ]
    for session, check in sessions:
        chance = random.Random(f"{flags.seed} {session}")
        row = f"faults in {session}: until the stage has ended"
        for _ in range(flags.offsets):
            fault = Fault(chance.choice(list(Kind)), chance.randrange(len(session.data) + 1), flags.seed)
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
    assert isinstance(ended, Served)
    return size
