"""The clock jumps while a job runs: durations stay durations, and every time limit is kept. libfaketime moves it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from playstream.pipeline.errors import SilentPeer
from playstream.pipeline.protocol import Heartbeat, Sender, Status, StatusName
from playstream.pipeline.protocol.order import Direction
from playstream.process.store.values import as_seconds
from playstream.process.task_results import TaskResults
from tests.clocks import moved_clock
from tests.conftest import MakeDir
from tests.processes import wait_until
from tests.stages import LIMIT_SECONDS, Stages

NOW = "2026-11-21T10:00:00+00:00"
BACK, FORTH = "-86400", "+86400"
SET = 'echo {} > "$FAKETIME_TIMESTAMP_FILE.new"; mv "$FAKETIME_TIMESTAMP_FILE.new" "$FAKETIME_TIMESTAMP_FILE"'
"""A program that reads the file while it is empty ends."""
PLAYBOOK = f"""\
- hosts: all
  gather_facts: false
  tasks:
  - name: back
    shell: {SET.format(BACK)}
  - name: forth
    shell: {SET.format(FORTH)}
"""


@pytest.fixture
def clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What is written there moves the clock of every program started from here, but not its monotonic one."""
    for name, value in moved_clock(tmp_path).items():
        monkeypatch.setenv(name, value)
    return tmp_path / "clock"


def with_fake(stages: Stages, directory: Path, script: str) -> None:
    program = directory / "fakes" / "ansible-playbook"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    stages.path_before.append(program.parent)


def test_durations_and_limits_of_a_real_run(clock: Path, stages: Stages, private_data_dir: MakeDir) -> None:
    demo = private_data_dir({"site.yml": PLAYBOOK})
    (demo / "env").mkdir()
    (demo / "env" / "settings").write_text("job_timeout: 600\nidle_timeout: 600\n")
    run = stages.run(demo, "-p", "site.yml")
    assert run.exit_statuses == (0, 0, 0), run.stderr
    results = {result.task: result for result in TaskResults(run.events)}
    assert set(results) == {"back", "forth"}
    for result in results.values():
        assert result.duration is not None
        assert 0 < result.duration < 60
        assert result.start is not None
        assert result.end is not None
        assert result.duration == pytest.approx((result.end - result.start).total_seconds())
    back, forth = results["back"].start, results["forth"].start
    assert back is not None
    assert forth is not None
    assert back > forth, "the clock went back"


@pytest.mark.parametrize("limit", ["job_timeout", "idle_timeout"])
def test_a_limit_of_a_job_while_the_clock_goes_back(
    limit: str, clock: Path, stages: Stages, private_data_dir: MakeDir, tmp_path: Path
) -> None:
    demo = private_data_dir({"site.yml": "[]"})
    (demo / "env").mkdir()
    (demo / "env" / "settings").write_text(json.dumps({limit: 1}))
    with_fake(stages, tmp_path, f"{SET.format(BACK)}; exec sleep 600")
    run = stages.run(demo, "-p", "site.yml")
    assert run.text("status") == "timeout", run.stderr
    assert limit in run.stderr
    assert clock.read_text().strip() == BACK


def test_silence_is_noticed_while_the_clock_goes_back(clock: Path, stages: Stages, tmp_path: Path) -> None:
    process = stages.start("process", tmp_path / "here", "--liveness-seconds", "1")
    assert process.stdin is not None
    sender = Sender(Direction.RESULT)
    process.stdin.write(
        sender.send(Status(StatusName.STARTING, NOW, command=("a",), env={}, cwd="/")) + sender.send(Heartbeat())
    )
    process.stdin.flush()
    wait_until((tmp_path / "here" / "artifacts" / "command").exists, LIMIT_SECONDS)
    moved = clock.with_name("moved")
    moved.write_text(f"{BACK}\n")
    moved.replace(clock)
    assert process.wait(LIMIT_SECONDS) == SilentPeer.exit_status
    process.communicate()


@pytest.mark.parametrize("jump", [BACK, FORTH])
def test_heartbeats_go_on_while_the_clock_jumps(
    jump: str, clock: Path, stages: Stages, private_data_dir: MakeDir, tmp_path: Path
) -> None:
    demo = private_data_dir({"site.yml": "[]"})
    with_fake(stages, tmp_path, f"{SET.format(jump)}; exec sleep 7")
    run = stages.run(demo, "-p", "site.yml", worker=("--keepalive-seconds", "0.2"), process=("--liveness-seconds", "5"))
    assert run.exit_statuses == (0, 0, 0), run.stderr


@pytest.mark.parametrize("value", [-0.5, -3600, float("-inf")])
def test_a_negative_duration_is_unknown(value: float) -> None:
    """Of a worker whose clock made it: ansible-runner's."""
    event = {"event": "runner_on_ok", "event_data": {"host": "node1", "duration": value}}
    assert [result.duration for result in TaskResults([event])] == [None]
    assert as_seconds(value) is None
