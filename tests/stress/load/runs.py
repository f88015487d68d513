"""Many runs in one program that lives long."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from tests.stress.load.measure import MIB, Figures, Row, expect, figures_below, most_of

_FAKES = Path(__file__).parent / "fakes"
_SETTLED = 10
"""Runs after which all that is loaded once is loaded."""
_GROWTH = 4 * MIB


def run_again_and_again(scratch: Path, runs: int) -> Row:
    """`playstream.run` `runs` times in one process, with a fake Ansible of 20 events.

    Raises:
        SoakError: a run failed, the process grew, or something is left.
    """
    temporary = scratch / "runs-tmp"
    temporary.mkdir()
    directory = scratch / "runs"
    for name in ("project", "inventory"):
        (directory / name).mkdir(parents=True)
    (directory / "project" / "site.yml").write_text("[]\n")
    path = f"{_FAKES}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    env = {**os.environ, "PATH": path, "TMPDIR": str(temporary), "LOAD_EVENTS": "20"}
    began = time.monotonic()
    words = [sys.executable, "-m", "tests.stress.load.repeat", str(directory), str(runs)]
    done = subprocess.run(words, env=env, capture_output=True, text=True, check=False)
    seconds = time.monotonic() - began
    expect(done.returncode == 0, f"the program ended with {done.returncode}: {done.stderr}")
    samples = [Figures(**json.loads(line)) for line in done.stdout.splitlines()]
    expect(len(samples) == runs, f"{len(samples)} runs in place of {runs}")
    before, after = samples[_SETTLED], samples[-1]
    expect(after.memory - before.memory < _GROWTH, f"memory grew from {before.memory} to {after.memory}")
    expect(after.descriptors == before.descriptors, f"{before.descriptors} descriptors became {after.descriptors}")
    # One that has just ended may still be seen.
    threads = [min(item.threads for item in part) for part in (samples[:_SETTLED], samples[-_SETTLED:])]
    expect(threads[0] == threads[1], f"{threads[0]} threads became {threads[1]}")
    expect(figures_below(temporary) == Figures(), "processes are left")
    expect(list(temporary.iterdir()) == [], f"left in TMPDIR: {list(temporary.iterdir())}")
    return Row(f"{runs} times run() in one program", before, most_of(samples), after, seconds, "20 events each")
