"""ssh://: a real sshd with a noisy login, and each way in which it can fail, told apart with what to do next."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from playstream.links.program import Ended
from playstream.links.ssh import SshAddress, explain_ssh
from playstream.pipeline.errors import IncompleteStream, LinkError
from tests.cli.conftest import FAKES
from tests.e2e.pipe.sshd import BANNER
from tests.links.hosts import Host
from tests.processes import marked_processes, wait_until
from tests.stages import LIMIT_SECONDS, Stages, read_events


def run(stages: Stages, directory: Path, link: str = "ssh://worker-1", *words: str) -> tuple[int, str]:
    """Run site.yml over a link; return the exit status and what was printed."""
    done = stages.call("run", directory, "-p", "site.yml", "-i", "x", "--on", link, *words)
    text = (done.stdout + done.stderr).decode()
    assert "Traceback" not in text
    return done.returncode, text


def make_key(path: Path) -> Path:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    return path


def test_a_host_with_a_noisy_login(stages: Stages, directory: Path, host: Host) -> None:
    status, text = run(stages, directory)
    assert status == 0, text
    assert "hello node1" in text
    assert "mail" not in text
    assert BANNER in text  # the user learns what was skipped
    assert (directory / "artifacts" / "x" / "status").read_text() == "successful"
    assert len(read_events(directory / "artifacts" / "x")) > 5
    assert stages.leftovers() == []


def test_what_the_host_prints_beside_the_stream_is_logged(stages: Stages, directory: Path, host: Host) -> None:
    status, text = run(stages, directory, "ssh://worker-1", "--debug")
    assert status == 0
    assert "ssh://worker-1: You have new mail." in text
    assert "Hello(minor=2" in text


def test_a_command_that_is_not_on_the_path(stages: Stages, directory: Path, host: Host) -> None:
    host.set_login(path="/usr/bin:/bin")
    status, text = run(stages, directory)
    assert status == 87
    assert "'playstream' was not found there. The PATH of a command over ssh is /usr/bin:/bin" in text
    assert "ssh://worker-1?command=/path/to/playstream" in text
    program = Path(sys.executable).parent / "playstream"
    status, text = run(stages, directory, f"ssh://worker-1?command={program}")
    assert status == 0, text


def test_a_command_in_the_home_directory(stages: Stages, directory: Path, host: Host, tmp_path: Path) -> None:
    host.set_login(noise=f"HOME='{tmp_path}/my home'; export HOME")
    program = tmp_path / "my home" / "playstream"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\nexec playstream "$@"\n')
    program.chmod(0o644)
    status, text = run(stages, directory, "ssh://worker-1?command=~/playstream")
    assert (status, "cannot be executed there" in text) == (87, True), text
    program.chmod(0o755)
    status, text = run(stages, directory, "ssh://worker-1?command=~/playstream")
    assert status == 0, text


def test_a_program_that_cannot_be_executed(stages: Stages, directory: Path, host: Host, tmp_path: Path) -> None:
    program = tmp_path / "playstream"
    program.write_text("#!/no/such/interpreter\n")
    program.chmod(0o755)
    status, text = run(stages, directory, f"ssh://worker-1?command={program}")
    assert status == 87
    assert str(program) in text


def test_a_refused_connection(stages: Stages, directory: Path, host: Host) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        status, text = run(stages, directory, f"ssh://worker-1:{probe.getsockname()[1]}")
    assert status == 84
    assert "refuses the connection" in text
    assert "Check that sshd runs there" in text


def test_no_route(stages: Stages, directory: Path, host: Host) -> None:
    host.configure("Host far", "HostName 127.0.0.1", "ProxyCommand sleep 600", "ConnectTimeout 1")
    status, text = run(stages, directory, "ssh://far")
    assert status == 84, text
    assert "the host does not answer" in text


def test_no_such_host(stages: Stages, directory: Path, host: Host) -> None:
    status, text = run(stages, directory, "ssh://no-such-host.invalid")
    assert status == 84
    assert "the host 'no-such-host.invalid' has no address" in text


def test_an_unknown_host_key(stages: Stages, directory: Path, host: Host) -> None:
    host.know(None)
    status, text = run(stages, directory)
    assert status == 85
    assert "not in known_hosts" in text


def test_a_changed_host_key(stages: Stages, directory: Path, host: Host, tmp_path: Path) -> None:
    host.know(make_key(tmp_path / "other").with_suffix(".pub"))
    status, text = run(stages, directory)
    assert status == 85
    assert "the host's key is not the one in known_hosts" in text
    # Versions of OpenSSH quote these words differently.
    assert re.search(r"""ssh-keygen -f (["'])/[^"']*/known_hosts\1 -R (["'])\[127\.0\.0\.1\]:\d+\2""", text)


def test_a_key_that_the_host_does_not_accept(stages: Stages, directory: Path, host: Host, tmp_path: Path) -> None:
    host.configure(key=make_key(tmp_path / "other"))
    status, text = run(stages, directory)
    assert status == 86
    assert "the host does not accept this user" in text


def test_a_login_that_only_prints(stages: Stages, directory: Path, host: Host) -> None:
    host.set_login(noise="echo This account is not available.; exit 1")
    status, text = run(stages, directory)
    assert status == 75
    assert "the host printed text but started no worker" in text
    assert "This account is not available." in text


def test_a_jump_host(stages: Stages, directory: Path, host: Host) -> None:
    jump = f"ssh -F {host.client_config} -W %h:%p plain"
    host.configure(
        f"ProxyCommand {jump}",
        "Host plain",
        "HostName 127.0.0.1",
        f"Port {host.port}",
        f"IdentityFile {host.user_key}",
    )
    status, text = run(stages, directory)
    assert status == 0, text


@pytest.fixture
def agent(tmp_path: Path, host: Host) -> Iterator[Path]:
    """The socket of an agent that has the key; the file is gone."""
    path = tmp_path / "agent"
    server = subprocess.Popen(["ssh-agent", "-D", "-a", path], stdout=subprocess.DEVNULL)
    wait_until(path.exists)
    subprocess.run(
        ["ssh-add", "-q", host.user_key], env={**os.environ, "SSH_AUTH_SOCK": str(path)}, check=True, timeout=20
    )
    yield path
    server.terminate()
    server.wait(20)


def test_a_key_in_an_agent(stages: Stages, directory: Path, host: Host, agent: Path) -> None:
    host.configure(f"IdentityAgent {agent}", key=host.user_key.with_suffix(".pub"))
    host.user_key.unlink()
    status, text = run(stages, directory)
    assert status == 0, text


def test_a_lost_connection(fakes: Stages, hanging: Path, host: Host) -> None:
    """The job ends on both sides, and what was received is kept."""
    host.set_login(path=f"{FAKES}:{Path(sys.executable).parent}:$PATH")
    job = fakes.start("run", hanging, "-p", "hang.yml", "-i", "x", "--on", "ssh://worker-1")
    stdout = hanging / "artifacts" / "x" / "stdout"
    wait_until(lambda: stdout.exists() and b"waiting" in stdout.read_bytes())
    for pid in host.sessions():
        os.kill(pid, signal.SIGKILL)
    _, stderr = job.communicate(timeout=LIMIT_SECONDS)
    assert job.returncode in {74, 75}, stderr.decode()
    assert "ssh://worker-1: the connection was lost" in stderr.decode()
    assert (hanging / "artifacts" / "x" / "status").read_text() == "error"
    wait_until(lambda: marked_processes(fakes.temporary) == [])


def test_a_cancel(fakes: Stages, hanging: Path, host: Host) -> None:
    host.set_login(path=f"{FAKES}:{Path(sys.executable).parent}:$PATH")
    job = fakes.start(
        "run", hanging, "-p", "hang.yml", "-i", "x", "--on", "ssh://worker-1", "-q", start_new_session=True
    )
    stdout = hanging / "artifacts" / "x" / "stdout"
    wait_until(lambda: stdout.exists() and b"waiting" in stdout.read_bytes())
    os.killpg(job.pid, signal.SIGINT)
    _, stderr = job.communicate(timeout=LIMIT_SECONDS)
    assert (job.returncode, stderr) == (254, b"playstream run: canceled by SIGINT\n")
    assert (hanging / "artifacts" / "x" / "stderr").exists()
    assert marked_processes(fakes.temporary) == []


def test_the_users_configuration_for_logins_is_not_in_the_way(stages: Stages, directory: Path, host: Host) -> None:
    """A command, a terminal and forwarded ports are for people."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        host.configure(
            "RemoteCommand tmux attach",
            "RequestTTY force",
            f"LocalForward 127.0.0.1:{port} 127.0.0.1:9",
            "ExitOnForwardFailure yes",
        )
        status, text = run(stages, directory)
    assert status == 0, text


