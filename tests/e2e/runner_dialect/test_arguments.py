"""What transmit is told reaches the other side's worker, and means the same there."""

from __future__ import annotations

import sys
from itertools import product
from pathlib import Path

import pytest

from tests.e2e.runner_dialect.comparison import Normal, differences
from tests.e2e.runner_dialect.pipeline import OURS, THEIRS, Combination, run

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
        "-p",
        "site.yml",
        "--inventory",
        "{dir}/more hosts",
        "--limit",
        "node2",
        "--forks",
        "2",
        "--only-failed-event-data",
    ),
    "command line": (
        "-p",
        "site.yml",
        "--cmdline",
        "--skip-tags left_out --tags told -e 'two=\"2 é\"'",
        "--omit-event-data",
    ),
    "a module": (
        "-m",
        "command",
        "-a",
        "sh -c 'pwd; ls -d project'",
        "--hosts",
        "node1",
        "--cmdline",
        "-e @vars.yml",
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
    (directory / "vars.yml").write_text("two: 2\n")
    return directory


@pytest.mark.parametrize("name", FLAGS)
def test_they_mean_the_same(name: str, directory: Path, tmp_path: Path) -> None:
    flags = tuple(word.replace("{dir}", str(directory)) for word in FLAGS[name])
    if "-m" in flags:
        (directory / "env" / "cmdline").unlink()  # it has options of playbooks
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
        if "-m" in flags:
            # In ansible-runner it names the task, of which a module's run has no event; in ours an event that has come.
            for event in contents["events"]:
                event.pop("parent_uuid", None)
        assert differences(contents, measure) == [], pair


@pytest.mark.parametrize("worker", [OURS, THEIRS])
@pytest.mark.parametrize("what", [("-p", "site.yml"), ("-m", "ping")], ids=["playbook", "module"])
def test_several_inventories(what: tuple[str, str], worker: str, directory: Path, tmp_path: Path) -> None:
    """They travel as words of the command line, which mean something only where Ansible is started."""
    flags = (*what, "--inventory", "inventory/hosts", "--inventory", "more hosts")
    (directory / "project" / "site.yml").write_text("- hosts: all\n  gather_facts: false\n  tasks: [ping: ]\n")
    (directory / "env" / "cmdline").unlink()
    place = tmp_path / "run"
    place.mkdir()
    done = run(Combination(OURS, worker, OURS), directory, place, flags)
    assert done.exit_statuses == (0, 0, 0), done.stderr
    assert done.events[-1]["event_data"]["ok"] == {"node1": 1, "node2": 1, "node3": 1}


@pytest.mark.parametrize("worker", [OURS, THEIRS])
def test_a_task_to_start_at(worker: str, directory: Path, tmp_path: Path) -> None:
    """ansible-runner has no argument for it, and does it all the same."""
    (directory / "env" / "cmdline").write_text("--diff\n")
    (directory / "project" / "site.yml").write_text(
        "- hosts: all\n  gather_facts: false\n  tasks:\n    - fail:\n    - {name: say 'it', debug: {msg: it is said}}\n"
    )
    place = tmp_path / "run"
    place.mkdir()
    done = run(Combination(OURS, worker, OURS), directory, place, ("-p", "site.yml", "--start-at-task", "say 'it'"))
    assert done.exit_statuses == (0, 0, 0), done.stderr
    assert "it is said" in done.text("stdout")


@pytest.mark.parametrize("worker", [OURS, THEIRS])
def test_settings_that_ansible_runner_knows_as_arguments_alone(worker: str, directory: Path, tmp_path: Path) -> None:
    (directory / "project" / "site.yml").write_text(
        "- hosts: all\n  gather_facts: false\n  tasks: [set_fact: {answer: 42, cacheable: true}]\n"
    )
    (directory / "env" / "settings").write_text("fact_cache_type: ''\n")
    place = tmp_path / "run"
    place.mkdir()
    done = run(Combination(OURS, worker, OURS), directory, place, ("-p", "site.yml"))
    assert done.exit_statuses == (0, 0, 0), done.stderr
    assert list((done.artifacts / "fact_cache").glob("*")) == []
