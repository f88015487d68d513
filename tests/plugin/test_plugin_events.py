"""The events of one rich run, against the table of what clients depend on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.plugin.conftest import Ansible, Run

ENDED = {"host", "remote_addr", "start", "end", "duration"}
PLAYBOOK = {"playbook", "playbook_uuid", "uuid"}
PLAY = PLAYBOOK | {"play", "play_uuid", "play_pattern"}
TASK = PLAY | {"task", "task_uuid", "task_action", "resolved_action", "task_args", "task_path"}

FIELDS = {
    "playbook_on_start": PLAYBOOK,
    "playbook_on_play_start": PLAY | {"name", "pattern"},
    "playbook_on_no_hosts_matched": PLAY,
    "playbook_on_task_start": TASK | {"name", "is_conditional"},
    "playbook_on_include": TASK | {"included_file"},
    "playbook_on_notify": TASK | {"host", "handler"},
    "playbook_on_stats": PLAYBOOK
    | {"changed", "dark", "failures", "ignored", "ok", "processed", "rescued", "skipped", "artifact_data"},
    "runner_on_start": TASK | {"host"},
    "runner_on_ok": TASK | ENDED | {"res", "event_loop"},
    "runner_on_failed": TASK | ENDED | {"res", "event_loop", "ignore_errors"},
    "runner_on_skipped": TASK | ENDED | {"event_loop"},
    "runner_on_unreachable": TASK | ENDED | {"res"},
    "runner_item_on_ok": TASK | {"host", "res"},
    "runner_item_on_failed": TASK | {"host", "res"},
    "runner_item_on_skipped": TASK | {"host", "res"},
    "runner_retry": TASK | {"host", "res"},
    "runner_on_file_diff": TASK | {"host", "diff"},
    "runner_on_async_poll": TASK | {"host", "res", "jid"},
    "runner_on_async_ok": TASK | {"host", "res", "jid"},
    "runner_on_async_failed": TASK | {"host", "res", "jid"},
}


def test_the_run_is_recorded_whole(site: Run) -> None:
    assert site.status == 4
    site.check()
    assert site.events[0]["counter"] == 1
    assert site.events[0]["start_line"] == 0


@pytest.mark.parametrize("name", FIELDS)
def test_an_event_has_its_fields_and_no_others(site: Run, name: str) -> None:
    found = site.named(name)
    assert found
    for event in found:
        assert set(event["event_data"]) - {"role"} == FIELDS[name]


def test_there_are_no_events_of_other_names(site: Run) -> None:
    assert {event["event"] for event in site.events} - {"warning", "deprecated"} == set(FIELDS)


def test_the_keys_come_in_their_order(site: Run) -> None:
    order = ["uuid", "counter", "stdout", "start_line", "end_line", "runner_ident", "event", "pid", "created"]
    assert list(site.events[0]) == [*order, "event_data"]
    assert list(site.events[-1]) == [*order, "parent_uuid", "event_data"]


def test_parents(site: Run) -> None:
    start = site.one("playbook_on_start")
    play = site.one("playbook_on_play_start", name="First")
    task = site.one("playbook_on_task_start", name="change")
    ok = site.one("runner_on_ok", task="change", host="h1")
    assert start["uuid"] == start["event_data"]["playbook_uuid"]
    assert play["parent_uuid"] == start["uuid"]
    assert play["uuid"] == play["event_data"]["play_uuid"]
    assert task["parent_uuid"] == play["uuid"]
    assert task["uuid"] == task["event_data"]["task_uuid"]
    assert ok["parent_uuid"] == task["uuid"]
    assert ok["event_data"]["uuid"] == ok["uuid"]


def test_the_text_of_an_event_is_what_its_callback_displayed(site: Run) -> None:
    task = site.one("playbook_on_task_start", name="change")
    assert task["stdout"].startswith("\r\nTASK [change] ***")
    assert task["end_line"] - task["start_line"] == 2
    ok = site.one("runner_on_ok", task="change", host="h1")
    assert ok["stdout"] == "\x1b[0;33mchanged: [h1]\x1b[0m"
    started = site.one("runner_on_start", task="change", host="h1")
    assert (started["stdout"], started["end_line"]) == ("", started["start_line"])


def test_a_role(site: Run) -> None:
    task = site.one("playbook_on_task_start", task="greet from a role")["event_data"]
    assert task["role"] == "greet"
    assert task["name"] == "greet : greet from a role"
    assert task["task_path"].endswith("roles/greet/tasks/main.yml:1")
    assert task["resolved_action"] == "ansible.builtin.debug"
    assert "role" not in site.one("playbook_on_task_start", task="change")["event_data"]


def test_an_action_that_is_a_template_causes_no_warning(ansible: Ansible, version: tuple[int, int]) -> None:
    run = ansible.playbook("templated.yml")
    assert run.status == 0
    assert "resolved_action" not in run.terminal
    data = [event["event_data"] for event in run.named("playbook_on_task_start")]
    written = (
        "ansible.builtin.debug" if version >= (2, 16) else None
    )  # 2.15 looks up `debug:` only, not `action: debug`
    assert [fields["resolved_action"] for fields in data] == [None, written]
    assert data[0]["task_action"].startswith("{{")


def test_results(site: Run, version: tuple[int, int]) -> None:
    ok = site.one("runner_on_ok", task="change", host="h1")["event_data"]
    assert (ok["res"]["stdout"], ok["res"]["rc"], ok["event_loop"]) == ("changed", 0, None)
    assert ok["start"] < ok["end"]
    assert 0 < ok["duration"] < 60
    assert ok["remote_addr"] == "h1"
    loop = site.one("runner_on_failed", task="loop", host="h1")["event_data"]
    assert loop["ignore_errors"] is True
    assert [item["item"] for item in loop["res"]["results"]] == ["good", "skip", "bad"]
    assert site.one("runner_item_on_ok", task="loop", host="h2")["event_data"]["res"]["item"] == "good"
    assert site.one("runner_item_on_skipped", task="loop", host="h2")["event_data"]["res"]["item"] == "skip"
    assert site.one("runner_item_on_failed", task="loop", host="h2")["event_data"]["res"]["item"] == "bad"
    first = 2 if version >= (2, 21) else 1  # since 2.21 Ansible names the attempt that comes next
    assert site.one("runner_retry", task="retry", host="h1")["event_data"]["res"]["attempts"] == first
    assert site.one("runner_on_failed", task="fail", host="h1")["event_data"]["ignore_errors"] in (None, False)
    assert site.named("runner_on_ok", task="rescue", host="h1")
    assert site.one("runner_on_unreachable", host="gone")["event_data"]["res"]["msg"]
    jid = site.one("runner_on_async_ok", task="async", host="h1")["event_data"]["jid"]
    assert jid
    assert site.named("runner_on_async_poll", jid=jid)


def test_the_environment_is_not_among_the_facts(site: Run) -> None:
    facts = site.one("runner_on_ok", task="facts", host="h1")["event_data"]["res"]["ansible_facts"]
    assert "ansible_env" not in facts


def test_the_environment_is_in_no_event(ansible: Ansible, tmp_path: Path) -> None:
    """Of items, of what is polled, and of what a task gives that asks for facts later."""
    playbook = tmp_path / "facts.yml"
    playbook.write_text("""\
