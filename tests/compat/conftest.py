"""What the tests of the import face share: ansible-runner itself, and programs run under one or the other."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.ansible_runner_env import ansible_runner_python
from tests.interface.conftest import make_demo
from tests.stages import LIMIT_SECONDS

PROGRAMS = Path(__file__).with_name("programs")
PLAYBOOKS = {
    "two.yml": """\
- hosts: all
  gather_facts: false
  tasks:
    - debug: {msg: "{{ word }} {{ lookup('env', 'WORD') }}"}
""",
    "pause.yml": "- {hosts: all, gather_facts: false, tasks: [{command: sleep 60}]}\n",
    "fails.yml": "- {hosts: all, gather_facts: false, tasks: [{fail: {msg: as asked}}]}\n",
}

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def runner_python() -> Path:
    """The Python that has ansible-runner itself."""
    return ansible_runner_python()


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs a Python with arguments; Ansible is the one beside that Python."""

    def run(*words: str | Path, python: Path = Path(sys.executable)) -> subprocess.CompletedProcess[str]:
        (tmp_path / "tmp").mkdir(exist_ok=True)
        return subprocess.run(
            [python, *map(str, words)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=LIMIT_SECONDS,
            cwd=tmp_path,
            env={**os.environ, "PATH": f"{python.parent}:{os.environ['PATH']}", "TMPDIR": str(tmp_path / "tmp")},
        )

    return run


def make_directory(directory: Path) -> Path:
    """A private data directory for the programs."""
    make_demo(directory)
    for name, text in PLAYBOOKS.items():
        (directory / "project" / name).write_text(text)
    tasks = directory / "roles" / "small" / "tasks"
    tasks.mkdir(parents=True)
    (tasks / "main.yml").write_text("- name: In the role\n  debug: {msg: '{{ word }}'}\n")
    return directory
