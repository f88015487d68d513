"""--start-at-task, with each command that runs or sends a job."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.stages import Stages

NAME = 'say "it" \'s done'
SITE = """\
- hosts: all
  gather_facts: false
  tasks:
    - name: first
      ansible.builtin.debug: {msg: not to be shown}
    - name: say "it" 's done
      ansible.builtin.debug: {msg: to be shown}
"""
MISSING = "no task to start at is named 'nowhere', so nothing was done"


@pytest.fixture
def site(directory: Path) -> Path:
    """A private data directory whose playbook has a task to start at."""
    (directory / "project" / "site.yml").write_text(SITE)
    return directory


def test_run_and_playbook(stages: Stages, site: Path) -> None:
    playbook, inventory = site / "project" / "site.yml", site / "inventory"
    for words in (("run", site, "-p", "site.yml"), ("playbook", playbook, "-i", inventory)):
        done = stages.call(*words, "--start-at-task", NAME)
        assert done.returncode == 0, done.stderr
        assert b"to be shown" in done.stdout
        assert b"not to be shown" not in done.stdout
        done = stages.call(*words, "--start-at-task", "nowhere")
        assert done.returncode == 0
        assert done.stderr.decode().startswith(f"playstream {words[0]}: successful: {MISSING}")


def test_start(stages: Stages, site: Path) -> None:
    done = stages.call("start", site, "-p", "site.yml", "-i", "7", "--start-at-task", "first", "-m", "ping")
    assert done.returncode == 2
    done = stages.call("start", site, "-m", "ping", "-i", "7", "--start-at-task", "first")
    assert done.returncode == 1
    assert not (site / "artifacts" / "7").exists()


@pytest.mark.parametrize("dialect", ["playstream", "runner"])
def test_on_another_host(stages: Stages, site: Path, dialect: str) -> None:
    done = stages.run(site, "-p", "site.yml", "--dialect", dialect, "--start-at-task", NAME)
    assert "to be shown" in done.stdout
    assert "not to be shown" not in done.stdout
    done = stages.run(site, "-p", "site.yml", "--dialect", dialect, "--start-at-task", "nowhere")
    assert f"playstream process: successful: {MISSING}" in done.stderr


@pytest.mark.parametrize("command", ["run", "start", "transmit"])
@pytest.mark.parametrize(
    ("words", "exit_status", "expected"),
    [
        (("-m", "ping", "--start-at-task", "x"), 1, "--start-at-task applies to a playbook or role, but this job runs"),
        (("-p", "site.yml", "--start-at-task", ""), 2, "--start-at-task: expected a name, got an empty string"),
    ],
)
def test_what_is_refused(
    stages: Stages, site: Path, command: str, words: tuple[str, ...], exit_status: int, expected: str
) -> None:
    done = stages.call(command, site, *words)
    assert (done.returncode, done.stdout) == (exit_status, b"")
    assert expected in done.stderr.decode()
