"""What --galaxy has installed is found by ansible-runner's worker too, by variables."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.conftest import MakeDir
from tests.e2e.runner_dialect.pipeline import LIMIT_SECONDS, THEIRS, stage_command, stage_environment
from tests.galaxy.material import REQUIREMENTS, SITE, build_collection, commit_role
from tests.stages import Stages


def test_their_worker_finds_it(
    stages: Stages, private_data_dir: MakeDir, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("ANSIBLE_HOME", str(tmp_path / "ansible"))
    directory = private_data_dir({"site.yml": SITE})
    tarball = build_collection(tmp_path / "source", tmp_path, "1.0.0")
    text = REQUIREMENTS.format(tarball=tarball, role=commit_role(tmp_path / "role", "hello"))
    (directory / "project" / "requirements.yml").write_text(text)
    for flag, name, said in (("-p", "site.yml", "the role says hello"), ("-m", "mine.tools.tell", "1.0.0")):
        stream = stages.transmit(directory, flag, name, "--galaxy", "--dialect", "runner")
        env = stage_environment(THEIRS, stages.temporary)
        done = subprocess.run(
            stage_command(THEIRS, "worker"),
            input=stream,
            env=env,
            check=True,
            capture_output=True,
            timeout=LIMIT_SECONDS,
        )
        shown = stages.call("process", directory, "-i", name, stdin=done.stdout).stdout.decode()
        assert "1.0.0" in shown
        assert said in shown
