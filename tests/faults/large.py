"""Random faults at random offsets of large sessions in both dialects and directions."""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from pathlib import Path

from playstream.pipeline.dialect import Dialect
from tests.faults.link import Fault, Kind
from tests.faults.receiving import check_job, check_results, stalls_unnoticed
from tests.faults.report import Report
from tests.faults.sessions import job, results


def measure(flags: argparse.Namespace, report: Report) -> None:
    """Put `--offsets` faults into each of the four sessions."""
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
