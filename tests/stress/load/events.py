"""A day's events through one process stage: as files with the command, to a handler with the Python face."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from tests.stress.load.measure import MIB, Figures, Row, Sampling, expect, figures_with_children, median_of, most_of

_GROWTH = 16 * MIB
"""How much larger a stage may be at the end than in the first quarter of its time."""


def keep_events(scratch: Path, dialect: str, events: int) -> Row:
    """Every event becomes a file.

    Raises:
        SoakError: the stage failed or grew, or a file is missing.
    """
    directory = scratch / f"files-{dialect}"
    directory.mkdir()
    began = time.monotonic()
    words: list[str | Path] = [sys.executable, "-m", "playstream", "process", directory, "-q"]
    stage, samples, output = _run(dialect, events, words, directory)
    seconds = time.monotonic() - began
    expect(stage == 0, f"process ended with {stage}: {output}")
    numbers = sorted(int(name.split("-")[0]) for name in os.listdir(directory / "artifacts" / "job_events"))
    expect(numbers == list(range(1, events + 1)), f"{len(numbers)} files of events, expected {events}")
    lines = (directory / "artifacts" / "stdout").read_bytes().count(b"\n")
    expect(lines == events, f"{lines} lines in stdout, expected {events}")
    shutil.rmtree(directory)
    before = check_flat(samples)
    return Row(
        f"process, {dialect} dialect, a file for each event",
        before,
        most_of(samples),
        samples[-1],
        seconds,
        f"{len(numbers):,} files and lines",
    )


def hand_events(scratch: Path, dialect: str, events: int) -> Row:
    """Every event goes to a handler, which keeps none.

    Raises:
        SoakError: the run failed, the program grew, or an event is missing or out of its place.
    """
    directory = scratch / f"handler-{dialect}"
    directory.mkdir()
    began = time.monotonic()
    consume: list[str | Path] = [sys.executable, "-m", "tests.stress.load.consume", directory]
    stage, samples, output = _run(dialect, events, consume, directory)
    seconds = time.monotonic() - began
    expect(stage == 0, f"the program ended with {stage}: {output}")
    told = json.loads(output)
    expect(told["status"] == "successful", f"status {told['status']}")
    expect(told["events"] == events, f"{told['events']} events came, expected {events}")
    kept = os.listdir(directory / "artifacts" / "job_events")
    expect(kept == [], f"{len(kept)} files of events, expected none")
    check_flat(samples)
    before, after = Figures(**told["before"]), Figures(**told["after"])
    expect(after.descriptors <= before.descriptors, f"{before.descriptors} descriptors became {after.descriptors}")
    expect(after.threads <= before.threads, f"{before.threads} threads became {after.threads}")
    return Row(
        f"process, {dialect} dialect, a handler that keeps none",
        before,
        most_of(samples),
        after,
        seconds,
        f"{events:,} events in their order",
    )


def _run(dialect: str, events: int, stage: list[str | Path], directory: Path) -> tuple[int, list[Figures], str]:
    """The exit status of a stage given the stream, samples of it from its first event on, and what it printed."""
    words = [sys.executable, "-m", "tests.stress.load.stream", dialect, str(events)]
    with (
        subprocess.Popen(words, stdout=subprocess.PIPE) as generator,
        subprocess.Popen(stage, stdin=generator.stdout, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process,
    ):
        assert generator.stdout is not None
        generator.stdout.close()
        begun = (directory / "artifacts" / "stdout").exists
        with Sampling(lambda: figures_with_children(process.pid), begun=begun) as sampling:
            output, _ = process.communicate()
        expect(generator.wait() == 0, "the generator of the stream failed")
    expect(len(sampling.samples) >= 20, "too few samples; give more events")
    return process.returncode, sampling.samples[:-1], output.decode()


def check_flat(samples: list[Figures]) -> Figures:
    """The median of the first quarter of the time, beyond which nothing may grow.

    Raises:
        SoakError: the last quarter has more.
    """
    quarter = max(1, len(samples) // 4)
    early, late = median_of(samples[:quarter]), median_of(samples[-quarter:])
    most = most_of(samples[quarter:])
    expect(most.memory - early.memory < _GROWTH, f"memory grew from {early.memory} to {most.memory}")
    expect(late.descriptors <= early.descriptors + 2, f"descriptors grew from {early} to {late}")
    expect(late.threads <= early.threads + 1, f"threads grew from {early} to {late}")
    return early
