"""A run that starts at a task: on this host, and elsewhere in both dialects; and one whose task is not there."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

import playstream
from tests.interface.programs import INVENTORY, play

NAMES = ["first", 'it\'s the "second" one; $HOME [x]', "- third"]
PATTERN = "it's*one*"
PLAYBOOK = [play(*({"name": name, "debug": {"msg": name}} for name in NAMES))]
MISSING = "no task to start at is named 'fourth', so nothing was done. Check the name"


def said(runner: playstream.Runner) -> list[str]:
    """Return what the tasks have shown.

    In front of the first one Ansible has tasks of its own, whatever the play says: it gathers facts, and 2.21 checks
    the arguments of the play.
    """
    ended = [event["event_data"] for event in runner.events if event["event"] == "runner_on_ok"]
    return [data["res"]["msg"] for data in ended if data["task_action"].endswith("debug")]


def elsewhere(directory: Path, dialect: Any, **options: Any) -> playstream.Runner:
    """Run a job through three stages in memory."""
    sent, results = io.BytesIO(), io.BytesIO()
    playstream.run(streamer="transmit", dialect=dialect, _output=sent, **options)
    playstream.run(streamer="worker", _input=io.BytesIO(sent.getvalue()), _output=results)
    return playstream.run(
        streamer="process", private_data_dir=directory, _input=io.BytesIO(results.getvalue()), quiet=True
    )


@pytest.mark.parametrize("name", [*NAMES, PATTERN])
def test_on_this_host(name: str) -> None:
    runner = playstream.run(playbook=PLAYBOOK, inventory=INVENTORY, start_at_task=name, quiet=True)
    assert said(runner) == NAMES[1 if name == PATTERN else NAMES.index(name) :]
    assert (runner.status, runner.explanation) == ("successful", None)


@pytest.mark.parametrize("dialect", ["playstream", "runner"])
@pytest.mark.parametrize("name", NAMES)
def test_elsewhere(tmp_path: Path, demo: Path, name: str, dialect: str) -> None:
    """With words of the caller's, which come after it."""
    options: dict[str, Any] = {
        "playbook": PLAYBOOK,
        "inventory": INVENTORY,
        "cmdline": "--diff -e 'a=b c'",
        "private_data_dir": demo,
    }
    runner = elsewhere(tmp_path / "got", dialect, start_at_task=name, **options)
    assert said(runner) == NAMES[NAMES.index(name) :]
    options["cmdline"] = "--start-at-task='- third'"
    runner = elsewhere(tmp_path / "again", dialect, start_at_task=NAMES[0], **options)
    assert said(runner) == NAMES[2:]


def test_a_role_and_tasks(demo: Path) -> None:
    tasks = demo / "project" / "roles" / "greet" / "tasks" / "main.yml"
    tasks.parent.mkdir(parents=True)
    tasks.write_text("- {name: one, debug: {msg: 1st}}\n- {name: two, debug: {msg: 2nd}}\n")
    for name in ("two", "greet : two"):
        runner = playstream.run(
            private_data_dir=demo, role="greet", role_skip_facts=True, start_at_task=name, quiet=True
        )
        assert said(runner) == ["2nd"]
    given: list[dict[str, Any]] = [{"name": "one", "debug": {"msg": "1st"}}, {"name": "two", "debug": {"msg": "2nd"}}]
    runner = playstream.run(
        tasks=given, gather_facts=False, inventory=INVENTORY, hosts="node1", start_at_task="two", quiet=True
    )
    assert said(runner) == ["2nd"]


@pytest.mark.parametrize("options", [{"start_at_task": "fourth"}, {"cmdline": "--start-at-task fourth"}])
@pytest.mark.parametrize("facts", [False, True])
def test_no_task_has_the_name(options: dict[str, Any], facts: bool) -> None:
    playbook = [{**PLAYBOOK[0], "gather_facts": facts}]
    runner = playstream.run(playbook=playbook, inventory=INVENTORY, quiet=True, **options)
    assert (runner.status, runner.rc) == ("successful", 0)
    assert runner.explanation is not None
    assert runner.explanation.startswith(MISSING)


@pytest.mark.parametrize("dialect", ["playstream", "runner"])
def test_no_task_has_the_name_elsewhere(tmp_path: Path, demo: Path, dialect: str) -> None:
    runner = elsewhere(
        tmp_path / "got", dialect, private_data_dir=demo, playbook="site.yml", start_at_task=f"{'a b ' * 100}end"
    )
    assert runner.status == "successful"
    assert runner.explanation is not None
    assert f"named '{'a b ' * 75}…', so nothing was done" in runner.explanation


def test_no_host_is_told_before_no_task() -> None:
    """Ansible says that it has found no task, because it has looked for none."""
    runner = playstream.run(
        playbook=[{**PLAYBOOK[0], "hosts": "nobody"}], inventory="n,", start_at_task="first", quiet=True
    )
    assert runner.explanation == "no play matched a host, so nothing was done. Check the inventory, hosts and limit"
