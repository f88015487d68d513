"""The last line of a run that failed says which hosts failed where, and why."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.conftest import MakeDir
from tests.stages import Stages

SITE = """\
- hosts: all
  gather_facts: false
  tasks:
    - name: Break
      ansible.builtin.fail:
        msg: "\\e[31mit\\e[0m\\nbroke \\a"
"""
TOLD = "failed: node1 failed at task 'Break': it broke"


@pytest.fixture
def broken(private_data_dir: MakeDir) -> Path:
    return private_data_dir({"site.yml": SITE}, name="broken")


def test_a_run(stages: Stages, broken: Path) -> None:
    for flags in ([], ["-q"], ["-j"]):
        done = stages.call("run", broken, "-p", "site.yml", "-i", "1", *flags)
        assert done.returncode == 2
        assert done.stderr.decode() == f"playstream run: {TOLD} \\x07\n"


def test_without_a_private_data_directory(stages: Stages, broken: Path) -> None:
    done = stages.call("playbook", broken / "project" / "site.yml", "-i", broken / "inventory")
    assert (done.returncode, done.stderr.decode()) == (2, f"playstream playbook: {TOLD} \\x07\n")
    python = f"ansible_python_interpreter={sys.executable}"
    done = stages.call("adhoc", "node1", "-i", "node1,", "-c", "local", "-e", python, "-a", "cat /nonesuch")
    assert done.returncode == 2
    assert done.stderr.startswith(b"playstream adhoc: failed: node1 failed at task 'command': ")
    assert b"/nonesuch: No such file or directory\n" in done.stderr


@pytest.mark.parametrize("dialect", ["playstream", "runner"])
def test_a_stream_its_replay_and_its_summary(stages: Stages, broken: Path, dialect: str) -> None:
    job = stages.transmit(broken, "-p", "site.yml", "--dialect", dialect)
    run = stages.call("worker", stdin=job).stdout
    for ident in ("1", "again"):
        done = stages.call("process", broken, "-i", ident, "--summary", "-", stdin=run)
        assert (done.returncode, done.stderr.decode()) == (2, f"playstream process: {TOLD} \\x07\n")
        assert json.loads(done.stdout)["explanation"] == TOLD.removeprefix("failed: ") + " \a"


def test_the_store(stages: Stages, broken: Path, tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path}/runs.db"
    stages.call("run", broken, "-p", "site.yml", "-i", "1", "--store", store)
    for words in (["runs"], ["show", "1"]):
        done = stages.call(*words, "--store", store)
        assert TOLD.removeprefix("failed: ") in done.stdout.decode()
