"""What transmit is told reaches the other side's worker, and means the same there."""

from __future__ import annotations

import sys
from itertools import product
from pathlib import Path

import pytest

from tests.runner_dialect.comparison import Normal, differences
from tests.runner_dialect.pipeline import OURS, THEIRS, Combination, run

PLAYBOOK = """\
- hosts: all
  gather_facts: false
  tasks:
    - debug:
        msg: "{{ one }}, {{ two | default('none') }} and {{ lookup('env', 'THREE') }}"
      tags: [told]
    - command: "false"
      ignore_errors: true
    - fail:
        msg: not to be run
      tags: [left_out]
"""
FLAGS = {
    "env files suppressed": ("-p", "site.yml", "--omit-env-files"),
    "inventory, limit, forks": (
        "-p", "site.yml", "--inventory", "{dir}/more hosts", "--limit", "node2", "--forks", "2",
        "--only-failed-event-data",
    ),
    "command line": (
        "-p", "site.yml", "--cmdline", "--skip-tags left_out --tags told -e 'two=\"2 é\"'", "--omit-event-data",
    ),
}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A private data directory with files in env/ and two inventories."""
    directory = tmp_path / "sent"
    for name in ("project", "inventory", "env"):
        (directory / name).mkdir(parents=True)
    (directory / "project" / "site.yml").write_text(PLAYBOOK)
    local = f"ansible_connection=local ansible_python_interpreter={sys.executable}\n"
    (directory / "inventory" / "hosts").write_text(f"node1 {local}")
    (directory / "more hosts").write_text(f"node2 {local}node3 {local}")
    (directory / "env" / "extravars").write_text('{"one": "1 ü"}')
    (directory / "env" / "envvars").write_text("THREE: '3'\n")
    (directory / "env" / "cmdline").write_text("--skip-tags left_out\n")
    return directory


@pytest.mark.parametrize("name", FLAGS)
def test_they_mean_the_same(name: str, directory: Path, tmp_path: Path) -> None:
    flags = tuple(word.replace("{dir}", str(directory)) for word in FLAGS[name])
    found = {}
    for transmit, worker in product((THEIRS, OURS), repeat=2):
        place = tmp_path / f"{transmit}-{worker}"
        place.mkdir()
        done = run(Combination(transmit, worker, OURS), directory, place, flags)
        assert done.exit_statuses == (0, 0, 0), done.stderr
        assert done.stderr == ""
        found[transmit, worker] = Normal(done).contents()
    measure = found[THEIRS, THEIRS]
    assert "not to be run" not in "".join(measure["stdout"])
    for pair, contents in found.items():
        assert differences(contents, measure) == [], pair
