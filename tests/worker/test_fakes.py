"""Whatever Ansible does to it, the worker says what happened, gives the artifacts back and leaves nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from playstream.pipeline.protocol import End, Event, FileEntry, Status
from tests.processes import marked_processes, wait_until
from tests.stages import LIMIT_SECONDS, Run, Stages, read_records


def run_fake(stages: Stages, directory: Path, behaviour: str, *words: str) -> Run:
    run = stages.run(directory, "-p", f"{behaviour}.yml", *words)
    assert stages.leftovers() == []
    return run


def test_a_flood_arrives_whole(fake_ansible: Stages, misbehaving: Path) -> None:
    run = run_fake(fake_ansible, misbehaving, "flood")
    assert run.exit_statuses == (0, 0, 0)
    expected = ("x" * 1023 + "\n") * 4096
    assert run.stdout == expected
    assert (run.artifacts / "stdout").read_bytes() == expected.replace("\n", "\r\n").encode()
    events = run.events
    assert [event["counter"] for event in events] == list(range(1, len(events) + 1))
    assert events[-1]["end_line"] == 4096


def test_output_that_is_not_utf8_is_kept_as_it_was(fake_ansible: Stages, misbehaving: Path) -> None:
    run = run_fake(fake_ansible, misbehaving, "not-utf8")
    assert run.exit_statuses == (0, 0, 0)
    raw = b"caf\xe9 \xff\xfe\x00 \xed\xa0\x80\r\nlast line without end"
    assert (run.artifacts / "stdout").read_bytes() == raw
    assert "last line without end" in run.stdout
    assert [event["stdout"] for event in run.events] == raw.decode("utf-8", "replace").split("\r\n")


def test_a_child_that_stays_on_the_terminal_does_not_hold_up_the_end(fake_ansible: Stages, misbehaving: Path) -> None:
    run = run_fake(fake_ansible, misbehaving, "fork-and-exit")
    assert run.exit_statuses == (0, 0, 0)
    assert "parent is done" in run.stdout
    wait_until(lambda: not marked_processes(fake_ansible.temporary))


def test_an_ansible_that_is_killed_gives_128_and_the_signal(fake_ansible: Stages, misbehaving: Path) -> None:
    run = run_fake(fake_ansible, misbehaving, "kill-itself")
    assert run.exit_statuses == (0, 137, 137)
    assert (run.text("rc"), run.text("status")) == ("137", "failed")
    assert "signal 9" in run.stderr


def test_the_return_code_is_ansibles(fake_ansible: Stages, misbehaving: Path) -> None:
    run = run_fake(fake_ansible, misbehaving, "fail")
    assert run.exit_statuses == (0, 4, 4)
    assert (run.text("rc"), run.text("status")) == ("4", "failed")
    assert [event["stdout"] for event in run.events] == ["ERROR! it went wrong"]


def test_the_terminal_is_ansibles_controlling_terminal(fake_ansible: Stages, misbehaving: Path) -> None:
    run = run_fake(fake_ansible, misbehaving, "show-tty")
    assert run.exit_statuses == (0, 0, 0)
    assert "True True True" in run.stdout
    assert "controlling" in run.stdout


@pytest.mark.parametrize(
    ("chosen", "ansibles"),
    [
        (os.SCHED_OTHER, os.SCHED_BATCH),
        (os.SCHED_IDLE, os.SCHED_IDLE),
    ],
)
def test_ansible_is_batch_work_unless_the_worker_is_less(
    fake_ansible: Stages, misbehaving: Path, chosen: int, ansibles: int
) -> None:
    policy = f"os.sched_setscheduler(0, {chosen}, os.sched_param(0))"
    job = fake_ansible.transmit(misbehaving, "-p", "show-policy.yml")
    program = f"import os, sys; {policy}; os.execv(sys.argv[1], sys.argv[1:])"
    worker = fake_ansible.start("worker", prefix=(sys.executable, "-c", program))
    results, stderr = worker.communicate(job, timeout=LIMIT_SECONDS)
    assert worker.returncode == 0, stderr
    events = [json.loads(record.json) for record in read_records(results) if isinstance(record, Event)]
    assert events[0]["stdout"] == f"policy {ansibles} parent's {chosen}"


def test_passwords_answer_prompts_and_are_not_shown(fake_ansible: Stages, misbehaving: Path) -> None:
    (misbehaving / "env").mkdir()
    (misbehaving / "env" / "passwords").write_text('"^Secret word:": hunter2-and-more\n')
    run = run_fake(fake_ansible, misbehaving, "ask")
    assert run.exit_statuses == (0, 0, 0)
    assert "heard 16 letters" in run.stdout
    for path in run.artifacts.rglob("*"):
        assert not path.is_file() or b"hunter2" not in path.read_bytes()


def test_time_limits_end_the_job(fake_ansible: Stages, misbehaving: Path) -> None:
    (misbehaving / "env").mkdir()
    for limit in ("job_timeout", "idle_timeout"):
        (misbehaving / "env" / "settings").write_text(f"{limit}: 0.5\n")
        run = run_fake(fake_ansible, misbehaving, "ignore-term")
        assert run.exit_statuses == (0, 254, 254)
        assert run.text("status") == "timeout"
        assert limit in run.stderr
        assert marked_processes(fake_ansible.temporary) == []


def test_an_ansible_that_is_missing_is_127(
    stages: Stages, misbehaving: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker runs on a Python that has no Ansible beside it: a link to this one, told where its modules are."""
    python = tmp_path / "elsewhere" / "python"
    python.parent.mkdir()
    python.symlink_to(Path(sys.executable).resolve())
    monkeypatch.setenv("PYTHONPATH", ":".join(sys.path))
    monkeypatch.setenv("PATH", str(tmp_path))
    command = [str(python), "-m", "playstream", "worker"]
    job = stages.transmit(misbehaving, "-p", "quiet.yml")
    env = {**stages.env, "PATH": str(tmp_path)}
    worker = subprocess.run(command, input=job, capture_output=True, env=env, check=False, timeout=LIMIT_SECONDS)
    assert worker.returncode == 127
    assert b"ansible-playbook was not found" in worker.stderr
    done = stages.call("process", misbehaving, stdin=worker.stdout)
    assert done.returncode == 127
    assert (misbehaving / "artifacts" / "status").read_text() == "error"
    assert not (misbehaving / "artifacts" / "rc").exists()


