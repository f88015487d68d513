"""Pipelining with sudo: each host is asked once whether sudo works there without a terminal."""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

import playstream
from playstream.worker.fast.answers import KEPT_SECONDS
from tests.conftest import MakeDir
from tests.e2e.fast.sudo_host import PASSWORD, REQUIRED, USER, WITH_PASSWORD, WITHOUT_PASSWORD, SudoHost

pytestmark = [
    pytest.mark.timeout(400),  # whole runs on a busy machine
    pytest.mark.skipif(os.geteuid() != 0, reason="only root may set up sudo for a host of the tests"),
]
WHO = """\
- hosts: all
  gather_facts: false
  become: true
  tasks:
    - command: id -un
      register: who
    - assert: {that: who.stdout == "root"}
    - copy: {content: "x", dest: "{{ ansible_remote_tmp }}-made"}
    - command: id -un
      become: false
      register: who
    - assert: {that: who.stdout == ansible_user}
"""
MakeHost = Callable[[str], SudoHost]


@pytest.fixture
def host() -> Iterator[MakeHost]:
    """A function that starts a host with further lines of its /etc/sudoers."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="su", dir="/tmp")))
        directory.chmod(0o755)
        made: list[SudoHost] = []

        def make(sudoers: str) -> SudoHost:
            made.append(stack.enter_context(closing(SudoHost(directory / f"host{len(made)}", sudoers))))
            return made[-1]

        yield make


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file in which answers are remembered."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "playstream" / "sudo.json"


class Job:
    """Runs playbooks with --fast and without mitogen, and keeps what is said about it.

    Args:
        private_data_dir: makes the directory.
        caplog: has what is said.
    """

    def __init__(self, private_data_dir: MakeDir, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO, "playstream")
        self._make = private_data_dir
        self._caplog = caplog

    def run(self, inventory: str, playbook: str = WHO, *, status: str = "successful", **options: Any) -> list[str]:
        """Run a playbook; return what was said."""
        self._caplog.clear()
        job = self._make({"site.yml": playbook})
        (job / "inventory" / "hosts").write_text(inventory)
        (job / "project" / "ansible.cfg").write_text("[defaults]\nstrategy = host_pinned\n")
        options = {"fast": True, "quiet": True, **options}
        done = playstream.run(private_data_dir=job, playbook="site.yml", **options)
        self.output = (done.artifact_path / "stdout").read_text()
        assert done.status == status, self.output
        shutil.rmtree(job)
        found = (record.getMessage() for record in self._caplog.records)
        return [message.removeprefix("fast: ") for message in found if message.startswith("fast: ")]


@pytest.fixture
def job(private_data_dir: MakeDir, caplog: pytest.LogCaptureFixture) -> Job:
    return Job(private_data_dir, caplog)


def answers(state: Path) -> dict[int, str]:
    """Return what is remembered, by the port of the host."""
    return {item[2]: item[4] for item in json.loads(state.read_text())["answers"]}


def test_a_host_that_needs_no_terminal(host: MakeHost, job: Job, state: Path) -> None:
    free = host(WITHOUT_PASSWORD)
    said = job.run(free.line("free"))
    assert free.questions() == 1
    assert free.terminals() == {"unknown"}
    assert "pipelining where sudo needs no terminal" in said[0]
    assert said[1:] == ["1 host asked about sudo: pipelining on 1"]
    assert state.stat().st_mode & 0o777 == 0o600
    assert state.parent.stat().st_mode & 0o777 == 0o700
    assert [path.name for path in state.parent.iterdir()] == ["sudo.json"]
    ((place, address, port, user, answer, _),) = json.loads(state.read_text())["answers"]
    assert (place, address, port, user, answer) == ("", "127.0.0.2", free.port, USER, "works")


def test_hosts_of_which_one_requires_a_terminal(host: MakeHost, job: Job, state: Path) -> None:
    free, strict = host(WITHOUT_PASSWORD), host(REQUIRED + WITHOUT_PASSWORD)
    said = job.run(free.line("free") + strict.line("strict"))
    assert (free.questions(), strict.questions()) == (1, 1)
    assert free.terminals() == {"unknown"}
    assert strict.terminals() == {"terminal"}
    assert said[1:] == [
        "2 hosts asked about sudo: pipelining on 1; not on strict, where it requires a terminal (requiretty)"
    ]
    assert answers(state) == {free.port: "works", strict.port: "terminal"}


def test_answers_are_remembered(host: MakeHost, job: Job) -> None:
    free, strict = host(WITHOUT_PASSWORD), host(REQUIRED + WITHOUT_PASSWORD)
    for _ in range(2):
        said = job.run(free.line("free") + strict.line("strict"))
    assert (free.questions(), strict.questions()) == (1, 1)
    assert free.terminals() == {"unknown"}
    assert strict.terminals() == {"terminal"}
    assert len(said) == 1
    exception = "not on strict, where it requires a terminal (requiretty)"
    assert f"pipelining where sudo needs no terminal ({exception})" in said[0]
    job.run(free.line("free") + strict.line("strict"), fast="explain")
    assert f"; known of all 2 hosts; {exception}" in " ".join(job.output.split())


@pytest.mark.parametrize("required", [False, True])
def test_a_password_is_not_a_terminal(host: MakeHost, job: Job, state: Path, *, required: bool) -> None:
    asks = host((REQUIRED if required else "") + WITH_PASSWORD)
    job.run(asks.line("asks"), passwords={"become": PASSWORD})
    assert asks.questions() == 1
    assert asks.terminals() == {"terminal" if required else "unknown"}
    assert answers(state) == {asks.port: "terminal" if required else "works"}


def test_a_host_that_logs_output(host: MakeHost, job: Job, state: Path) -> None:
    """A module there would not notice the end of its connection."""
    logs = host("")
    logs.allow(f"Defaults log_output, iolog_dir={logs.directory}/io\n" + WITHOUT_PASSWORD)
    said = job.run(logs.line("logs"))
    assert logs.terminals() == {"terminal"}
    assert said[1].endswith("not on logs, where it logs the output of commands (log_output)")
    assert answers(state) == {logs.port: "logged"}


def test_a_host_without_sudo(host: MakeHost, job: Job, state: Path) -> None:
    bare = host(WITHOUT_PASSWORD)
    playbook = "- hosts: all\n  gather_facts: false\n  tasks:\n    - command: id\n      become: true\n"
    said = job.run(bare.line("bare", "ansible_become_exe=/no/sudo"), playbook, status="failed")
    assert said[1].endswith("pipelining on 0; not on bare, where it was not found")
    assert not state.exists()


def test_a_user_who_may_not_use_sudo(host: MakeHost, job: Job, state: Path) -> None:
    closed = host(f"Defaults !authenticate\n{USER} ALL=(ALL:ALL) /usr/bin/true\n")
    job.run(closed.line("closed"), status="failed")
    assert closed.questions() == 1
    assert not state.exists()


def test_root_who_stays_root_uses_no_sudo(host: MakeHost, job: Job) -> None:
    free = host(REQUIRED)
    said = job.run(free.line("free", user="root"))
    assert free.sudos() == []
    assert len(said) == 1


@pytest.mark.parametrize("value", [False, True])
def test_a_variable_of_a_host_counts(host: MakeHost, job: Job, *, value: bool) -> None:
    free = host(WITHOUT_PASSWORD)
    job.run(free.line("free", f"ansible_pipelining={value}"))
    assert free.questions() == 0
    assert free.terminals() == {"unknown" if value else "terminal"}


def test_a_host_that_has_changed_its_mind(host: MakeHost, job: Job, state: Path) -> None:
    """What was remembered is wrong: the module was not started, and is run as a file."""
    changed = host(WITHOUT_PASSWORD)
    job.run(changed.line("changed"))
    changed.allow(REQUIRED + WITHOUT_PASSWORD)
    said = job.run(changed.line("changed"))
    assert changed.questions() == 1
    assert answers(state) == {changed.port: "terminal"}
    assert said[1].endswith("where it requires a terminal (requiretty)")


def test_a_host_is_asked_by_one_of_many(host: MakeHost, job: Job) -> None:
    """Tasks of many hosts that are delegated to one."""
    free = host(WITHOUT_PASSWORD)
    others = "".join(f"n{number} ansible_connection=local\n" for number in range(6))
    playbook = (
        "- hosts: all:!free\n  gather_facts: false\n"
        "  tasks:\n    - command: id\n      become: true\n      delegate_to: free\n"
    )
    job.run(free.line("free") + others, playbook, forks=6)
    assert free.questions() == 1
    assert free.terminals() == {"unknown"}


def test_a_host_that_cannot_be_reached_is_not_decided(host: MakeHost, job: Job, state: Path) -> None:
    free = host(WITHOUT_PASSWORD)
    lost = "lost ansible_host=127.0.0.1 ansible_port=1 ansible_timeout=5\n"
    said = job.run(free.line("free") + lost, status="failed")
    assert "unreachable=1" in job.output
    assert said[1:] == ["1 host asked about sudo: pipelining on 1"]
    assert answers(state) == {free.port: "works"}


SPOILED: dict[str, Callable[[Path], object]] = {
    "not JSON": lambda path: path.write_text("{"),
    "nothing": lambda path: path.write_text(""),
    "another form": lambda path: path.write_text('{"form": 2, "answers": 3}'),
    "open to others": lambda path: path.chmod(0o644),
    "of another user": lambda path: os.chown(path, 65534, 65534),
    "a directory of another user": lambda path: os.chown(path.parent, 65534, 65534),
    "a directory that is open to others": lambda path: path.parent.chmod(0o755),
    "a link": lambda path: os.symlink(path.rename(path.with_name("x")), path),
    "expired": lambda path: path.write_text(re.sub(r"\d{9,}", str(int(time.time()) - KEPT_SECONDS), path.read_text())),
    "in the future": lambda path: path.write_text(re.sub(r"\d{9,}", "99999999999", path.read_text())),
}


@pytest.mark.parametrize("case", SPOILED)
def test_a_file_that_cannot_be_used_is_none(host: MakeHost, job: Job, state: Path, case: str) -> None:
    free = host(WITHOUT_PASSWORD)
    job.run(free.line("free"))
    SPOILED[case](state)
    job.run(free.line("free"))
    assert free.questions() == 2
    assert free.terminals() == {"unknown"}
    if "directory" not in case:
        assert answers(state) == {free.port: "works"}
        assert state.stat().st_mode & 0o777 == 0o600
        assert not state.is_symlink()


def test_explain_asks_nobody(host: MakeHost, job: Job, state: Path) -> None:
    free = host(WITHOUT_PASSWORD)
    job.run(free.line("free"), fast="explain")
    assert "with sudo (" in job.output
    assert free.sudos() == []
    assert not state.exists()
