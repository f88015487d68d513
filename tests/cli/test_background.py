"""start, stop and is-alive: a run is known by the lock that its process holds, and by nothing else."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from playstream.pipeline.errors import ConfigurationError, JobError
from tests.processes import MODES_BIND, marked_processes, wait_until
from tests.stages import LIMIT_SECONDS, Stages


def words_of(done: subprocess.CompletedProcess[bytes]) -> tuple[int, str]:
    return done.returncode, (done.stdout + done.stderr).decode().strip()


def stop_all(stages: Stages, directory: Path, *idents: str) -> None:
    for ident in idents:
        assert stages.call("stop", directory, "-i", ident).returncode == 0


def test_a_run_in_the_background(fakes: Stages, hanging: Path) -> None:
    began = time.monotonic()
    assert words_of(fakes.call("start", hanging, "-p", "hang.yml", "-i", "one")) == (0, "started one")
    assert time.monotonic() - began < 5
    status, line = words_of(fakes.call("is-alive", hanging))
    assert status == 0
    assert line.startswith("alive: one (process ")
    pid = int(line.rstrip(")").split()[-1])
    assert os.getsid(pid) == pid
    assert {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in range(3)} == {"/dev/null"}
    assert words_of(fakes.call("is-alive", hanging, "-i", "two")) == (
        1,
        f"playstream is-alive: no active run 'two' in {hanging}",
    )
    wait_until(lambda: b"waiting" in (hanging / "artifacts/one/stdout").read_bytes())
    assert words_of(fakes.call("stop", hanging, "-p", "hang.yml", "-i", "one")) == (0, "stopped one")
    assert (hanging / "artifacts" / "one" / "status").read_text() == "canceled"
    assert words_of(fakes.call("-q", "is-alive", hanging)) == (1, "")
    assert words_of(fakes.call("stop", hanging)) == (1, f"playstream stop: no active run in {hanging}")
    assert sorted(path.name for path in (hanging / "artifacts").iterdir()) == ["latest", "one"]
    assert marked_processes(fakes.temporary) == []
    assert fakes.leftovers() == []


def test_a_run_that_ends_by_itself(stages: Stages, directory: Path) -> None:
    done = stages.call("-q", "start", directory, "-p", "site.yml", "-i", "x", "--artifact-dir", directory / "kept")
    assert words_of(done) == (0, "")
    wait_until(lambda: stages.call("is-alive", directory, "-q").returncode == 1)
    assert (directory / "kept" / "x" / "status").read_text() == "successful"
    assert not (directory / "artifacts").exists()


def test_several_runs_have_to_be_told_apart(fakes: Stages, hanging: Path) -> None:
    for ident in ("a", "b"):
        assert fakes.call("start", hanging, "-p", "hang.yml", "-i", ident).returncode == 0
    status, line = words_of(fakes.call("stop", hanging))
    assert (status, line) == (1, "playstream stop: several runs are active: choose one with -i: a, b")
    assert fakes.call("is-alive", hanging).returncode == 0
    stop_all(fakes, hanging, "a", "b")


def test_a_run_is_also_called_latest_or_by_the_beginning_of_its_uuid(fakes: Stages, hanging: Path) -> None:
    uuids = ("1b2c3d4e-0000-4000-8000-000000000001", "1b2c3d4e-0000-4000-8000-000000000002", "beef")
    for ident in uuids:
        assert fakes.call("start", hanging, "-p", "hang.yml", "-i", ident).returncode == 0
    assert words_of(fakes.call("is-alive", hanging, "-i", "latest"))[1].startswith("alive: beef (process ")
    assert words_of(fakes.call("stop", hanging, "-i", "1b2c3d4e")) == (
        1,
        f"playstream stop: several active runs have names that start with '1b2c3d4e': {uuids[0]}, {uuids[1]}",
    )
    assert words_of(fakes.call("stop", hanging, "-i", "bee"))[0] == 1, "only a UUID has a beginning"
    assert words_of(fakes.call("stop", hanging, "-i", uuids[0])) == (0, f"stopped {uuids[0]}")
    assert words_of(fakes.call("stop", hanging, "-i", "1b2c3d4e")) == (0, f"stopped {uuids[1]}")
    assert words_of(fakes.call("stop", hanging, "-i", "latest")) == (0, "stopped beef")
    assert words_of(fakes.call("stop", hanging, "-i", "latest")) == (
        1,
        f"playstream stop: no active run 'beef' in {hanging}",
    )


def test_a_run_in_the_foreground_is_known_too(fakes: Stages, hanging: Path) -> None:
    process = fakes.start("run", hanging, "-p", "hang.yml", "-i", "x")
    wait_until(lambda: fakes.call("is-alive", hanging, "-i", "x").returncode == 0)
    stop_all(fakes, hanging, "x")
    _, stderr = process.communicate(timeout=LIMIT_SECONDS)
    assert (process.returncode, stderr) == (254, b"playstream run: canceled by SIGTERM\n")


def test_a_killed_run_is_not_alive_and_its_number_is_not_signalled(fakes: Stages, hanging: Path) -> None:
    process = fakes.start("run", hanging, "-p", "hang.yml", "-i", "x")
    note = hanging / "artifacts" / ".running" / "@x"
    wait_until(note.exists)
    process.kill()
    process.communicate(timeout=LIMIT_SECONDS)
    with subprocess.Popen(["sleep", "60"]) as other:
        note.write_text(f'{{"pid": {other.pid}, "ident": "x"}}')
        assert fakes.call("is-alive", hanging).returncode == 1
        assert fakes.call("stop", hanging).returncode == 1
        assert other.poll() is None
        other.send_signal(signal.SIGKILL)
    wait_until(lambda: marked_processes(fakes.temporary) == [])
    assert fakes.call("start", hanging, "-p", "hang.yml", "-i", "y").returncode == 0
    stop_all(fakes, hanging, "y")
    assert not note.parent.exists()


@pytest.mark.parametrize("closed", ["artifacts", "artifacts/.running", "artifacts/.running/@x"])
def test_what_another_user_may_not_see_is_not_taken_for_nothing(fakes: Stages, hanging: Path, closed: str) -> None:
    note = hanging / "artifacts/.running/@x"
    note.parent.mkdir(parents=True)
    note.touch()
    (hanging / closed).chmod(0)
    for words in (("is-alive", hanging, "-q"), ("is-alive", hanging, "-i", "x"), ("stop", hanging)):
        asking = fakes.start(*words, prefix=MODES_BIND)
        stdout, stderr = asking.communicate(timeout=LIMIT_SECONDS)
        assert (asking.returncode, stdout) == (JobError.exit_status, b"")
        told = f"{words[0]}: cannot tell whether a run is active: no permission to read '{note.parent}"
        assert told in stderr.decode()
        assert stderr.count(b"\n") == 1
    (hanging / closed).chmod(0o700)
    assert fakes.call("is-alive", hanging, "-q").returncode == 1


def test_a_note_must_not_send_the_signal_elsewhere(fakes: Stages, hanging: Path) -> None:
    """Whoever may write the note may hold its lock too: a process of another user is not signalled."""
    if os.geteuid() != 0:
        pytest.skip("only root can start a process of another user, and could signal it")
    note = hanging / "artifacts" / ".running" / "@x"
    note.parent.mkdir(parents=True)
    with subprocess.Popen(["sleep", "60"], user=65534) as other:
        note.write_text(f'{{"pid": {other.pid}, "ident": "x"}}')
        with subprocess.Popen(["flock", str(note), "sleep", "60"], start_new_session=True) as holder:
            wait_until(lambda: fakes.call("is-alive", hanging, "-q").returncode == 0)
            assert b"(process unknown)" in fakes.call("is-alive", hanging).stdout
            os.killpg(holder.pid, signal.SIGTERM)
        assert other.poll() is None
        other.kill()


def test_what_ends_a_run_when_it_begins_is_told_by_start(fakes: Stages, hanging: Path) -> None:
    """Its artifacts cannot be written: they are another run's, or something else is there."""
    artifacts = hanging / "artifacts"
    (artifacts / "taken").mkdir(parents=True)
    (artifacts / "file").write_text("")
    taken = os.open(artifacts / "taken", os.O_RDONLY)
    try:
        fcntl.flock(taken, fcntl.LOCK_EX)
        for ident, code, message in (
            ("taken", ConfigurationError.exit_status, "another run is writing its artifacts"),
            ("file", JobError.exit_status, "the artifacts cannot be written"),
        ):
            status, line = words_of(fakes.call("start", hanging, "-p", "hang.yml", "-i", ident))
            assert (status, line[:18]) == (code, "playstream start: "), line
            assert message in line
            assert words_of(fakes.call("is-alive", hanging, "-q")) == (1, "")
    finally:
        os.close(taken)
    assert fakes.leftovers() == []
