"""A program that runs jobs one after another for long: python -m tests.stress.load.repeat DIR RUNS.

Prints its own figures as JSON, one line after each run.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys

import playstream
from tests.stress.load.measure import expect, figures_of


def main() -> None:
    """Run them."""
    directory, runs = sys.argv[1], int(sys.argv[2])
    for number in range(runs):
        run = playstream.run(
            private_data_dir=directory, playbook="site.yml", ident=f"run{number}", quiet=True, rotate_artifacts=3
        )
        expect((run.status, run.rc) == ("successful", 0), f"run {number}: {run.status}, {run.rc}")
        expect([event["counter"] for event in run.events] == list(range(1, 21)), f"run {number}: not all events")
        print(json.dumps(dataclasses.asdict(figures_of(os.getpid()))), flush=True)


if __name__ == "__main__":
    main()
