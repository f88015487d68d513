"""More than is carried at once: an event above the limit, and a reader that is slow for longer than idle_timeout."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.stages import LIMIT_SECONDS
from tests.stress.faults.flooding import flooded


def test_an_event_above_the_limit_loses_its_data_alone(tmp_path: Path) -> None:
    with flooded(tmp_path, 61 << 20) as (stages, demo):
        run = stages.run(demo, "-p", "result.yml")
    assert run.exit_statuses == (0, 0, 0), run.stderr
    assert [(event["uuid"], event["event"]) for event in run.events] == [("flood-1", "verbose"), ("flood-2", "verbose")]
    assert run.events[0]["event_data"] == {}
    assert "event 1 has 63963136 bytes" in run.stderr
    assert "its event_data is omitted" in run.stderr


def test_a_reader_that_is_slow_for_longer_than_idle_timeout(tmp_path: Path) -> None:
    """Ansible is made to wait meanwhile, and cannot print."""
    with flooded(tmp_path, 24 << 20, settings={"idle_timeout": 3}) as (stages, demo):
        job = stages.transmit(demo, "-p", "text.yml")
        worker = stages.start("worker", stderr=None)
        assert worker.stdin is not None
        worker.stdin.write(job)
        worker.stdin.close()
        program = [sys.executable, "-m", "tests.stress.faults.slow_handler", str(demo), "4"]
        done = subprocess.run(
            program, stdin=worker.stdout, capture_output=True, text=True, timeout=LIMIT_SECONDS, check=False
        )
        assert worker.stdout is not None
        worker.stdout.close()
        assert worker.wait(LIMIT_SECONDS) == 0
    assert (done.returncode, done.stdout) == (0, "successful 24\n"), done.stderr
