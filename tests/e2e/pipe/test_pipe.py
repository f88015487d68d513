"""transmit | worker | process on real Ansible, three processes joined by pipes, and over a real ssh."""

from __future__ import annotations

import json
import random
import re
import stat
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import MakeDir
from tests.e2e.pipe.sshd import BANNER, NoisySshd
from tests.processes import marked_processes, wait_until
from tests.stages import LIMIT_SECONDS, Run, Stages, displayed

FILES = {"stdout", "stderr", "rc", "status", "command", "job_events", "fact_cache"}


def check_run(run: Run) -> None:
    assert run.exit_statuses == (0, 0, 0), run.stderr
    assert (run.text("rc"), run.text("status")) == ("0", "successful")
    assert {path.name for path in run.artifacts.iterdir()} == FILES
    events = run.events
    assert [event["counter"] for event in events] == list(range(1, len(events) + 1))
    assert events[0]["event"] == "playbook_on_start"
    assert events[-1]["event"] == "playbook_on_stats"
    stats = events[-1]["event_data"]
    assert stats["processed"].keys() == {"node1", "node2", "nowhere"}
    assert stats["rescued"] == {"node1": 1, "node2": 1}
    assert stats["artifact_data"] == {"answer": 42}
    kinds = {event["event"] for event in events}
    assert kinds >= {
        "playbook_on_play_start",
        "playbook_on_task_start",
        "runner_on_start",
        "runner_on_ok",
        "runner_on_failed",
        "runner_on_skipped",
        "runner_on_unreachable",
        "runner_item_on_ok",
        "playbook_on_stats",
    }
    shown = displayed(events)
    assert shown.encode() == (run.artifacts / "stdout").read_bytes()
    assert run.stdout == shown.replace("\r\n", "\n")
    assert "hello from a file that travelled: 你好" in run.stdout
    facts = json.loads((run.artifacts / "fact_cache" / "node1").read_text())
    assert facts["ansible_python"]["type"] == "cpython"
    check_privacy(run.artifacts)


def check_privacy(artifacts: Path) -> None:
    for path in [artifacts, *artifacts.rglob("*")]:
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600), path
        assert path.is_dir() or b"opensesame7" not in path.read_bytes(), path


def test_over_a_local_pipe(stages: Stages, rich_dir: Path) -> None:
    check_run(stages.run(rich_dir, "-p", "site.yml"))
    assert stages.leftovers() == []


def test_over_ssh_with_a_noisy_login(stages: Stages, rich_dir: Path, sshd: NoisySshd) -> None:
    run = stages.run(rich_dir, "-p", "site.yml", worker_prefix=(*sshd.command, "exec"))
    check_run(run)
    assert BANNER in run.stderr
    assert "not part of the stream" in run.stderr
    assert stages.leftovers() == []


@pytest.mark.parametrize("dialect", ["playstream", "runner"])
@pytest.mark.parametrize("size", [0, 1 << 20], ids=["small", "large"])
def test_a_terminal_on_the_way_is_named(
    stages: Stages, rich_dir: Path, sshd: NoisySshd, dialect: str, size: int
) -> None:
    """Quickly: no stage waits until the other side counts as lost. A large job holds every control character."""
    (rich_dir / "project" / "blob").write_bytes(random.Random(1).randbytes(size))
    words = ("-p", "site.yml", "--dialect", dialect, "--liveness-seconds", "0")
    program, *options = sshd.command
    prefix = (program, "-tt", *options, "exec")
    run = stages.run(rich_dir, *words, process=("--liveness-seconds", "0"), worker_prefix=prefix)
    assert run.exit_statuses[2] in {75, 76}, run.stderr
    assert re.search(r"playstream process: error: .* without -t\b", run.stderr), run.stderr
    assert "Traceback" not in run.stderr


def test_the_ident_names_the_directory_and_the_events(stages: Stages, rich_dir: Path) -> None:
    run = stages.run(
        rich_dir, "-m", "ansible.builtin.ping", "--hosts", "node1", "-i", "job 7", process=("-i", "job 7", "-q")
    )
    assert run.exit_statuses == (0, 0, 0)
    assert run.stdout == ""
    artifacts = rich_dir / "artifacts" / "job 7"
    assert (artifacts / "rc").read_text() == "0"
    events = [json.loads(path.read_text()) for path in (artifacts / "job_events").iterdir()]
    assert {event["runner_ident"] for event in events} == {"job 7"}
    command = json.loads((artifacts / "command").read_text())
    assert command["command"][1:] == ["-i", command["command"][2], "node1", "-m", "ansible.builtin.ping"]


