"""The guard is killed, alone and with its worker; a signal strikes a job that is asked for a password, or has it."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.faults.guards import ask_for_a_password, check_secret, kill_both
from tests.faults.pipeline import Pipeline, pipeline, strike
from tests.processes import wait_until


def wait_for(made: Pipeline, text: bytes) -> None:
    """Wait until the job has printed something."""
    shown = made.demo / "artifacts" / "stdout"
    wait_until(lambda: made.ansible is not None and shown.exists() and text in shown.read_bytes())


def test_the_guard_is_killed(tmp_path: Path) -> None:
    with pipeline(tmp_path) as made:
        struck = strike(made, "guard", signal.SIGKILL, "long.yml", lambda: wait_for(made, b"line 3"))
        assert struck.seconds is not None
        assert (made.demo / "artifacts" / "status").read_text() == "error"
        assert made.processes["worker"].returncode == 71
        assert "the guard process of the job was killed" in made.text("process")
        assert made.stages.leftovers() == []


def test_the_guard_and_the_worker_are_killed(tmp_path: Path) -> None:
    with pipeline(tmp_path) as made:
        took, left = kill_both(made, "long.yml", lambda: wait_for(made, b"line 3"))
        assert took is not None
        assert left
        assert (made.demo / "artifacts" / "status").read_text() == "error"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize(("target", "text"), [("worker", b"password: "), ("ansible", b"handed over")])
def test_a_signal_to_a_job_with_a_password(
    target: str, text: bytes, number: signal.Signals, tmp_path: Path
) -> None:
    with pipeline(tmp_path) as made:
        ask_for_a_password(made)
        struck = strike(made, target, number, "long.yml", lambda: wait_for(made, text))
        assert struck.seconds is not None
        check_secret(made)
