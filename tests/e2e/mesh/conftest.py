"""A mesh, and jobs for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import MakeDir
from tests.e2e.mesh.nodes import Config, Mesh
from tests.e2e.mesh.receptor_env import receptor
from tests.stages import Stages

PLAYBOOK = """\
- hosts: all
  gather_facts: false
  tasks:
    - name: A file travels
      script: hello.sh
    - name: Output in every language
      debug:
        msg: "{{ 'grüß dich 你好 ' * 400 }}"
    - name: A fact
      set_fact:
        answer: 42
        cacheable: true
    - name: Many results
      debug:
        msg: "{{ item }}"
      loop: "{{ range(40) | list }}"
"""
STUBBORN = """\
- hosts: all
  gather_facts: false
  tasks:
    - name: Wait until told to end, and say so
      command:
        argv:
          - sh
          - -c
          - |
            trap 'echo TERM > "{{ place }}/told"; exit 1' TERM
            echo $$ > "{{ place }}/started"
            sleep 60 & wait
"""
"""A task that leaves a trace of the signal that ended it."""

StartMesh = Callable[..., Mesh]


@pytest.fixture
def start_mesh(tmp_path: Path, stages: Stages) -> Iterator[StartMesh]:
    """Starts a mesh: the page's, or one with another configuration of the execution node."""
    started: list[Mesh] = []

    def start(**configs: Config) -> Mesh:
        directory = tmp_path / f"mesh{len(started)}"
        directory.mkdir()
        started.append(Mesh(receptor(), directory, stages.env, **configs))
        return started[-1]

    yield start
    for mesh in started:
        mesh.close()


@pytest.fixture
def mesh(start_mesh: StartMesh) -> Mesh:
    """The mesh of the page."""
    return start_mesh()


@pytest.fixture
def demo(private_data_dir: MakeDir, tmp_path: Path) -> Path:
    """A private data directory with the playbooks site.yml, which is through soon, and long.yml, which is not."""
    directory = private_data_dir({"site.yml": PLAYBOOK, "long.yml": STUBBORN})
    script = directory / "project" / "hello.sh"
    script.write_text("#!/bin/sh\necho hello from a file that travelled\n")
    script.chmod(0o755)
    (directory / "env").mkdir()
    (directory / "env" / "extravars").write_text(f"place: {tmp_path}\n")
    return directory
