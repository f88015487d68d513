"""Controllers that use ansible-runner, with `playstream worker` on the execution node in place of its worker."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.ansible_runner_env import ansible_runner_python
from tests.e2e.mesh.checks import check_artifacts
from tests.e2e.mesh.conftest import StartMesh
from tests.e2e.mesh.nodes import EXECUTION, IN_PLACE_OF_ANSIBLE_RUNNER, Mesh
from tests.stages import LIMIT_SECONDS, Stages

AWX_LIKE = Path(__file__).with_name("awx_like.py")


@pytest.fixture
def fleet(start_mesh: StartMesh) -> Mesh:
    """A mesh whose work type is ansible-runner's, as the page says."""
    others = [item for item in EXECUTION if "work-command" not in item]
    return start_mesh(execution=[*others, *IN_PLACE_OF_ANSIBLE_RUNNER])


@pytest.fixture(scope="module")
def runner_python() -> Path:
    """The Python that has ansible-runner."""
    return ansible_runner_python()


def run_ansible_runner(python: Path, stages: Stages, *words: str | Path, stdin: bytes = b"") -> bytes:
    """What `ansible-runner` prints; it must succeed."""
    command = [python, "-m", "ansible_runner", *words]
    done = subprocess.run(command, input=stdin, capture_output=True, env=stages.env, timeout=LIMIT_SECONDS, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_ansible_runner_on_the_command_line(fleet: Mesh, stages: Stages, demo: Path, runner_python: Path) -> None:
    job = run_ansible_runner(runner_python, stages, "transmit", demo, "-p", "site.yml")
    results = fleet.controller.results(fleet.controller.submit(job, worktype="ansible-runner"))
    shown = run_ansible_runner(runner_python, stages, "process", demo, stdin=results)
    check_artifacts(demo / "artifacts")
    assert "TASK [A file travels]" in shown.decode()
    assert stages.leftovers() == []


def test_a_controller_like_awx(fleet: Mesh, stages: Stages, demo: Path, runner_python: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [runner_python, AWX_LIKE, fleet.controller.socket, demo, f"--private-data-dir={tmp_path}/awx_1 --delete"],
        capture_output=True,
        env={**stages.env, "PYTHONPATH": str(fleet.receptor.python_path)},
        check=False,
        timeout=LIMIT_SECONDS,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["status"] == "successful"
    assert told["statuses"] == ["starting", "running", "successful"]
    assert told["events"].count("runner_item_on_ok") == 40
    assert told["events"][-1] == "playbook_on_stats"
    assert (demo / "artifacts" / "fact_cache" / "node1").exists()
    assert not (tmp_path / "awx_1").exists()


def test_what_else_awx_asks_a_node(fleet: Mesh, tmp_path: Path) -> None:
    info = yaml.safe_load(ask(fleet, "--worker-info"))
    assert info.keys() >= {"cpu_count", "errors", "mem_in_bytes", "runner_version"}
    (tmp_path / "awx_7_left").mkdir()
    told = ask(fleet, f"cleanup --file-pattern={tmp_path}/awx_* --grace-period=0")
    assert told.endswith(b"(changed: True)\n")
    assert not (tmp_path / "awx_7_left").exists()


def ask(mesh: Mesh, params: str) -> bytes:
    """What a worker prints that gets no job."""
    return mesh.controller.results(mesh.controller.submit(b"", "-a", f"params={params}", worktype="ansible-runner"))
