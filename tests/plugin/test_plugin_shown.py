"""Whatever displays, each piece of text is in one event, in order."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.plugin.conftest import Ansible, Run

COLLECTIONS = "ANSIBLE_COLLECTIONS_PATH"


@pytest.mark.parametrize(
    ("env", "mark"),
    [
        ({"ANSIBLE_CALLBACK_RESULT_FORMAT": "yaml"}, "msg: |-"),
        ({"ANSIBLE_STDOUT_CALLBACK": "minimal", "ANSIBLE_DISPLAY_ARGS_TO_STDOUT": "1"}, "h1 | SUCCESS => {"),
        ({"ANSIBLE_STDOUT_CALLBACK": "oneline"}, "h1 | CHANGED | rc=0 | (stdout) told"),
        ({"ANSIBLE_STDOUT_CALLBACK": "acme.show.loud", COLLECTIONS: "collections"}, "LOUD ok"),
    ],
    ids=["yaml", "minimal", "oneline", "collection"],
)
def test_each_stdout_callback_is_recorded(ansible: Ansible, env: Mapping[str, str], mark: str, secret: str) -> None:
    run = ansible.playbook("small.yml", env=env)
    assert run.status == 0
    run.check()
    assert mark in run.terminal
    assert any(mark in event["stdout"] for event in run.named("runner_on_ok"))
    assert secret not in run.path.read_text()
    args = run.one("playbook_on_task_start", task="told")["event_data"]["task_args"]
    if "ANSIBLE_DISPLAY_ARGS_TO_STDOUT" in env:
        assert args == "_raw_params=echo told"
        assert "no_log" in run.one("runner_on_ok", task="quiet")["event_data"]["task_args"]
    else:
        assert args == ""


@pytest.fixture(scope="module")
def own(ansible: Ansible, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A project with an ansible.cfg that names the project's own stdout callback."""
    project = tmp_path_factory.mktemp("own") / "project"
    shutil.copytree(ansible.project, project)
    (project / "ansible.cfg").write_text("[defaults]\nstdout_callback = own\nforce_handlers = true\n")
    plugins = f"{ansible.environment(None)['ANSIBLE_CALLBACK_PLUGINS']}:{project / 'callback_plugins'}"
    return ansible.playbook("small.yml", cwd=project, env={"ANSIBLE_CALLBACK_PLUGINS": plugins})


def test_a_users_own_stdout_callback_and_configuration(own: Run) -> None:
    assert own.status == 0
    assert own.one("playbook_on_task_start", task="say")["stdout"] == "OWN task say"
    assert own.one("playbook_on_stats")["stdout"] == "OWN stats"
    assert all("OWN ok \u2713" in event["stdout"] for event in own.named("runner_on_ok"))


def test_a_callback_may_wait_for_a_thread_that_displays(own: Run) -> None:
    assert "OWN thread" in [event["stdout"] for event in own.named("verbose")]
    assert [event["counter"] for event in own.events] == list(range(1, len(own.events) + 1))


def test_odd_values_become_json(own: Run) -> None:
    data = own.one("playbook_on_stats")["event_data"]["artifact_data"]
    assert data["nan"] == "nan"
    assert data["when"] == "2024-02-29"
    assert data["bytes"] == "caf\udce9"
    assert data["set"] == ["a", "b"]
    assert data["circle"] == ["..."]
    assert str(data["deep"]).startswith("[[[[")
    assert data["surrogate"] == "\udc80"
    assert data["unprintable"] == "<Unprintable>"
    assert data["vault"] == {"__ansible_vault": "sealed"}
    assert data["('a', 1)"] == "tuple"
    assert data["b'key'"].startswith("0x1000")


def test_displays_outside_callbacks_are_events_of_their_kind(ansible: Ansible, version: tuple[int, int]) -> None:
    run = ansible.playbook("noisy.yml", "-vvv")
    assert run.status == 0
    run.check()
    noise = [event for event in run.events if "noise:" in event["stdout"]]
    names = [event["event"] for event in noise]
    kinds = ["verbose", "verbose", "warning", "system_warning", "error", "deprecated"]
    assert names[: len(kinds)] == kinds
    assert noise[0]["stdout"] == "noise: display\r\nof two lines"
    assert "verbosity" not in noise[0]
    assert noise[1]["verbosity"] == 3
    assert noise[1]["event_data"]["remote_addr"] == "h1"
    for event in noise[: len(kinds)]:
        assert event["event_data"][event["event"]] is True
        assert event["event_data"]["play"] == "Noisy"
        assert event["parent_uuid"] == event["event_data"]["play_uuid"]
    assert "noise: print\r\nnoise: stderr" in "".join(event["stdout"] for event in noise[len(kinds) :])
    if version >= (2, 17):  # before, a worker hands over what it displays as plain text
        work = [event for event in run.named("verbose", task="work") if event.get("verbosity") == 3]
        assert work
        assert work[0]["event_data"]["remote_addr"] == "h1"


def test_debug_output(ansible: Ansible) -> None:
    run = ansible.playbook("small.yml", env={"ANSIBLE_DEBUG": "1"})
    assert run.status == 0
    assert run.named("debug")
    assert run.recorded_text == run.terminal[-len(run.recorded_text) :]


def test_prompts(ansible: Ansible) -> None:
    run = ansible.playbook("prompt.yml", answers={"Which colour: ": "blue", "Which word: ": "hush"})
    assert run.status == 0
    run.check()
    first, second = run.named("playbook_on_vars_prompt")
    assert first["event_data"]["varname"] == "colour"
    assert second["event_data"]["private"] is True
    shown = [event["stdout"] for event in run.named("verbose")]
    assert "Which colour: blue" in shown
    assert "Which word: " in shown
    assert run.one("runner_on_ok")["event_data"]["res"]["msg"] == "blue 4"
    assert "hush" not in run.path.read_text()


def test_text_of_a_pipe_has_no_carriage_returns(ansible: Ansible, tmp_path: Path) -> None:
    out = tmp_path / "out"
    small = str(ansible.project / "small.yml")
    shell = ansible.environment(tmp_path / "events")
    script = tmp_path / "ansible-playbook"
    script.write_text(f'#!/bin/sh\nexec "$ANSIBLE_PLAYBOOK" "$@" > {out} 2>&1\n')
    script.chmod(0o755)
    run = ansible.run(str(script), small, env=shell, events=tmp_path / "events")
    assert run.status == 0
    lines = [event["end_line"] - event["start_line"] - event["stdout"].count("\n") for event in run.events]
    assert (
        "".join(event["stdout"] + "\n" * missing for event, missing in zip(run.events, lines, strict=True))
        == out.read_text()
    )
