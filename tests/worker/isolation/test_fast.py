"""`--fast` in a container: the step runs in one as the job does, and decides by what is in there."""

from __future__ import annotations

import json
from typing import Any

import pytest

import playstream
from tests.conftest import MakeDir
from tests.worker.isolation.conftest import list_containers
from tests.worker.isolation.image import IMAGE

PLAYBOOK = """\
- hosts: all
  gather_facts: false
  tasks:
    - copy: {content: made, dest: "{{ playbook_dir }}/made"}
"""


@pytest.mark.parametrize("user", [None, "1234:100"])
def test_the_step_runs_in_a_container(
    user: str | None, private_data_dir: MakeDir, podman_storage: dict[str, str]
) -> None:
    job = private_data_dir({"site.yml": PLAYBOOK}, hosts=("node1", "node2"))
    (job / "project").chmod(0o777)
    (job / "project" / "ansible.cfg").write_text("[defaults]\nforks = 7\n")
    (job / "project" / "ansible.cfg").chmod(0o644)
    options: dict[str, Any] = {
        "private_data_dir": job,
        "playbook": "site.yml",
        "quiet": True,
        "process_isolation": True,
        "container_image": IMAGE,
        "container_options": ["--network=none", *([] if user is None else [f"--user={user}"])],
        "envvars": {"ANSIBLE_CONFIG": "/runner/project/ansible.cfg"},
    }
    explained = playstream.run(fast="explain", **options)
    lines = (explained.artifact_path / "stdout").read_text().splitlines()
    assert (explained.status, explained.rc) == ("successful", 0), explained.explanation
    assert lines[1] == "forks: no change, set to 7 by /runner/project/ansible.cfg"
    assert lines[3].startswith("mitogen: no change, it is not installed for the Python of Ansible")
    assert not (job / "project" / "made").exists()
    assert list_containers(podman_storage) == []

    seen: list[dict[str, Any]] = []
    run = playstream.run(fast=True, status_handler=lambda data, **_: seen.append(data), **options)
    assert (run.status, run.rc) == ("successful", 0), run.explanation
    assert (job / "project" / "made").read_text() == "made"
    assert "no mitogen: it is not installed" in seen[0]["job_explanation"]
    assert json.dumps(seen[0]["env"]).count("ANSIBLE_STRATEGY") == 0
    assert list_containers(podman_storage) == []


def test_a_container_that_cannot_start_is_an_error_as_without(
    private_data_dir: MakeDir, podman_storage: dict[str, str]
) -> None:
    job = private_data_dir({"site.yml": PLAYBOOK})
    ends = []
    for fast in (False, True):
        run = playstream.run(
            private_data_dir=job,
            playbook="site.yml",
            quiet=True,
            fast=fast,
            process_isolation=True,
            container_image="localhost/no-such-image:latest",
            container_options=["--pull=never"],
        )
        ends.append((run.status, run.rc, run.explanation))
    assert ends[0] == ends[1]
    assert ends[0][0] == "error"
