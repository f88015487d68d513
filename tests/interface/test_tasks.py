"""Tasks from Python, without a playbook."""

from __future__ import annotations

import sys
from typing import Any

import pytest

import playstream
from playstream.pipeline.errors import ConfigurationError

HOSTS = {"all": {"hosts": {"node1": {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}}}}


def test_tasks_and_their_results() -> None:
    tasks: list[dict[str, Any]] = [
        {"action": {"module": "shell", "args": "echo one"}, "register": "shell_out"},
        {"action": {"module": "debug", "args": {"msg": "{{ shell_out.stdout }}"}}},
        {"name": "by its short form", "command": "echo two"},
    ]
    r = playstream.run(hosts="node1", tasks=tasks, inventory=HOSTS, gather_facts=False, quiet=True)
    assert (r.status, r.rc) == ("successful", 0)
    results = [event["event_data"] for event in r.host_events("node1") if event["event"] == "runner_on_ok"]
    assert [data["res"].get("stdout") or data["res"].get("msg") for data in results] == ["one", "one", "two"]


def test_one_task_and_facts_by_default() -> None:
    runner = playstream.init_runner(tasks={"ping": {}}, inventory=HOSTS)
    assert runner.config.command[-1].endswith("main.json")
    r = playstream.run(tasks={"debug": {"var": "ansible_facts.system"}}, inventory=HOSTS, quiet=True)
    ended = [event["event_data"]["task_action"] for event in r.events if event["event"] == "runner_on_ok"]
    assert ended == ["gather_facts", "debug"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"tasks": [], "inventory": "a,"}, "tasks: expected at least one task"),
        ({"tasks": [1]}, "tasks: expected a dict or a list of dicts, got a list with an item of type int"),
        ({"tasks": {"ping": {}}, "playbook": []}, "expected one of playbook and tasks, got both"),
        ({"tasks": {"ping": {}}, "module": "ping"}, "expected one of playbook .*, got playbook and module"),
        ({"module": "ping", "gather_facts": False}, "gather_facts: can only be used with tasks"),
        ({"tasks": {"ping": {}}, "hosts": "a", "host_pattern": "b"}, "expected one of hosts and host_pattern"),
    ],
)
def test_what_cannot_be(options: dict[str, Any], expected: str) -> None:
    with pytest.raises(ConfigurationError, match=expected):
        playstream.run(**options)


def test_the_seed_that_ran_tasks_by_hand() -> None:
    """Seed 003: a result callback and a list of tasks, here a class and a call."""

    class ResultCallback(playstream.EventHandler):
        def __init__(self) -> None:
            self.told: list[tuple[str, Any]] = []
            self.statuses: list[str] = []

        def runner_on_ok(self, event: dict[str, Any]) -> None:
            data = event["event_data"]
            self.told.append((data["host"], data["res"].get("stdout", data["res"].get("msg"))))

        def on_status(self, data: dict[str, Any], runner_config: Any) -> None:  # noqa: ARG002
            self.statuses.append(data["status"])

    callback = ResultCallback()
    runner = playstream.run(
        hosts="node1",
        inventory=HOSTS,
        gather_facts=False,
        quiet=True,
        handler=callback,
        tasks=[
            {"action": {"module": "shell", "args": "echo here"}, "register": "shell_out"},
            {"action": {"module": "debug", "args": {"msg": "{{ shell_out.stdout }}"}}},
        ],
    )
    assert runner.run_code is playstream.RunCode.RUN_OK
    assert callback.told == [("node1", "here"), ("node1", "here")]
    assert callback.statuses == ["starting", "running", "successful"]
    assert [result.status for result in runner.results.by_host["node1"]] == ["ok", "ok"]
    summary = runner.summary()
    assert (summary["ident"], summary["rc"]) == (runner.config.ident, 0)
    assert summary["summary"]["node1"]["ok"] == 2
