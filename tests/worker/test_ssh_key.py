"""A job with a private key reaches its hosts over ssh, and key, agent and connections are gone when it has ended."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import closing
from getpass import getuser
from pathlib import Path
from uuid import uuid4

import pytest

from playstream.pipeline.errors import JobError
from playstream.worker.ssh_agent import KeyPipe, name_key, wrap_in_agent
from tests.conftest import MakeDir
from tests.e2e.pipe.sshd import NoisySshd
from tests.processes import Repeating, guards_of, wait_until
from tests.stages import LIMIT_SECONDS, Run, Stages, stages_for_sockets

HOSTS = """\
[all:vars]
ansible_host=127.0.0.1
ansible_port={port}
ansible_user={user}
ansible_python_interpreter=/usr/bin/python3
ansible_ssh_common_args="-F none"
[all]
node1
node2
"""
PLAYBOOK = """\
- hosts: all
  gather_facts: false
  tasks:
  - raw: echo "reached with ${SSH_CONNECTION:+ssh}"
  - raw: sleep {seconds}
"""
LONG = "60.0625"
"""Seconds that no other process sleeps."""
ENVVARS = "ANSIBLE_HOST_KEY_CHECKING: 'False'\nANSIBLE_SSH_RETRIES: '0'\nHOME: {home}\n"


@pytest.fixture
def stages() -> Iterator[Stages]:
    with stages_for_sockets() as stages:
        yield stages


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[NoisySshd]:
    with closing(NoisySshd(tmp_path / "sshd", tmp_path)) as server:
        yield server


@pytest.fixture
def job(sshd: NoisySshd, tmp_path: Path, private_data_dir: MakeDir) -> Path:
    """A private data directory with hosts behind sshd, and no other key than that in `env`."""
    directory = private_data_dir(
        {"site.yml": PLAYBOOK.replace("{seconds}", "1"), "long.yml": PLAYBOOK.replace("{seconds}", LONG)}
    )
    (directory / "inventory" / "hosts").write_text(HOSTS.format(port=sshd.port, user=getuser()))
    home = tmp_path / "home"
    home.mkdir()
    (directory / "env").mkdir()
    (directory / "env" / "envvars").write_text(ENVVARS.format(home=home))
    shutil.move(tmp_path / "sshd" / "user_key", directory / "env" / "ssh_key")
    return directory


def protect(key: Path, passphrase: str) -> None:
    subprocess.run(
        ["ssh-keygen", "-q", "-p", "-P", "", "-N", passphrase, "-f", str(key)], check=True, stdout=subprocess.DEVNULL
    )


def secret_of(key: Path) -> str:
    """A part of the key that is in no other."""
    return key.read_text().splitlines()[3][:40]


def ssh_processes(stages: Stages) -> list[str]:
    """Command lines of agents and ssh clients that belong to jobs of these stages."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and (entry / "comm").read_text().strip() in ("ssh", "ssh-agent", "ssh-add"):
                words = (entry / "cmdline").read_bytes()
                if os.fsencode(stages.temporary) in words:
                    found.append(words.replace(b"\0", b" ").decode())
        except OSError:
            continue
    return found