- hosts: localhost
  connection: local
  gather_facts: true
  gather_subset: ["!all", "!min", env]
  tasks:
    - setup: &env {gather_subset: ["!all", "!min", env]}
      loop: [1]
    - setup: *env
      async: 60
      poll: 1
    - setup: *env
      async: 60
      poll: 0
      register: job
    - async_status: {jid: "{{ job.ansible_job_id }}"}
      register: asked
      until: asked is finished
      retries: 600
      delay: 0.1
""")
    run = ansible.playbook(str(playbook))
    assert run.status == 0, run.terminal
    assert len([event for event in run.events if '"ansible_facts"' in json.dumps(event["event_data"])]) >= 6
    assert "ansible_env" not in run.path.read_text()


def test_diff_include_and_handlers(site: Run) -> None:
    diff = site.one("runner_on_file_diff", task="write", host="h1")
    assert "+one" in diff["stdout"]
    after = diff["event_data"]["diff"]
    assert "one\ntwo\n" in str(after).replace("\\n", "\n")
    include = site.one("playbook_on_include")["event_data"]
    assert include["included_file"].endswith("included.yml")
    assert include["task"] == "include"
    notified = site.named("playbook_on_notify", handler="bounce")
    assert sorted(event["event_data"]["host"] for event in notified) == ["h1", "h2"]
    assert site.one("playbook_on_task_start", name="bounce")["event_data"]["is_conditional"] is True
    assert site.one("playbook_on_task_start", name="change")["event_data"]["is_conditional"] is False


def test_stats(site: Run) -> None:
    stats = site.one("playbook_on_stats")["event_data"]
    assert stats["processed"] == {"h1": 1, "h2": 1, "gone": 1}
    assert stats["dark"] == {"gone": 1}
    assert stats["rescued"] == {"h1": 1, "h2": 1}
    assert stats["failures"] == {}
    assert stats["skipped"]["h1"] == 1
    assert stats["ignored"] == {"h1": 5, "h2": 2}
    assert stats["artifact_data"] == {"answer": 42}


def _hidden(value: dict[str, Any]) -> bool:
    return "censored" in value and not {"stdout", "cmd", "item", "invocation"} & set(value)


def test_no_log_hides_results_everywhere(site: Run, secret: str) -> None:
    assert secret not in site.path.read_text()
    for task in ("secret", "secret loop", "secret diff"):
        assert _hidden(site.one("runner_on_ok", task=task)["event_data"]["res"])
    items = site.named("runner_item_on_ok", task="secret loop")
    assert [_hidden(event["event_data"]["res"]) for event in items] == [True, True]
    failing = "secret by template, failing in a loop"
    assert _hidden(site.one("runner_item_on_failed", task=failing)["event_data"]["res"])
    assert _hidden(site.one("runner_on_failed", task=failing)["event_data"]["res"])
    assert _hidden(site.one("runner_retry", task="secret retry")["event_data"]["res"])
    assert _hidden(site.one("runner_on_failed", task="secret retry")["event_data"]["res"])
    items = site.named("runner_item_on_ok", task="secret item")
    assert [_hidden(event["event_data"]["res"]) for event in items] == [False, True]
    assert site.one("runner_on_file_diff", task="secret diff")["event_data"]["diff"] is None
    assert _hidden(site.one("runner_on_async_failed", task="secret async")["event_data"]["res"])
    polls = site.named("runner_on_async_poll", task="secret async")
    assert polls
    assert all(_hidden(event["event_data"]["res"]) for event in polls)


def test_no_log_hides_messages_of_modules(ansible: Ansible, secret: str) -> None:
    run = ansible.playbook("telling.yml", "-vvv", env={"ANSIBLE_DEPRECATION_WARNINGS": "1"})
    assert run.status == 0
    run.check()
    told = run.one("runner_on_ok", task="told")["stdout"]
    assert "warned of open" in told
    assert "deprecated is open" in told
    assert "warned of open item" in run.named("runner_item_on_ok", task="hidden item")[0]["stdout"]
    assert secret not in run.terminal
    assert secret not in run.path.read_text()


def test_a_nested_playbook_stays_inside_its_result(site: Run) -> None:
    result = site.one("runner_on_ok", task="nest")["event_data"]["res"]
    assert "from the nested run" in result["stdout"]
    assert not site.named("playbook_on_play_start", name="Nested")
    ident = site.events[0]["runner_ident"]
    assert site.one("runner_on_ok", task="look")["event_data"]["res"]["msg"] == f"[] {ident}"


def test_repeated_plays_and_tasks_get_uuids_of_their_own(site: Run) -> None:
    first, second = site.named("playbook_on_play_start", name="Serial")
    assert second["uuid"] == first["uuid"] + "_2"
    assert site.named("runner_on_ok", task="each", host="h2")[0]["event_data"]["play_uuid"] == second["uuid"]
    for name in ("each", "again"):
        one, two = site.named("playbook_on_task_start", name=name)
        assert two["uuid"] == one["uuid"] + "_2"


def test_strategy_free_keeps_results_with_their_tasks(site: Run) -> None:
    ok = site.one("runner_on_ok", task="free one", host="h1")
    done = site.one("runner_on_ok", task="free two", host="h2")
    assert done["counter"] < ok["counter"]
    assert ok["parent_uuid"] == site.named("playbook_on_task_start", name="free one")[0]["uuid"]
    assert ok["event_data"]["task_action"] == "command"


def test_a_name_that_is_a_number_is_text(ansible: Ansible, tmp_path: Path) -> None:
    playbook = tmp_path / "numbers.yml"
    playbook.write_text("- {name: 3, hosts: h1, gather_facts: false, tasks: [{name: 7, debug: {msg: x}}]}\n")
    run = ansible.playbook(str(playbook))
    task, result = run.one("playbook_on_task_start"), run.one("runner_on_ok")
    # Before ansible-core 2.18 such a task is called after its module until it has run.
    names = (task["event_data"]["task"], task["event_data"]["name"], result["event_data"]["task"])
    assert set(names) <= {"7", "debug"}
    assert run.one("playbook_on_play_start")["event_data"]["play"] == "3"
