"""Measures which lines of src run in tests, those of the programs that they start included.

Not seen is what a program runs before it is killed, and what runs in an environment of its own: the guard, and Ansible
with the callback plugin. Whether the tests pass is not asked here: where there is no room for anything, coverage cannot
write either, and says so.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from tests.matrix.debian import ROOT, do
from tests.release.dependencies import run_tests

PLACE = ROOT / ".cache" / "release"
UNCOVERED = PLACE / "uncovered.txt"
"""A line for each file that did not run whole, those with the most such lines first."""


def measure(python: Path, words: Sequence[str]) -> str:
    """Run tests under coverage, write the lines that did not run to UNCOVERED, and return the share of those that ran.

    Raises:
        Unprepared: nothing was measured.
    """
    shutil.rmtree(PLACE, ignore_errors=True)
    PLACE.mkdir(parents=True)
    status = run_tests(python, ["--cov", "--cov-report", "", *words])
    report = do([str(python), "-m", "coverage", "report"], f"nothing was measured; pytest's exit status is {status}")
    UNCOVERED.write_text(report[report.index("Name ") :])  # behind what it says of data that were cut short
    return next(line.split()[-1] for line in report.splitlines() if line.startswith("TOTAL"))