@pytest.mark.parametrize(
    ("message", "answered", "expected"),
    [
        ("Connection to host closed by remote host.", True, "by remote host. Everything received before is kept"),
        ("Connection closed by UNKNOWN port 65535", False, "the connection was lost before a worker answered"),
        ("kex_exchange_identification: Connection closed by remote host", False, "look where it ends with ssh -v far"),
        ("ssh_dispatch_run_fatal: Connection to UNKNOWN port 65535: message authentication code incorrect", True,
         "what was sent has arrived altered"),
        ("ssh_dispatch_run_fatal: Connection to 10.0.0.1 port 22: incorrect signature", False, "try again, and then"),
        ("Bad packet length 1349676916.", False, "length 1349676916. A device or program on the way"),
        ("ssh: something new", False, "status 255; its last message: ssh: something new. Try ssh -v far"),
        ("ssh: something new", True, "something new. the stream is empty"),
    ],
)  # fmt: skip
def test_messages_of_ssh(message: str, answered: bool, expected: str) -> None:
    ended = Ended("ssh://far", 255, ["Warning: something else", message], answered=answered)
    error = explain_ssh(SshAddress("far"), ended, IncompleteStream("the stream is empty: expected the previous stage"))
    assert isinstance(error, LinkError | IncompleteStream)
    assert str(error).startswith("ssh://far: ")
    assert expected in str(error)
    assert ("previous stage" in str(error)) == (answered and "new" in message)
