"""An Ansible that is older than those that are tested runs, and says so once."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from playstream.plugin.callback.parts.of.playstream_recording.base import OLDEST
from tests.ansible_runner_env import ROOT, old_core_python
from tests.conftest import MakeDir
from tests.stages import Stages

PLAY = "- hosts: all\n  gather_facts: false\n  tasks: [{ping: }, {ping: }]\n"
PLAYBOOK = PLAY + PLAY


@pytest.fixture
def old_core(stages: Stages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let jobs run with an old Ansible. None starts on Python 3.12 or later: there, this one says that it is old."""
    if sys.version_info < (3, 12):
        stages.path_before.append(old_core_python().parent)
    else:
        (tmp_path / "sitecustomize.py").write_text("import ansible.release\nansible.release.__version__ = '2.13.13'\n")
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))


@pytest.mark.usefixtures("old_core")
@pytest.mark.parametrize("module", [False, True])
def test_one_warning(stages: Stages, private_data_dir: MakeDir, module: bool) -> None:
    directory = private_data_dir({"site.yml": PLAYBOOK}, hosts=("node1", "node2"))
    run = stages.run(directory, *(("-m", "ping", "--hosts", "all") if module else ("-p", "site.yml")))
    assert run.exit_statuses == (0, 0, 0), run.stderr
    assert run.stdout.count("playstream is tested with 2.15") == 1
    told = [event for event in run.events if "playstream is tested" in event["stdout"]]
    assert len(told) == 1


def test_none_with_what_is_tested(stages: Stages, private_data_dir: MakeDir) -> None:
    run = stages.run(private_data_dir({"site.yml": PLAYBOOK}), "-p", "site.yml")
    assert run.exit_statuses == (0, 0, 0), run.stderr
    assert "is tested with" not in run.stdout


def test_the_readme_names_the_same_version() -> None:
    assert f"ansible-core {'.'.join(map(str, OLDEST))} to" in (ROOT / "README.md").read_text()
