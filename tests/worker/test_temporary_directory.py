"""The directory that Ansible creates in TMPDIR for a socket, since ansible-core 2.21, is removed with the job."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from playstream.pipeline.io.removal import remove_linked
from tests.conftest import MakeDir
from tests.processes import command_line, guards_of, is_running, marked_processes, wait_until
from tests.stages import LIMIT_SECONDS, Stages, stages_for_sockets

NAME = "pymp-abc_1234"


@pytest.fixture
def stages() -> Iterator[Stages]:
    """Stages with a short TMPDIR, for sockets."""
    with stages_for_sockets() as made:
        yield made


@pytest.fixture
def working(private_data_dir: MakeDir, stages: Stages, tmp_path: Path) -> subprocess.Popen[bytes]:
    """A worker whose job is at a task without a module, which would leave files of its own when it is killed."""
    started = tmp_path / "started"
    task = f"debug: msg=\"{{{{ lookup('pipe', 'touch {started}; exec sleep 600') }}}}\""
    job = private_data_dir({"site.yml": f"- hosts: localhost\n  gather_facts: false\n  tasks:\n    - {task}\n"})
    (job / "inventory" / "hosts").write_text("localhost ansible_connection=local\n")
    stream = tmp_path / "stream"
    stream.write_bytes(stages.transmit(job, "-p", "site.yml"))
    with stream.open("rb") as file:
        worker = stages.start("worker", stdin=file, stdout=subprocess.DEVNULL)
    wait_until(started.exists, LIMIT_SECONDS)
    return worker


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_signal_to_the_worker(number: signal.Signals, stages: Stages, working: subprocess.Popen[bytes]) -> None:
    (guard,) = guards_of(working.pid)
    working.send_signal(number)
    working.communicate(timeout=LIMIT_SECONDS)
    wait_until(lambda: not is_running(guard))
    assert list(stages.temporary.iterdir()) == []


def test_the_guard_is_killed(stages: Stages, working: subprocess.Popen[bytes]) -> None:
    (guard,) = guards_of(working.pid)
    os.kill(guard, signal.SIGKILL)
    working.communicate(timeout=LIMIT_SECONDS)
    assert list(stages.temporary.iterdir()) == []


def test_ansible_is_killed(stages: Stages, working: subprocess.Popen[bytes]) -> None:
    for pid in marked_processes(stages.temporary):
        if b"ansible-playbook" in command_line(pid):
            with suppress(ProcessLookupError):  # the others end with the first
                os.kill(pid, signal.SIGKILL)
    working.communicate(timeout=LIMIT_SECONDS)
    assert list(stages.temporary.iterdir()) == []


def test_both_are_killed_and_another_worker_starts(stages: Stages, working: subprocess.Popen[bytes]) -> None:
    (guard,) = guards_of(working.pid)
    for pid in (working.pid, guard):
        os.kill(pid, signal.SIGKILL)
    working.communicate(timeout=LIMIT_SECONDS)
    stages.call("worker")
    assert list(stages.temporary.iterdir()) == []


@pytest.fixture
def link(tmp_path: Path) -> Path:
    """A link to such a directory with a file."""
    (tmp_path / NAME).mkdir(mode=0o700)
    (tmp_path / NAME / "listener-1").touch()
    link = tmp_path / "temporary"
    link.symlink_to(tmp_path / NAME)
    return link


def test_what_a_link_leads_to(tmp_path: Path, link: Path) -> None:
    assert remove_linked(link) is None
    assert not (tmp_path / NAME).exists()
    assert remove_linked(link) is None
    assert remove_linked(tmp_path / "missing") is None


@pytest.mark.parametrize("name", ["pymp-abc", "data", "pymp-abc_1234.d"])
def test_other_names_are_kept(tmp_path: Path, link: Path, name: str) -> None:
    (tmp_path / NAME).rename(tmp_path / name)
    link.unlink()
    link.symlink_to(tmp_path / name)
    assert remove_linked(link) is None
    assert (tmp_path / name / "listener-1").exists()


def test_what_is_not_private_is_kept(tmp_path: Path, link: Path) -> None:
    (tmp_path / NAME).chmod(0o755)
    assert remove_linked(link) is None
    assert (tmp_path / NAME / "listener-1").exists()


def test_a_relative_link_and_a_link_to_a_link_are_kept(tmp_path: Path, link: Path) -> None:
    real = (tmp_path / NAME).rename(tmp_path / "real")
    (tmp_path / NAME).symlink_to(real)
    assert remove_linked(link) is None
    link.unlink()
    link.symlink_to(NAME)
    assert remove_linked(link) is None
    assert (real / "listener-1").exists()
