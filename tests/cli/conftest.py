"""Private data directories for runs on this host, a fake Ansible that hangs on request, and users at terminals."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.questions import PAUSE
from tests.cli.typist import QUESTIONS, Typist, start_shell
from tests.conftest import MakeDir
from tests.stages import PLAYSTREAM, Stages

FAKES = Path(__file__).parent.parent / "worker" / "fakes"
SITE = """\
- hosts: all
  gather_facts: false
  tasks:
    - name: greet
      ansible.builtin.debug:
        msg: hello {{ inventory_hostname }}
    - name: change
      ansible.builtin.debug:
        msg: changed
      changed_when: true
    - name: break
      ansible.builtin.fail:
        msg: broken
      when: broken is defined
"""
GREET = """\
- ansible.builtin.debug:
    msg: "{{ who }} {{ n + 1 }}"
"""


@pytest.fixture
def directory(private_data_dir: MakeDir) -> Path:
    """A private data directory with the playbook site.yml and the role greet."""
    found = private_data_dir({"site.yml": SITE})
    tasks = found / "roles" / "greet" / "tasks" / "main.yml"
    tasks.parent.mkdir(parents=True)
    tasks.write_text(GREET)
    return found


@pytest.fixture
def fakes(stages: Stages) -> Stages:
    """Stages that find a fake ansible-playbook, which does what the playbook's name says."""
    stages.path_before.append(FAKES)
    return stages


@pytest.fixture
def hanging(private_data_dir: MakeDir, fakes: Stages) -> Path:
    """A private data directory whose playbook hang.yml never ends."""
    return private_data_dir({"hang.yml": "[]\n"}, name="hanging")


@pytest.fixture
def asking(private_data_dir: MakeDir) -> Path:
    """A private data directory whose playbooks ask questions."""
    made = private_data_dir({"site.yml": QUESTIONS, "pause.yml": PAUSE}, name="asking")
    (made / "inventory").mkdir(exist_ok=True)
    (made / "env").mkdir(exist_ok=True)
    (made / "inventory" / "hosts").write_text("node1 ansible_connection=local\n")
    return made


@pytest.fixture
def shell(stages: Stages, tmp_path: Path) -> Iterator[Typist]:
    """A shell with job control in `tmp_path`."""
    shell = start_shell({**stages.env, "TERM": "xterm-256color"}, tmp_path)
    yield shell
    shell.close()


@pytest.fixture
def begin(stages: Stages) -> Iterator[Callable[..., Typist]]:
    """Starts commands, each on a terminal of its own."""
    begun: list[Typist] = []

    def begin_one(*words: str | Path) -> Typist:
        begun.append(Typist([*PLAYSTREAM, *words], {**stages.env, "TERM": "xterm-256color"}))
        return begun[-1]

    yield begin_one
    for typist in begun:
        typist.close()