def find_sleepers() -> list[Path]:
    """The long task, on each host."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and (entry / "cmdline").read_bytes() == f"sleep\0{LONG}\0".encode():
                found.append(entry)
        except OSError:
            continue
    return found


def files_with(text: str, *places: Path) -> list[Path]:
    return [
        path
        for place in places
        for path in place.rglob("*")
        if path.is_file() and not path.is_symlink() and text.encode() in path.read_bytes()
    ]


def assert_gone(stages: Stages, job: Path, secret: str, tmp_path: Path) -> None:
    assert ssh_processes(stages) == []
    assert stages.leftovers() == []
    # What the sender gave is there and nowhere else.
    assert files_with(secret, tmp_path, stages.temporary) == [job / "env" / "ssh_key"]


class Sampler(Repeating):
    """Looks through the command lines and environments of all processes while a job runs."""

    def __init__(self, *secrets: str) -> None:
        super().__init__(self._look, pause=0.02)
        self._secrets = [secret.encode() for secret in secrets]
        self.found: set[str] = set()
        self.agents = 0

    def _look(self) -> None:
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            for name in ("cmdline", "environ"):
                try:
                    data = (entry / name).read_bytes()
                except OSError:
                    continue
                self.agents += name == "cmdline" and (b"ssh-agent\0-a\0" in data)
                self.found.update(str(entry / name) for secret in self._secrets if secret in data)


def run_over_ssh(stages: Stages, job: Path, *words: str) -> Run:
    return stages.run(job, "-p", "site.yml", *words)


def test_the_key_alone_reaches_the_hosts_and_leaves_nothing(stages: Stages, job: Path, tmp_path: Path) -> None:
    secret = secret_of(job / "env" / "ssh_key")
    with Sampler(secret) as sampler:
        run = run_over_ssh(stages, job)
    assert run.exit_statuses == (0, 0, 0), run.stdout + run.stderr
    assert_gone(stages, job, secret, tmp_path)
    assert sampler.agents > 0
    assert sampler.found == set()
    assert secret not in run.stdout + run.stderr


# pytest puts the parameters into the environment, so the passphrase is none of them.
@pytest.mark.parametrize("dialect", ["playstream", "runner"])
@pytest.mark.parametrize(
    "name",
    [
        "ssh_key",
        "'Enter passphrase for .*:\\s*?$'",
        "'for.*/artifacts/.*/ssh_key_data:'",
        "'^Enter passphrase for .*/artifacts/the run/ssh_key_data:\\s*?$'",
    ],
)
def test_a_key_with_a_passphrase(stages: Stages, job: Path, tmp_path: Path, name: str, dialect: str) -> None:
    """By its name, and by what programs for ansible-runner look for."""
    passphrase = f"open sesame {uuid4()}"  # another test may have its own on a command line at the same time
    protect(job / "env" / "ssh_key", passphrase)
    (job / "env" / "passwords").write_text(f"{name}: {passphrase}")
    secret = secret_of(job / "env" / "ssh_key")
    with Sampler(secret, passphrase) as sampler:
        run = run_over_ssh(stages, job, "--dialect", dialect, "-i", "the run")
    assert run.exit_statuses == (0, 0, 0), run.stdout + run.stderr
    assert sampler.found == set()
    assert_gone(stages, job, secret, tmp_path)
    assert files_with(passphrase, tmp_path) == [job / "env" / "passwords"]


def test_a_wrong_passphrase_says_so(stages: Stages, job: Path, tmp_path: Path) -> None:
    protect(job / "env" / "ssh_key", "open sesame")
    (job / "env" / "passwords").write_text("ssh_key_passphrase: wrong one")
    run = run_over_ssh(stages, job)
    assert run.exit_statuses == (0, 1, 1), run.stdout + run.stderr
    assert run.text("status") == "failed"
    assert "ssh-add did not take the private key" in run.stdout
    assert "wrong one" not in run.stdout + run.stderr
    assert_gone(stages, job, secret_of(job / "env" / "ssh_key"), tmp_path)


def test_a_passphrase_that_nobody_gives(stages: Stages, job: Path) -> None:
    protect(job / "env" / "ssh_key", "open sesame")
    (job / "env" / "settings").write_text("pexpect_timeout: 1")
    run = run_over_ssh(stages, job)
    assert run.exit_statuses == (0, 254, 254), run.stdout + run.stderr
    assert "Enter passphrase for" in run.stderr
    assert "under the name 'ssh_key'" in run.stderr
    assert ssh_processes(stages) == []


def test_a_broken_key_says_so(stages: Stages, job: Path, tmp_path: Path) -> None:
    key = job / "env" / "ssh_key"
    key.write_text(key.read_text().replace("A", "B", 20))
    run = run_over_ssh(stages, job)
    assert run.exit_statuses == (0, 1, 1), run.stdout + run.stderr
    assert "ssh-add did not take the private key" in run.stdout
    assert "PLAY" not in run.stdout
    assert_gone(stages, job, secret_of(key), tmp_path)


@pytest.mark.parametrize("end", ["cancel", "kill the worker", "kill the guard"])
def test_an_ended_job_leaves_nothing(stages: Stages, job: Path, tmp_path: Path, end: str) -> None:
    worker = stages.start("worker")
    assert worker.stdin is not None
    worker.stdin.write(stages.transmit(job, "-p", "long.yml"))
    worker.stdin.close()
    worker.stdin = None
    # A login that is ended in the middle of its shell's start may leave a lock that the next ones wait for.
    wait_until(lambda: len(find_sleepers()) == 2)
    # ssh writes over its command line while it goes to the background.
    wait_until(lambda: any("[mux]" in words for words in ssh_processes(stages)))
    assert any("ssh-agent -a" in words for words in ssh_processes(stages))
    guard = guards_of(worker.pid)[0]
    os.kill(guard if end == "kill the guard" else worker.pid, signal.SIGTERM if end == "cancel" else signal.SIGKILL)
    worker.communicate(timeout=LIMIT_SECONDS)
    if end == "kill the worker":
        wait_until(lambda: not ssh_processes(stages) and not stages.leftovers())
    if end == "kill the guard":
        wait_until(lambda: not ssh_processes(stages))
    assert_gone(stages, job, secret_of(job / "env" / "ssh_key"), tmp_path)


def test_a_temporary_directory_with_a_long_name(stages: Stages, job: Path, tmp_path: Path) -> None:
    stages.temporary = tmp_path / ("long" * 20)
    stages.temporary.mkdir()
    run = run_over_ssh(stages, job)
    assert run.exit_statuses[1:] == (71, 71)
    assert "Set TMPDIR to a directory with a shorter path" in run.stderr
    assert stages.leftovers() == []


def test_the_program_keeps_what_a_setgid_agent_loses() -> None:
    env = {"TMPDIR": "/x", "LD_LIBRARY_PATH": "/y z", "PATH": "/bin", "SECRET": "s"}
    words = wrap_in_agent(["a", "b c"], socket="/s", fifo="/f", name="/n", size=5, env=env)
    assert words[:3] == ["ssh-agent", "-a", "/s"]
    assert words[3:6] == ["env", "TMPDIR=/x", "LD_LIBRARY_PATH=/y z"]
    assert words[-5:] == ["/f", "5", "/n", "a", "b c"]
    with pytest.raises(JobError, match="20 bytes too long"):
        wrap_in_agent(["a"], socket="/" + "s" * 101, fifo="/f", name="/n", size=5)


def test_a_name_that_would_break_the_line_of_the_prompt(tmp_path: Path) -> None:
    assert name_key(tmp_path, "a\nb").relative_to(tmp_path) == Path("artifacts/run/ssh_key_data")
    assert name_key(tmp_path, "7: x").relative_to(tmp_path) == Path("artifacts/7: x/ssh_key_data")


def test_the_pipe_of_the_key(tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    key = "k" * (1 << 15)
    pipe = KeyPipe(path, key, mode=0o666)
    assert path.stat().st_mode & 0o777 == 0o666
    done = subprocess.run(["head", "-c", str(len(key)), str(path)], check=True, capture_output=True)
    assert done.stdout.decode() == key
    pipe.close()
    assert not path.exists()
    with pytest.raises(JobError, match="does not fit into a pipe"):
        KeyPipe(path, "k" * (1 << 21))
    assert not path.exists()
