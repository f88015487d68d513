"""What a run leaves: output, statistics, hosts' events, facts, and the files of the artifacts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import playstream
from playstream.pipeline.errors import ConfigurationError, JobError
from tests.interface.programs import INVENTORY, debug, fake, messages, play

TASKS = [
    debug("fine"),
    {"name": "Change", "command": "true"},
    {"name": "Skip", "debug": {"msg": "x"}, "when": False},
    {"name": "Fail", "command": "false", "ignore_errors": True},
    {"name": "Facts", "set_fact": {"colour": "blue", "cacheable": True}},
    {"name": "Last", "fail": {"msg": "the end"}, "when": "inventory_hostname == 'node2'"},
]
HOSTS = {**INVENTORY["all"], "hosts": {"node1": {}, "node2": {}}}


@pytest.fixture(scope="module")
def runner(module_tmp: Path) -> playstream.Runner:
    """One run of two hosts, of which one fails."""
    return playstream.run(
        playbook=play(*TASKS), inventory={"all": HOSTS}, quiet=True, artifact_dir=module_tmp / "artifacts", ident="r"
    )


def test_status_and_rc(runner: playstream.Runner) -> None:
    assert (runner.status, runner.rc) == ("failed", 2)
    assert (runner.errored, runner.canceled, runner.timed_out) == (False, False, False)
    assert runner.explanation == "node2 failed at task 'Last': the end"


def test_stats(runner: playstream.Runner) -> None:
    assert runner.stats == {
        "ok": {"node1": 4, "node2": 4},
        "changed": {"node1": 2, "node2": 2},
        "failures": {"node2": 1},
        "ignored": {"node1": 1, "node2": 1},
        "skipped": {"node1": 2, "node2": 1},
        "processed": {"node1": 1, "node2": 1},
        "dark": {},
        "rescued": {},
    }


def test_host_events(runner: playstream.Runner) -> None:
    found = list(runner.host_events("node2"))
    assert {event["event_data"]["host"] for event in found} == {"node2"}
    assert [event["event_data"]["task"] for event in found if event["event"] == "runner_on_failed"] == ["Fail", "Last"]
    assert list(runner.host_events("nobody")) == []


def test_events_are_in_their_order(runner: playstream.Runner) -> None:
    events = list(runner.events)
    assert [event["counter"] for event in events] == list(range(1, len(events) + 1))
    assert events[-1]["event"] == "playbook_on_stats"
    assert all({"end_line", "start_line", "stdout", "uuid", "created", "pid"} <= event.keys() for event in events)
    assert {event["runner_ident"] for event in events} == {"r"}


def test_output(runner: playstream.Runner) -> None:
    with runner.stdout as output, runner.stderr as errors:
        text = output.read()
        assert "TASK [Last]" in text
        assert "\r" not in text  # the file has the terminal's line ends
        assert errors.read() == ""


def test_facts_come_back(runner: playstream.Runner) -> None:
    assert runner.get_fact_cache("node1")["colour"] == "blue"
    assert runner.get_fact_cache("nobody") == {}


def test_the_files(runner: playstream.Runner) -> None:
    directory = Path(runner.config.artifact_dir)
    assert sorted(path.name for path in directory.iterdir()) == [
        "command",
        "fact_cache",
        "job_events",
        "rc",
        "status",
        "stderr",
        "stdout",
    ]
    assert (directory / "rc").read_text() == "2"
    assert (directory / "status").read_text() == "failed"
    command = json.loads((directory / "command").read_text())
    assert command["command"] == runner.config.command
    assert set(command) == {"command", "cwd", "env"}
    for path in [directory, *directory.rglob("*")]:
        assert path.stat().st_mode & 0o077 == 0, path
    assert directory.stat().st_mode & 0o777 == 0o700


def test_secrets_are_not_in_the_command(tmp_path: Path) -> None:
    runner = playstream.run(
        binary=fake(tmp_path, "true"), playbook=play(), quiet=True, envvars={"MY_TOKEN": "hunter2", "N": 5, "B": "x"}
    )
    command = (runner.artifact_path / "command").read_text()
    assert "hunter2" not in command
    assert "MY_TOKEN" in command


def test_facts_that_were_set_are_seen_by_the_playbook(tmp_path: Path) -> None:
    runner = playstream.init_runner(
        playbook=play(debug("{{ colour }} {{ nested.list[1] }}")), inventory=INVENTORY, quiet=True
    )
    runner.set_fact_cache("node1", {"colour": "green", "nested": {"list": [1, "two"]}})
    assert runner.get_fact_cache("node1")["colour"] == "green"
    assert runner.run() == ("successful", 0)
    assert messages(runner.events) == ["green two"]
    assert runner.get_fact_cache("node1") == {"colour": "green", "nested": {"list": [1, "two"]}}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fact_cache_type": ""}, "to read and write facts, got ''"),
        ({"fact_cache_type": "memory"}, "to read and write facts, got 'memory'"),
        ({"settings": {"fact_cache_type": "memory"}}, "to read and write facts, got 'memory'"),
    ],
)
def test_facts_that_are_kept_elsewhere(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    script = fake(tmp_path, 'echo "plugin: $ANSIBLE_CACHE_PLUGIN connection: $ANSIBLE_CACHE_PLUGIN_CONNECTION"')
    runner = playstream.run(binary=script, playbook=play(), quiet=True, **options)
    with pytest.raises(ConfigurationError, match=message):
        runner.get_fact_cache("node1")
    with pytest.raises(ConfigurationError, match=message):
        runner.set_fact_cache("node1", {})
    with runner.stdout as output:
        kind = options.get("fact_cache_type", "memory")
        assert output.read() == f"plugin: {kind} connection: \n"


def test_the_name_of_the_fact_cache(tmp_path: Path) -> None:
    script = fake(tmp_path, 'D=$ANSIBLE_CACHE_PLUGIN_CONNECTION; mkdir -p "$D"; cd "$D"; echo "{}" > x')
    ways: list[dict[str, Any]] = [{"fact_cache": "mine"}, {"settings": {"fact_cache": "mine"}}]
    for options in ways:
        runner = playstream.run(
            binary=script, playbook=play(), quiet=True, artifact_dir=tmp_path / "a", ident="x", **options
        )
        assert runner.config.fact_cache == str(tmp_path / "a" / "x" / "mine")
        assert (tmp_path / "a" / "x" / "mine" / "x").read_text() == "{}\n"


def test_bad_facts(tmp_path: Path) -> None:
    runner = playstream.init_runner(binary=fake(tmp_path, "true"), playbook=play(), quiet=True)
    with pytest.raises(ConfigurationError, match="facts of 'node1': a value cannot be converted to JSON"):
        runner.set_fact_cache("node1", {"a": {1}})
    with pytest.raises(ConfigurationError, match="is not a valid directory name"):
        runner.set_fact_cache("../../x", {})
    facts = Path(str(runner.config.fact_cache))
    (facts / "node2").mkdir(parents=True)
    with pytest.raises(JobError, match=r"facts of 'node2' cannot be written to .*: Is a directory"):
        runner.set_fact_cache("node2", {})
    with pytest.raises(JobError, match=r"facts of 'node2' in .* cannot be read: Is a directory"):
        runner.get_fact_cache("node2")


def test_output_before_the_run(tmp_path: Path) -> None:
    runner = playstream.init_runner(binary=fake(tmp_path, "true"), playbook=play(), quiet=True)
    assert runner.status == "unstarted"
    with pytest.raises(JobError, match="this run has no stdout"):
        runner.stdout.close()
    assert list(runner.events) == []
    assert runner.stats is None


@pytest.mark.parametrize("options", [{"suppress_output_file": True}, {"settings": {"suppress_output_file": True}}])
def test_no_output_file(tmp_path: Path, options: dict[str, Any], capfd: pytest.CaptureFixture[str]) -> None:
    runner = playstream.run(binary=fake(tmp_path, "echo 1"), playbook=play(), **options)
    assert not (runner.artifact_path / "stdout").exists()
    assert capfd.readouterr().out == "1\n"


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        ({}, "1\n2\n"),
        ({"quiet": True}, ""),
        ({"suppress_ansible_output": True}, ""),
        ({"settings": {"suppress_ansible_output": True}}, ""),
        ({"quiet": True, "settings": {"suppress_ansible_output": False}}, ""),
    ],
)
def test_what_is_printed(
    tmp_path: Path, options: dict[str, Any], shown: str, capfd: pytest.CaptureFixture[str]
) -> None:
    runner = playstream.run(binary=fake(tmp_path, "echo 1; echo 2"), playbook=play(), **options)
    assert capfd.readouterr().out == shown
    assert len(list(runner.events)) == 2


def test_json_mode(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    runner = playstream.run(binary=fake(tmp_path, "echo 1; echo 2"), playbook=play(), json_mode=True)
    printed = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert printed == list(runner.events)
    with runner.stdout as output:
        assert [json.loads(line) for line in output] == printed


def test_json_mode_shows_what_a_handler_made_of_an_event(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    def mark(event: dict[str, Any]) -> None:
        event["mark"] = 1

    script = fake(tmp_path, "echo 1; echo 2")
    runner = playstream.run(binary=script, playbook=play(), json_mode=True, event_handler=mark)
    assert [json.loads(line)["mark"] for line in capfd.readouterr().out.splitlines()] == [1, 1]
    assert list(runner.events) == []


@pytest.mark.parametrize(
    ("option", "kept"),
    [
        ("omit_event_data", set()),
        ("only_failed_event_data", {"runner_on_failed"}),
    ],
)
def test_events_without_data(tmp_path: Path, option: str, kept: set[str]) -> None:
    options: dict[str, Any] = {option: True}
    runner = playstream.run(
        playbook=play({"command": "false", "ignore_errors": True}), inventory=INVENTORY, quiet=True, **options
    )
    assert {event["event"] for event in runner.events if event["event_data"].get("res")} == kept


def test_check_job_event_data(tmp_path: Path) -> None:
    script = fake(tmp_path, "echo 1; echo 2")
    assert playstream.run(binary=script, playbook=play(), quiet=True, check_job_event_data=True).status == "successful"