def test_extra_variables_stay_off_the_command_line(fake_ansible: Stages, misbehaving: Path) -> None:
    (misbehaving / "env").mkdir()
    (misbehaving / "env" / "extravars").write_text("word: s3cret\nlist: [1, 2]\n")
    (misbehaving / "env" / "cmdline").write_text("--diff -e 'a=b c'\n")
    words = ("--limit", "node1", "--forks", "3", "-v", "-v", "--tags", "x")
    run = run_fake(fake_ansible, misbehaving, "arguments", *words)
    assert "s3cret" not in run.stdout
    for word in ("'--limit', 'node1'", "'--forks', '3'", "'-vv'", "'--tags', 'x'", "'--diff', '-e', 'a=b c'"):
        assert word in run.stdout


def test_the_stream_of_a_job_without_output(fake_ansible: Stages, misbehaving: Path) -> None:
    job = fake_ansible.transmit(misbehaving, "-p", "quiet.yml")
    done = fake_ansible.call("worker", stdin=job)
    records = read_records(done.stdout)
    assert [record.status.value for record in records if isinstance(record, Status)] == [
        "starting",
        "running",
        "successful",
    ]
    assert not any(isinstance(record, Event) for record in records)
    names = [record.path for record in records if isinstance(record, FileEntry)]
    assert names == [b"", b"rc", b"status", b"stderr", b"stdout"]
    end = records[-1]
    assert isinstance(end, End)
    assert (end.records, end.events) == (len(records) - 1, 0)
