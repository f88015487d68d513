"""A signal to any of the three stages, or to Ansible: nothing of the job is left, and the others tell the truth."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.processes import wait_until
from tests.stress.faults.pipeline import TARGETS, pipeline, strike

SIGNALS = [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGSTOP]


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("target", TARGETS)
def test_a_signal_while_the_job_runs(target: str, number: signal.Signals, tmp_path: Path) -> None:
    with pipeline(tmp_path) as made:
        shown = made.demo / "artifacts" / "stdout"
        struck = strike(
            made,
            target,
            number,
            "long.yml",
            lambda: wait_until(lambda: made.ansible is not None and shown.exists() and b"line 3" in shown.read_bytes()),
        )
        assert struck.seconds is not None
        assert struck.met is None
