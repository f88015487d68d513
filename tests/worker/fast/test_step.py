"""The step of `--fast` before Ansible: that it decides, and that it can be stopped like Ansible itself."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import playstream
from playstream.pipeline.errors import CANCELED_EXIT_STATUS, ConfigurationError, LinkError
from playstream.pipeline.protocol import Log, Status
from tests.conftest import MakeDir
from tests.processes import children, guards_of, is_running, marked_processes, wait_until
from tests.stages import LIMIT_SECONDS, Stages, read_records

PLAYBOOK = """\
- hosts: all
  gather_facts: false
  tasks:
    - copy: {content: x, dest: "{{ playbook_dir }}/made"}
"""
HANGS = """\
#!/bin/sh
: > {started}
sleep 600 &
exec sleep 600
"""
"""An inventory that never answers, and leaves a process."""


@pytest.fixture
def job(private_data_dir: MakeDir) -> Path:
    """A directory with a playbook that makes a file."""
    return private_data_dir({"site.yml": PLAYBOOK})


@pytest.fixture
def hanging(job: Path, tmp_path: Path) -> Path:
    """The same with an inventory that hangs; `tmp_path / "started"` says that it was asked."""
    (job / "inventory" / "hosts").unlink()
    program = job / "inventory" / "slow"
    program.write_text(HANGS.format(started=shlex.quote(str(tmp_path / "started"))))
    program.chmod(0o755)
    return job


def made(job: Path) -> bool:
    return (job / "project" / "made").exists()


def test_the_decision_is_in_the_starting_status_and_in_the_log(job: Path, stages: Stages) -> None:
    stream = stages.transmit(job, "-p", "site.yml", "--fast")
    done = stages.call("worker", stdin=stream)
    assert done.returncode == 0, done.stderr.decode()
    records = read_records(done.stdout)
    logs = [record.message for record in records if isinstance(record, Log)]
    statuses = {record.status.value: record.explanation for record in records if isinstance(record, Status)}
    assert len(logs) == 1
    assert logs[0].startswith("fast: mitogen_linear")
    assert statuses == {"starting": logs[0], "running": None, "successful": None}
    (command,) = [record.env for record in records if isinstance(record, Status) and record.env is not None]
    assert command["ANSIBLE_STRATEGY"] == "mitogen_linear"
    assert stages.leftovers() == []


def test_it_is_a_parameter_and_a_setting(job: Path) -> None:
    seen: list[dict[str, Any]] = []
    run = playstream.run(
        private_data_dir=job,
        playbook="site.yml",
        fast=True,
        quiet=True,
        status_handler=lambda data, **_: seen.append(data),
    )
    assert (run.status, run.rc, run.explanation) == ("successful", 0, None)
    assert made(job)
    assert seen[0]["job_explanation"].startswith("fast: mitogen_linear")
    assert not [data for data in seen[1:] if "job_explanation" in data]


def test_a_run_that_fails_says_why_it_failed(job: Path) -> None:
    (job / "project" / "site.yml").write_text("- hosts: all\n  gather_facts: false\n  tasks: [{fail: {msg: no}}]\n")
    plain = playstream.run(private_data_dir=job, playbook="site.yml", quiet=True)
    (job / "env").mkdir()
    (job / "env" / "settings").write_text("fast: true\n")
    run = playstream.run(private_data_dir=job, playbook="site.yml", quiet=True)
    assert run.explanation == plain.explanation
    assert run.explanation
    assert (run.status, run.rc) == ("failed", 2)


def test_explain_prints_the_choice_and_runs_nothing(job: Path, stages: Stages) -> None:
    done = stages.run(job, "-p", "site.yml", "--fast=explain")
    assert done.exit_statuses == (0, 0, 0), done.stderr
    assert not made(job)
    names = [line.partition(": ")[0] for line in done.text("stdout").splitlines()]
    assert names == ["shared ssh connections", "forks", "pipelining", "mitogen"]
    assert [event["event"] for event in done.events] == ["verbose"] * 4
    assert done.text("rc") == "0"
    assert done.text("status") == "successful"
    assert stages.leftovers() == []


def test_explain_of_python(job: Path) -> None:
    run = playstream.run(private_data_dir=job, playbook="site.yml", fast="explain", quiet=True)
    assert (run.status, run.rc) == ("successful", 0)
    assert "mitogen: mitogen_linear of mitogen " in (run.artifact_path / "stdout").read_text()
    assert not made(job)


@pytest.mark.parametrize("value", ["yes", 1, "explian", ["explain"]])
def test_another_value_is_refused_before_anything_runs(job: Path, value: Any) -> None:
    for options in ({"fast": value}, {"settings": {"fast": value}}):
        with pytest.raises(ConfigurationError, match="fast"):
            playstream.run(private_data_dir=job, playbook="site.yml", quiet=True, **options)
    (job / "env").mkdir(exist_ok=True)
    (job / "env" / "settings").write_text(json.dumps({"fast": value}))
    with pytest.raises(ConfigurationError, match=r"fast: expected true, false or explain"):
        playstream.run(private_data_dir=job, playbook="site.yml", quiet=True)
    assert not made(job)


PROGRAMS = {
    "a script": ('#!/bin/sh\nexec {program} "$@"\n', "is not a program in Python"),
    "a Python without Ansible": ("#!{python} -S\nimport os, sys\nos.execv({program!r}, sys.argv)\n", "exit status 1"),
}


@pytest.mark.parametrize("case", PROGRAMS)
def test_a_job_that_cannot_be_looked_at_runs_as_without(job: Path, tmp_path: Path, case: str) -> None:

    text, reason = PROGRAMS[case]
    real = shutil.which("ansible-playbook", path=str(Path(sys.executable).parent))
    program = tmp_path / "ansible-playbook"
    program.write_text(text.format(program=real, python=sys.executable))
    program.chmod(0o755)
    seen: list[dict[str, Any]] = []
    run = playstream.run(
        private_data_dir=job,
        playbook="site.yml",
        binary=str(program),
        fast=True,
        quiet=True,
        status_handler=lambda data, **_: seen.append(data),
    )
    assert run.status == "successful"
    assert made(job)
    assert reason in seen[0]["job_explanation"]
    assert "ANSIBLE_STRATEGY" not in seen[0]["env"]


@pytest.mark.parametrize(
    "first",
    [
        "#!/bin/sh\n'''exec' {python} \"$0\" \"$@\"\n' '''\n",
        "#!/bin/sh\n'''exec' \"{python}\" \"$0\" \"$@\"\n' '''\n",
        "#!/usr/bin/env {python}\n",
    ],
)
def test_other_first_lines_of_pip_and_uv_name_the_python_too(job: Path, tmp_path: Path, first: str) -> None:

    program = tmp_path / "ansible-playbook"
    program.write_text(first.format(python=sys.executable) + "from ansible.cli.playbook import main\nmain()\n")
    program.chmod(0o755)
    run = playstream.run(private_data_dir=job, playbook="site.yml", binary=str(program), fast="explain", quiet=True)
    assert "mitogen: mitogen_linear" in (run.artifact_path / "stdout").read_text()


def test_a_request_to_cancel_ends_the_step(hanging: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    run = playstream.run(
        private_data_dir=hanging,
        playbook="site.yml",
        fast=True,
        quiet=True,
        cancel_callback=(tmp_path / "started").exists,
    )
    assert (run.status, run.rc) == ("canceled", CANCELED_EXIT_STATUS)
    assert not made(hanging)
    assert marked_processes(tmp_path) == []


@pytest.mark.parametrize("limit", ["job_timeout", "idle_timeout"])
def test_time_limits_count_for_the_step(hanging: Path, tmp_path: Path, limit: str) -> None:
    run = playstream.run(private_data_dir=hanging, playbook="site.yml", fast=True, quiet=True, settings={limit: 4})
    assert run.status == "timeout"
    assert limit in (run.explanation or "")
    assert (tmp_path / "started").exists()


def start_worker(stages: Stages, job: Path, started: Path) -> subprocess.Popen[bytes]:
    """A worker whose job is in the step."""
    stream = job / "stream"
    stream.write_bytes(stages.transmit(job, "-p", "site.yml", "--fast"))
    with stream.open("rb") as file:
        worker = stages.start("worker", "--keepalive-seconds", "0.2", stdin=file)
    wait_until(started.exists)
    return worker


def test_a_killed_worker_leaves_nothing_of_the_step(hanging: Path, tmp_path: Path, stages: Stages) -> None:
    worker = start_worker(stages, hanging, tmp_path / "started")
    (guard,) = guards_of(worker.pid)
    assert marked_processes(stages.temporary)
    worker.kill()
    worker.communicate(timeout=LIMIT_SECONDS)
    wait_until(lambda: not is_running(guard))
    assert marked_processes(stages.temporary) == []
    assert stages.leftovers() == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_step(hanging: Path, tmp_path: Path, stages: Stages, number: signal.Signals) -> None:
    worker = start_worker(stages, hanging, tmp_path / "started")
    worker.send_signal(number)
    out, _err = worker.communicate(timeout=LIMIT_SECONDS)
    statuses = [record.status.value for record in read_records(out) if isinstance(record, Status)]
    assert statuses == ["canceled"]
    assert marked_processes(stages.temporary) == []
    assert stages.leftovers() == []


def test_a_reader_that_has_gone_ends_the_step(hanging: Path, tmp_path: Path, stages: Stages) -> None:
    worker = start_worker(stages, hanging, tmp_path / "started")
    assert worker.stdout is not None
    assert worker.stderr is not None
    worker.stdout.close()
    with closing(worker.stderr):
        assert worker.wait(LIMIT_SECONDS) == LinkError.exit_status
    assert marked_processes(stages.temporary) == []
    assert stages.leftovers() == []


def test_the_step_runs_in_the_sandbox(job: Path, tmp_path: Path) -> None:
    """What is hidden from the job is hidden from the step."""
    other = tmp_path / "other"
    other.mkdir()
    (other / "hosts").write_text("h1 ansible_connection=winrm\n")
    run = playstream.run(
        private_data_dir=job,
        playbook="site.yml",
        inventory=str(other / "hosts"),
        fast="explain",
        quiet=True,
        process_isolation=True,
        process_isolation_executable="bwrap",
        process_isolation_hide_paths=[str(other)],
    )
    assert run.rc == 0, run.explanation
    assert "winrm" not in (run.artifact_path / "stdout").read_text()


def test_only_its_own_children_are_left(job: Path) -> None:
    before = set(children())
    playstream.run(private_data_dir=job, playbook="site.yml", fast=True, quiet=True)
    assert set(children()) <= before
    assert not [name for name in os.listdir("/tmp") if name.startswith("mitogen_unix_")]


OLD_FILTER = """\
from ansible.utils.display import Display


def old(value):
    Display().deprecated("the filter of this project", version="99.0")
    return value


class FilterModule:
    def filters(self):
        return {"old": old}
"""


def test_only_the_warning_of_the_chosen_strategy_is_not_shown(job: Path) -> None:
    (job / "project" / "filter_plugins").mkdir()
    (job / "project" / "filter_plugins" / "old.py").write_text(OLD_FILTER)
    (job / "project" / "site.yml").write_text(
        "- hosts: all\n  gather_facts: false\n  tasks: [{debug: {msg: \"{{ 'x' | old }}\"}}]\n"
    )
    texts = {}
    for fast in (False, True):
        run = playstream.run(private_data_dir=job, playbook="site.yml", quiet=True, fast=fast)
        assert run.status == "successful"
        texts[fast] = " ".join((run.artifact_path / "stdout").read_text().split())
    for text in texts.values():
        assert "the filter of this project" in text
    assert texts[True].count("DEPRECATION") == texts[False].count("DEPRECATION")
    assert "strategy plugins" not in texts[True]
