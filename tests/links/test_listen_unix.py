"""worker --listen unix:/PATH: jobs of several clients, who may connect, and how clients and workers end."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from playstream.pipeline.protocol import Failure, Hello
from tests.links.conftest import Listen
from tests.links.listening import Listener, connect, finish, read_all
from tests.processes import BECOMES_NOBODY, children, is_running, marked_processes, wait_until
from tests.stages import Stages, read_events, read_records

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


def start_hanging(fakes: Stages, hanging: Path, listener: Listener, ident: str = "x") -> subprocess.Popen[bytes]:
    """A run of hang.yml over the listener, whose job is active."""
    run = fakes.start("run", hanging, "-p", "hang.yml", "-i", ident, "--on", listener.address)
    stdout = hanging / "artifacts" / ident / "stdout"
    wait_until(lambda: (stdout.exists() and b"waiting" in stdout.read_bytes()) or run.poll() is not None)
    assert run.poll() is None, run.communicate()
    return run


def test_a_run_leaves_what_a_run_here_leaves(stages: Stages, directory: Path, listen: Listen) -> None:
    listener = listen()
    here = stages.call("run", directory, "-p", "site.yml", "-i", "here")
    there = stages.call("run", directory, "-p", "site.yml", "-i", "there", "--on", listener.address)
    assert there.returncode == 0, there.stderr.decode()
    assert there.stdout == here.stdout
    kinds = [[event["event"] for event in read_events(directory / "artifacts" / name)] for name in ("here", "there")]
    assert kinds[0] == kinds[1]
    (ended,) = listener.wait_for("ended")
    assert (ended["job"], ended["exit_status"]) == ("there", 0)
    assert ended["who"].startswith("user ")
    assert ended["seconds"] > 0
    assert stages.leftovers() == []


def test_a_failed_run(stages: Stages, directory: Path, listen: Listen) -> None:
    listener = listen()
    done = stages.call("run", directory, "-p", "site.yml", "-e", "broken=yes", "-i", "x", "--on", listener.address)
    assert (done.returncode, done.stderr.decode()) == (
        2,
        "playstream run: failed: node1 failed at task 'break': broken\n",
    )
    assert listener.wait_for("ended")[0]["exit_status"] == 2
    assert "broken" not in listener.text  # nothing of a job but its name is logged


def test_each_job_is_a_worker_in_a_session_of_its_own(fakes: Stages, hanging: Path, listen: Listen) -> None:
    listener = listen("--slots", "2")
    runs = [start_hanging(fakes, hanging, listener, ident) for ident in ("a", "b")]
    workers = listener.workers()
    assert len(workers) == 2
    assert {os.getsid(worker) for worker in workers} == set(workers)
    for run in runs:
        run.send_signal(signal.SIGINT)
        assert finish(run)[0] == 254
    listener.wait_for("ended", 2)
    assert marked_processes(fakes.temporary) == []
    assert fakes.leftovers() == []


def test_the_stages_joined_by_hand(stages: Stages, directory: Path, listen: Listen) -> None:
    """Any program that connects to the socket will do, in both protocols."""
    listener = listen()
    for dialect in ("playstream", "runner"):
        job = stages.transmit(directory, "-p", "site.yml", "-i", dialect, "--dialect", dialect)
        with connect(listener.address.removeprefix("unix:")) as sock:
            sock.sendall(job)
            sock.shutdown(socket.SHUT_WR)
            results = read_all(sock)
        done = stages.call("process", directory, "-i", dialect, stdin=results)
        assert done.returncode == 0, done.stderr.decode()
    assert {event["job"] for event in listener.wait_for("ended", 2)} == {"playstream", "runner"}


def test_an_encrypted_job(stages: Stages, directory: Path, listen: Listen, tmp_path: Path) -> None:
    import pyrage  # noqa: PLC0415 - an extra

    identity = pyrage.x25519.Identity.generate()
    key = tmp_path / "key"
    key.write_text(f"{identity}\n")
    key.chmod(0o600)
    listener = listen("--identity", key)
    public = str(identity.to_public())
    words = ("run", directory, "-p", "site.yml", "--on", listener.address)
    done = stages.call(*words, "-i", "live", "--encrypt-to", public)
    assert done.returncode == 0, done.stderr.decode()
    file = pyrage.encrypt(stages.transmit(directory, "-p", "site.yml"), [identity.to_public()])
    with connect(listener.address.removeprefix("unix:")) as sock:
        sock.sendall(file)
        sock.shutdown(socket.SHUT_WR)
        assert stages.call("process", directory, "-i", "x", stdin=read_all(sock)).returncode == 0
    plain = stages.call(*words, "-i", "y")
    assert b"expected an encrypted job" in plain.stderr
    wrong = stages.call(*words, "-i", "z", "--encrypt-to", str(pyrage.x25519.Identity.generate().to_public()))
    assert wrong.returncode == 76
    assert [event.get("job") for event in listener.wait_for("started", 2)] == ["live", None]


def test_a_client_that_goes_away_ends_its_job(fakes: Stages, hanging: Path, listen: Listen) -> None:
    listener = listen()
    run = start_hanging(fakes, hanging, listener)
    run.kill()
    finish(run)
    assert listener.wait_for("ended")[0]["client"] == "gone"
    assert marked_processes(fakes.temporary) == []
    assert fakes.leftovers() == []


def test_a_client_that_sends_no_more_still_reads(stages: Stages, directory: Path, listen: Listen) -> None:
    """The end of the job's direction is passed on, and is not the end of the connection."""
    listener = listen()
    job = stages.transmit(directory, "-p", "site.yml")
    with connect(listener.address.removeprefix("unix:")) as sock:
        sock.sendall(job)
        sock.shutdown(socket.SHUT_WR)
        assert stages.call("process", directory, "-i", "x", stdin=read_all(sock)).returncode == 0


