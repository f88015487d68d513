"""What a real engine says by its exit status is not taken for Ansible's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import playstream
from playstream.pipeline.errors import IsolationError
from tests.conftest import MakeDir
from tests.interface.programs import fake
from tests.stages import Stages
from tests.worker.isolation.image import IMAGE

PODMAN: dict[str, Any] = {"process_isolation": True, "container_image": IMAGE}
NETWORK = "--network=none"
CASES: dict[str, tuple[dict[str, Any], str]] = {
    "no such image": (
        {"container_image": "localhost/nonesuch:1", "container_options": [NETWORK, "--pull=never"]},
        "exited with status 125 without starting the job",
    ),
    "no such option": ({"container_options": [NETWORK, "--nonesuch=true"]}, "exited with status 125 without"),
    "a shell that cannot be run": (
        {"container_options": [NETWORK], "container_volume_mounts": ["/dev/null:/bin/sh"]},
        "exited with status 126 without starting the job",
    ),
    "no Ansible": (
        {"container_options": [NETWORK], "envvars": {"PATH": "/nonesuch"}},
        "exit status 127 in the container or sandbox",
    ),
}


@pytest.fixture
def demo(private_data_dir: MakeDir) -> Path:
    return private_data_dir({"site.yml": "- hosts: all\n  gather_facts: false\n  tasks: [fail: {msg: broken}]\n"})


@pytest.mark.parametrize("case", CASES)
def test_podman(demo: Path, podman_storage: dict[str, str], case: str) -> None:
    options, told = CASES[case]
    ran = playstream.run(private_data_dir=demo, playbook="site.yml", quiet=True, **{**PODMAN, **options})
    assert (ran.status, ran.rc, ran.exit_status) == ("error", None, IsolationError.exit_status), ran.explanation
    assert told in (ran.explanation or "")
    assert not (ran.artifact_path / "rc").exists()


def test_what_ansible_says_inside_is_its_own(demo: Path, podman_storage: dict[str, str]) -> None:
    options = {**PODMAN, "container_options": [NETWORK]}
    ran = playstream.run(private_data_dir=demo, playbook="site.yml", quiet=True, **options)
    assert (ran.status, ran.rc, ran.exit_status) == ("failed", 2, 2)
    assert "failed at task 'fail': broken" in (ran.explanation or "")


@pytest.mark.parametrize("dialect", ["playstream", "runner"])
def test_the_command_line_and_a_pipe(stages: Stages, demo: Path, podman_storage: dict[str, str], dialect: str) -> None:
    options, told = CASES["no such image"]
    (demo / "env").mkdir()
    (demo / "env" / "settings").write_text(json.dumps({**PODMAN, **options}))
    done = stages.call("run", demo, "-p", "site.yml", "-i", "1")
    assert done.returncode == IsolationError.exit_status
    assert told in done.stderr.decode().splitlines()[-1]
    worked = stages.call("worker", stdin=stages.transmit(demo, "-p", "site.yml", "--dialect", dialect))
    assert worked.returncode == IsolationError.exit_status
    done = stages.call("process", demo, "-i", "2", stdin=worked.stdout)
    assert done.returncode == (IsolationError.exit_status if dialect == "playstream" else 72)
    assert told in done.stderr.decode().splitlines()[-1]


def test_bwrap_that_cannot_start_the_program(demo: Path, tmp_path: Path, home: Path) -> None:
    script = fake(tmp_path, "true", "ansible-playbook")
    Path(script).write_text("#!/nonesuch/interpreter\n")
    ran = playstream.run(
        private_data_dir=demo,
        playbook="site.yml",
        quiet=True,
        binary=script,
        process_isolation=True,
        process_isolation_executable="bwrap",
        process_isolation_show_paths=[str(tmp_path)],
    )
    assert (ran.status, ran.rc, ran.exit_status) == ("error", None, IsolationError.exit_status), ran.explanation
    assert "exit status 127 in the container or sandbox" in (ran.explanation or "")


def test_bwrap_that_fails_itself(demo: Path, tmp_path: Path) -> None:
    """It exits with 1, as Ansible may: for example where the kernel allows no user namespaces."""
    bwrap = fake(tmp_path, "echo 'bwrap: No permissions to create new namespace' >&2; exit 1", "bwrap")
    ran = playstream.run(
        private_data_dir=demo,
        playbook="site.yml",
        quiet=True,
        process_isolation=True,
        process_isolation_executable=bwrap,
    )
    assert (ran.status, ran.rc, ran.exit_status) == ("error", None, IsolationError.exit_status), ran.explanation
    assert "exited with status 1 without starting the job in the container or sandbox: it failed itself" in (
        ran.explanation or ""
    )
