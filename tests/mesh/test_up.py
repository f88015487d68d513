"""`playstream mesh up`: two commands from nothing to a job."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
from pathlib import Path

import pytest

from playstream.cli.main import main
from playstream.mesh.directory import running_servers
from tests.mesh.servers import CURRENT, OLDEST, find_server
from tests.stages import LIMIT_SECONDS, PLAYSTREAM, Stages


@pytest.mark.parametrize("which", [OLDEST, CURRENT])
def test_two_commands_lead_from_nothing_to_a_job(which: str, stages: Stages, directory: Path, tmp_path: Path) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "nats-server").symlink_to(find_server(which))
    stages.path_before.append(programs)
    for _ in range(2):  # the second time the mesh is there
        up = stages.start("mesh", "up", tmp_path / "mesh", stdin=subprocess.DEVNULL)
        assert up.stdout is not None
        up.stdout.readline()
        words = shlex.split(up.stdout.readline().decode())
        assert words[1:3] == ["playstream", "run"]
        command = ["env", words[0], *PLAYSTREAM, "run", str(directory), *words[4:]]
        done = subprocess.run(command, env=stages.env, capture_output=True, timeout=LIMIT_SECONDS, check=False)
        assert done.returncode == 0, done.stderr.decode()
        assert b"hello" in done.stdout
        up.send_signal(signal.SIGINT)
        _stdout, stderr = up.communicate(timeout=LIMIT_SECONDS)
        assert up.returncode == 0, stderr.decode()
    assert running_servers(tmp_path / "mesh") == []


def test_a_missing_server_is_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert main(["mesh", "up", str(tmp_path / "mesh")]) == 1
    assert "nats-server was not found on the PATH" in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "mesh").exists()


def test_a_server_that_cannot_run_is_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "nats-server").write_text("#!/bin/sh\necho the disk is on fire >&2\nexit 1\n")
    (tmp_path / "nats-server").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert main(["mesh", "up", str(tmp_path / "mesh")]) == 1
    assert "nats-server has ended. The last lines of" in " ".join(capsys.readouterr().err.split())