def test_the_worker_is_killed(fakes: Stages, hanging: Path, listen: Listen) -> None:
    listener = listen()
    run = start_hanging(fakes, hanging, listener)
    (worker,) = listener.workers()
    os.kill(worker, signal.SIGKILL)
    status, text = finish(run)
    assert status == 75
    assert "the connection was lost: the worker was killed, or its listener was" in text
    assert listener.wait_for("ended")[0]["signal"] == 9
    wait_until(lambda: marked_processes(fakes.temporary) == [])


def test_the_listener_is_killed(fakes: Stages, hanging: Path, listen: Listen) -> None:
    """The pipes of its workers close, so their jobs end. The next listener replaces the socket's file."""
    listener = listen()
    run = start_hanging(fakes, hanging, listener)
    (worker,) = listener.workers()
    listener.close()
    assert finish(run)[0] == 75
    wait_until(lambda: not is_running(worker))
    wait_until(lambda: marked_processes(fakes.temporary) == [])
    wait_until(lambda: fakes.leftovers() == [])
    refused = fakes.call("run", hanging, "-p", "hang.yml", "--on", listener.address)
    assert (refused.returncode, b"nobody listens on this socket any more" in refused.stderr) == (84, True)
    again = listen()
    run = start_hanging(fakes, hanging, again, "y")
    run.send_signal(signal.SIGTERM)
    assert finish(run)[0] == 254


def test_the_socket_is_private(listen: Listen, tmp_path: Path) -> None:
    listen()
    assert stat.S_IMODE((tmp_path / "worker.sock").stat().st_mode) == 0o600


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """A directory that everybody can reach, unlike those of pytest."""
    with tempfile.TemporaryDirectory(prefix="listen-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def call_as_nobody(address: str, stages: Stages) -> subprocess.CompletedProcess[bytes]:
    code = f"""{BECOMES_NOBODY}
import sys
from playstream.cli.main import main
sys.exit(main("adhoc localhost -i localhost, -c local -m ansible.builtin.debug --on {address}".split()))
"""
    return subprocess.run([sys.executable, "-c", code], env=stages.env, capture_output=True, check=False, cwd="/")


@AS_ROOT
def test_who_may_connect(stages: Stages, listen: Listen, open_directory: Path) -> None:
    """Another user reaches a socket for named users, and is refused by the number that the kernel reports."""
    address = f"unix:{open_directory}/s"
    private = listen(address=address)
    denied = call_as_nobody(address, stages)
    assert (denied.returncode, b"this user has no permission for the socket" in denied.stderr) == (86, True)
    private.close()
    other = listen("--allow-user", "daemon", address=address)
    refused = call_as_nobody(address, stages)
    assert refused.returncode == 86, refused.stderr
    assert b"the user 'nobody' may not connect to this worker" in refused.stderr
    assert other.wait_for("refused")[0]["error"] == "AuthenticationFailed"
    assert other.workers() == []
    other.close()
    allowed = listen("--allow-user", "nobody", address=address)
    done = call_as_nobody(address, stages)
    assert done.returncode == 0, done.stderr
    assert allowed.wait_for("ended")[0]["who"] == "user nobody"


def test_a_socket_in_use_and_other_files_are_kept(stages: Stages, listen: Listen, tmp_path: Path) -> None:
    listener = listen()
    second = stages.call("worker", "--listen", listener.address)
    assert (second.returncode, b"another program listens on this socket" in second.stderr) == (1, True)
    file = tmp_path / "notes"
    file.write_text("mine")
    third = stages.call("worker", "--listen", f"unix:{file}")
    assert (third.returncode, b"a file that is not a socket" in third.stderr) == (1, True)
    assert file.read_text() == "mine"
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "elsewhere")
    assert stages.call("worker", "--listen", f"unix:{link}").returncode == 1
    assert link.is_symlink()


def test_a_directory_in_which_others_may_write(stages: Stages, tmp_path: Path) -> None:
    place = tmp_path / "shared"
    place.mkdir()
    place.chmod(0o777)
    done = stages.call("worker", "--listen", f"unix:{place}/s")
    assert (done.returncode, b"others can replace files in the directory" in done.stderr) == (1, True)
    missing = stages.call("worker", "--listen", f"unix:{tmp_path}/none/s")
    assert (missing.returncode, b"Create it first" in missing.stderr) == (1, True)


def test_nobody_listens(stages: Stages, directory: Path, tmp_path: Path) -> None:
    done = stages.call("run", directory, "-p", "site.yml", "-i", "x", "--on", f"unix:{tmp_path}/none")
    assert done.returncode == 84
    assert b"there is no such socket. Check its path, or start one" in done.stderr


def test_something_else_listens(stages: Stages, directory: Path, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind(str(tmp_path / "s"))
        server.listen()
        run = stages.start("run", directory, "-p", "site.yml", "-i", "x", "--on", f"unix:{tmp_path}/s")
        peer, _ = server.accept()
        peer.close()
        status, text = finish(run)
    assert status == 75
    assert "the connection was closed before a worker answered" in text


def test_nonsense_gets_an_answer_and_no_process(listen: Listen) -> None:
    listener = listen()
    with connect(listener.address.removeprefix("unix:")) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
        hello, failure = read_records(read_all(sock))[:2]
    assert isinstance(hello, Hello)
    assert isinstance(failure, Failure)
    assert failure.error == "RemoteProtocolError"
    assert "expected a job as the first bytes" in failure.message
    assert listener.wait_for("refused")[0]["error"] == "RemoteProtocolError"
    assert "GET" not in listener.text
    assert listener.workers() == []
    assert children(listener.process.pid) == []
