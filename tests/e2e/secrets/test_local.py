"""A run on this host with every secret, from files and from arguments; and at last the whole file system."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.secrets.conftest import CheckPlaces, Machine
from tests.e2e.secrets.job import SecretJob
from tests.e2e.secrets.markers import Search
from tests.e2e.secrets.watch import Watch, find_in_system
from tests.stages import LIMIT_SECONDS, Stages


@pytest.mark.parametrize("given", ["files", "arguments"])
def test_a_run(
    stages: Stages, secret_job: SecretJob, watch: Watch, check_places: CheckPlaces, tmp_path: Path, given: str
) -> None:
    search = Search(secret_job.secrets)
    store, log = tmp_path / "runs.db", tmp_path / "log"
    with watch:
        if given == "files":
            secret_job.write_env()
            done = stages.call(
                "run", secret_job.directory, "-p", "site.yml", "-vv", "--debug", "--logfile", log, "--store", store
            )
        else:
            options = {**secret_job.options, "store": f"sqlite:///{store}", "logfile": str(log), "verbosity": 2}
            done = subprocess.run(
                [sys.executable, "-m", "tests.e2e.secrets.program", "run", secret_job.directory],
                input=json.dumps(options).encode(),
                capture_output=True,
                check=False,
                env=stages.env,
                timeout=LIMIT_SECONDS,
            )
    assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
    check_places(watch)
    for text in (done.stdout, done.stderr, store.read_bytes(), log.read_bytes()):
        assert search.names_in(text) == set()
    command = secret_job.directory / "artifacts" / "latest" / "command"
    assert set(json.loads(command.read_text())["env"]["MY_TOKEN"]) == {"*"}


def test_the_whole_file_system(machine: Machine, began: float, tmp_path: Path) -> None:
    """What these tests have run left no secret in any file, but for what the tests themselves wrote."""
    left = find_in_system(machine.markers, began)
    ours = tmp_path.parent
    assert [finding for finding in left if not _is_ours(Path(finding.where), ours)] == []


def _is_ours(path: Path, ours: Path) -> bool:
    """In `env/` of a test of this session, where it was put.

    Directories are compared, not names: in a root of its own below another directory there are two names for each.
    """
    in_env = path.parent.name == "env" and path.parent.parent.name == "demo"
    return in_env and any(parent.samefile(ours) for parent in path.parents)
