"""Every signal to every target at many moments of a run, its start-up and its end included."""

from __future__ import annotations

import argparse
import random
import signal
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.stress.faults.pipeline import TARGETS, pipeline, strike
from tests.stress.faults.report import Report

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGSTOP)
LIMIT_SECONDS = 5.0
"""Until when nothing of the job may be left."""
_RUN_SECONDS = 3.0
"""How long a short run takes, with others beside it."""
_TOGETHER = 6


def measure(flags: argparse.Namespace, report: Report) -> None:
    """Signal each target with each signal at `--moments` moments."""
    cases = [(target, number, moment) for target in TARGETS for number in SIGNALS for moment in range(flags.moments)]
    random.Random(flags.seed).shuffle(cases)

    def run(case: tuple[str, signal.Signals, int]) -> None:
        target, number, moment = case
        chance = random.Random(f"{flags.seed} {target} {number} {moment}")
        delay = _RUN_SECONDS * (moment + chance.random()) / flags.moments
        playbook = ("short.yml", "long.yml")[moment % 2]
        then = (signal.SIGCONT, signal.SIGKILL)[moment // 2 % 2]
        row = f"{number.name} to {target}: until nothing is left"
        with tempfile.TemporaryDirectory() as directory:
            try:
                with pipeline(Path(directory)) as made:
                    struck = strike(
                        made, target, number, playbook, lambda: time.sleep(delay), then=then, seconds=4 * LIMIT_SECONDS
                    )
            except (AssertionError, OSError) as error:
                report.fail(row, f"{playbook}, {delay:.3f} s after the start, {then.name}: {error}")
                return
        if struck.seconds is not None and struck.seconds > LIMIT_SECONDS:
            report.fail(row, f"{playbook}, {delay:.3f} s after the start: {struck.seconds:.1f} s")
        report.add(row, struck.seconds, "s")
        if struck.met is not None:
            report.add(f"  of these, {number.name} {struck.met.value}", struck.seconds, "s")

    with ThreadPoolExecutor(_TOGETHER) as pool:
        list(pool.map(run, cases))