def test_a_role_runs_with_its_variables(stages: Stages, private_data_dir: MakeDir) -> None:
    directory = private_data_dir({})
    tasks = directory / "project" / "roles" / "greet" / "tasks"
    tasks.mkdir(parents=True)
    (tasks / "main.yml").write_text("- debug: {msg: 'hello {{ who }}'}\n")
    run = stages.run(directory, "-r", "greet", "--role-vars", "who: world", "--role-skip-facts")
    assert run.exit_statuses == (0, 0, 0), run.stdout
    assert "hello world" in run.stdout
    assert "Gathering Facts" not in run.stdout
    assert [path.name for path in (directory / "project").iterdir()] == ["roles"]


def test_a_playbook_that_does_not_parse_is_shown_as_events(stages: Stages, private_data_dir: MakeDir) -> None:
    directory = private_data_dir({"broken.yml": "- hosts: all\n  tasks:\n   - debug: [\n"})
    run = stages.run(directory, "-p", "broken.yml")
    assert run.exit_statuses == (0, 4, 4)
    assert run.text("status") == "failed"
    events = run.events
    assert {event["event"] for event in events} == {"verbose"}
    assert [event["counter"] for event in events] == list(range(1, len(events) + 1))
    assert "ERROR" in run.stdout.upper()
    assert run.stdout.replace("\n", "\r\n").encode() == (run.artifacts / "stdout").read_bytes()


def test_text_before_the_plugin_is_loaded_is_counted(stages: Stages, private_data_dir: MakeDir) -> None:
    directory = private_data_dir({"site.yml": "- hosts: localhost\n  gather_facts: false\n  tasks: [{debug: {}}]\n"})
    (directory / "inventory" / "hosts").write_text("")
    run = stages.run(directory, "-p", "site.yml", "-v")
    assert run.exit_statuses == (0, 0, 0)
    events = run.events
    assert events[0]["event"] == "verbose"
    assert [event["counter"] for event in events] == list(range(1, len(events) + 1))
    line = 0
    for event in events:
        assert event["start_line"] == line
        line = event["end_line"]
    assert line == (run.artifacts / "stdout").read_bytes().count(b"\n")


def test_replaying_a_capture_gives_the_same_artifacts(stages: Stages, rich_dir: Path, tmp_path: Path) -> None:
    capture = stages.call("worker", stdin=stages.transmit(rich_dir, "-p", "site.yml")).stdout
    outputs = []
    for name in ("first", "second"):
        done = stages.call("process", tmp_path / name, stdin=capture)
        assert done.returncode == 0
        outputs.append((done.stdout, _contents(tmp_path / name / "artifacts")))
    assert outputs[0] == outputs[1]


def _contents(directory: Path) -> dict[str, Any]:
    return {
        str(path.relative_to(directory)): (path.lstat().st_mode, path.read_bytes() if path.is_file() else None)
        for path in directory.rglob("*")
    }


def test_a_worker_with_a_directory_of_its_own(stages: Stages, rich_dir: Path, private_data_dir: MakeDir) -> None:
    theirs = private_data_dir(
        {"there.yml": "- hosts: all\n  gather_facts: false\n  tasks: [{debug: {var: only_there}}]\n"}, name="theirs"
    )
    (theirs / "env").mkdir()
    (theirs / "env" / "extravars").write_text("only_there: value of the worker\n")
    run = stages.run(
        rich_dir, "-p", "there.yml", "--only-transmit-kwargs", "-i", "x", worker=("--private-data-dir", str(theirs))
    )
    assert run.exit_statuses == (0, 0, 0), run.stderr
    assert "value of the worker" in run.stdout
    assert (theirs / "artifacts" / "x" / "rc").read_text() == "0"


def test_delete_empties_before_and_removes_after(stages: Stages, rich_dir: Path, tmp_path: Path) -> None:
    place = tmp_path / "place"
    (place / "project").mkdir(parents=True)
    (place / "project" / "old.yml").write_text("left over")
    run = stages.run(
        rich_dir,
        "-m",
        "command",
        "-a",
        f"ls {place}/project",
        "--hosts",
        "node1",
        worker=("--private-data-dir", str(place), "--delete"),
    )
    assert run.exit_statuses == (0, 0, 0), run.stdout
    assert "site.yml" in run.stdout
    assert "old.yml" not in run.stdout
    assert not place.exists()


def test_the_death_of_the_ssh_client_ends_the_remote_job(
    stages: Stages, private_data_dir: MakeDir, sshd: NoisySshd
) -> None:
    directory = private_data_dir({"slow.yml": "- hosts: all\n  gather_facts: false\n  tasks: [{command: sleep 600}]\n"})
    job = stages.transmit(directory, "-p", "slow.yml")
    worker = stages.start("worker", "--keepalive-seconds", "0", prefix=(*sshd.command, "exec"))
    assert worker.stdin is not None
    worker.stdin.write(job)
    worker.stdin.close()
    worker.stdin = None
    wait_until(lambda: marked_processes(stages.temporary))
    worker.kill()
    worker.communicate(timeout=LIMIT_SECONDS)
    wait_until(lambda: not marked_processes(stages.temporary), 5)
    wait_until(lambda: not stages.leftovers(), 5)
