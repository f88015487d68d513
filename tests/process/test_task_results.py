"""Task results made of the events of a real run, and of events that no Ansible ever sent."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version

import playstream
from playstream.process.event_data import CENSORED
from playstream.process.store.result_json import encode_res
from playstream.process.summary import summarize
from playstream.process.task_results import ItemResult, TaskResult, TaskResults, make_result
from tests.process.failing_hosts import HOSTS, SECRET

TASKS: list[dict[str, Any]] = [
    {"name": "Reach", "raw": "true"},
    {"name": "Change", "raw": "echo hi"},
    {"name": "Same", "debug": {"msg": "first"}},
    {"name": "Same", "debug": {"msg": "second"}},
    {"name": "Ignored", "fail": {"msg": "never mind"}, "ignore_errors": True},
    {"name": "Skip", "debug": {"msg": "no"}, "when": "false"},
    {"block": [{"name": "Breaks", "fail": {}}], "rescue": [{"name": "Mends", "debug": {"msg": "mended"}}]},
    {"name": "Loop", "raw": "echo {{ item }}", "loop": ["a", "b"], "changed_when": "item == 'b'"},
    {"name": "Loop skips", "debug": {"msg": "{{ item }}"}, "loop": ["a", "b"], "when": "item == 'b'"},
    {
        "name": "Loop fails",
        "raw": "{{ thing }}",
        "loop": ["true", "false"],
        "ignore_errors": True,
        "loop_control": {"loop_var": "thing"},
    },
    {"name": "Secret", "raw": f"echo {SECRET}", "no_log": True},
    {"name": "Secret loop", "raw": "echo {{ item }}", "loop": [SECRET], "no_log": True},
    {"name": "Secret fact", "set_fact": {"hidden": SECRET}, "no_log": True},
    {
        "name": "Stats",
        "set_stats": {"data": {"built": "1.2", "by": {"host": "{{ inventory_hostname }}"}}},
        "run_once": True,
    },
    {
        "name": "Stats again",
        "set_stats": {"data": {"built": "1.3", "by": {"rack": 4}, "n": 1}, "aggregate": False},
        "run_once": True,
    },
    {"name": "Stats add", "set_stats": {"data": {"n": 1, "by": {"other": []}}}},
    {"name": "Stats host", "set_stats": {"data": {"mine": 1}, "per_host": True}},
    {"name": "Facts", "set_fact": {"word": "one", "number": 1}},
    {"name": "Facts again", "set_fact": {"word": "two"}, "when": "inventory_hostname == 'node1'"},
    {
        "name": "Facts loop",
        "set_fact": {"list": "{{ (list | default([])) + [item] }}"},
        "loop": [1, 2, 3],
        "when": "item != 2",
    },
    {"name": "Gather", "setup": {"gather_subset": ["!all", "!min"]}, "when": "inventory_hostname == 'node1'"},
    {"name": "Shown", "debug": {"var": "word"}},
    {"name": "Late", "fail": {"msg": "the end"}, "when": "inventory_hostname == 'node2'"},
    {"name": "Last", "debug": {}},
]
PLAYS = [{"name": "Rich", "hosts": "all", "gather_facts": False, "tasks": TASKS}]


@cache
def real_events() -> list[dict[str, Any]]:
    """The events of one rich run."""
    runner = playstream.run(playbook=PLAYS, inventory=HOSTS, quiet=True)
    assert (runner.status, runner.rc) == ("failed", 4)  # the last code that Ansible set: a host was unreachable
    return list(runner.events)


@pytest.fixture(scope="module")
def results() -> TaskResults:
    return TaskResults(real_events())


def one(results: TaskResults, task: str, host: str = "node1") -> TaskResult:
    found = [result for result in results.by_task[task] if result.host == host]
    assert len(found) == 1
    return found[0]


def test_order_and_hosts(results: TaskResults) -> None:
    once = ("Stats", "Stats again")  # of either host
    assert [result.task for result in results.by_host["node2"] if result.task not in once] == [
        "Reach",
        "Change",
        "Same",
        "Same",
        "Ignored",
        "Skip",
        "Breaks",
        "Mends",
        "Loop",
        "Loop skips",
        "Loop fails",
        "Secret",
        "Secret loop",
        "Secret fact",
        "Stats add",
        "Stats host",
        "Facts",
        "Facts again",
        "Facts loop",
        "Gather",
        "Shown",
        "Late",
    ]
    assert [result.task for result in results.by_host["node1"]][-2:] == ["Late", "Last"]
    assert set(results.by_host) == {"node1", "node2", "far"}
    assert len(results) == sum(map(len, results.by_host.values())) == sum(map(len, results.by_task.values()))
    ends = [result.end for result in results if result.end]
    assert ends == sorted(ends)


def test_a_result_in_full(results: TaskResults) -> None:
    result = one(results, "Change")
    assert (result.host, result.action, result.status, result.changed, result.ignored, result.truncated) == (
        "node1",
        "raw",
        "ok",
        True,
        False,
        False,
    )
    assert (result.play, result.role, result.items) == ("Rich", None, ())
    # The plays came as data, which are JSON to Ansible: before 2.19 it knows no lines of that.
    knows_lines = Version(version("ansible-core")) >= Version("2.19")
    assert result.path.rpartition(":")[2].isdigit() if knows_lines else result.path == ""
    assert result.res["stdout_lines"] == ["hi"]
    assert result.start is not None
    assert result.end is not None
    assert result.duration == pytest.approx((result.end - result.start).total_seconds())
    assert abs((datetime.now(UTC) - result.start).total_seconds()) < 600


def test_each_status(results: TaskResults) -> None:
    assert [(result.host, result.status) for result in results.by_task["Reach"] if result.host == "far"] == [
        ("far", "unreachable")
    ]
    assert one(results, "Reach", "far").res["unreachable"] is True
    ignored, skipped, breaks = one(results, "Ignored"), one(results, "Skip"), one(results, "Breaks")
    assert (ignored.status, ignored.ignored, ignored.res["msg"]) == ("failed", True, "never mind")
    assert (skipped.status, dict(skipped.res)) == ("skipped", {})
    assert (breaks.status, breaks.ignored) == ("failed", False)
    assert [result.status for result in results.by_task["Late"]].count("failed") == 1


def test_tasks_of_one_name(results: TaskResults) -> None:
    same = results.by_task["Same"]
    assert len(same) == 4
    assert len({result.task_uuid for result in same}) == 2
    for uuid in {result.task_uuid for result in same}:
        assert len({result.res["msg"] for result in results.by_task_uuid[uuid]}) == 1
        assert len(results.by_task_uuid[uuid]) == 2


def test_items(results: TaskResults) -> None:
    def items(task: str) -> list[tuple[Any, str, bool]]:
        return [(item.item, item.status, item.changed) for item in one(results, task).items]

    assert items("Loop") == [("a", "ok", False), ("b", "ok", True)]
    assert items("Loop skips") == [("a", "skipped", False), ("b", "ok", False)]
    assert items("Loop fails") == [("true", "ok", True), ("false", "failed", True)]
    assert one(results, "Loop").changed
    assert one(results, "Loop fails").ignored


def test_no_log_stays_hidden(results: TaskResults) -> None:
    for task in ("Secret", "Secret loop", "Secret fact"):
        assert "censored" in one(results, task).res
    item = one(results, "Secret loop").items[0]
    assert item.item is None
    assert "censored" in item.res
    assert SECRET not in repr([asdict(result) for result in results])


def private_keys(value: object) -> set[str]:
    """Ansible's private keys at any depth."""
    if isinstance(value, Mapping):
        return {key for key in value if key.startswith("_ansible_")}.union(*map(private_keys, value.values()))
    return set().union(*map(private_keys, value)) if isinstance(value, (list, tuple)) else set()


def test_ansibles_private_keys_are_in_the_events_only(results: TaskResults) -> None:
    events = real_events()
    assert private_keys([event["event_data"].get("res") for event in events])
    assert any(
        private_keys(event["event_data"]["res"].get("results")) for event in events if "res" in event["event_data"]
    )
    assert private_keys([asdict(result) for result in results]) == set()
    assert private_keys(summarize(events, ident="1", status="failed", rc=4)) == set()
    stored = [encode_res(event["event_data"].get("res"))[0] for event in events]
    assert not any("_ansible_" in text for text in stored if text is not None)


def test_what_the_module_returned_under_such_names_below_is_kept() -> None:
    res = {"_ansible_parsed": True, "a": {"_ansible_x": 1}, "results": [{"_ansible_x": 1, "b": 2}, 3]}
    result = make_result({"event": "runner_on_ok", "event_data": {"host": "node1", "res": res}})
    assert result is not None
    assert result.res == {"a": {"_ansible_x": 1}, "results": [{"b": 2}, 3]}


@pytest.mark.parametrize("mark", [True, "yes", 1])
def test_what_is_marked_as_hidden_is_hidden(mark: object) -> None:
    """Ansible and the callback plugin hide it; a worker that is not trusted may not."""
    res = {"_ansible_no_log": mark, "stdout": SECRET, "changed": True}
    data = {"host": "node1", "task_uuid": "t", "res": {"results": [res, {"item": 2}], "changed": True}}
    results = TaskResults(
        [
            {"event": "runner_on_ok", "event_data": {"host": "node1", "res": res}},
            {"event": "runner_item_on_ok", "event_data": {**data, "res": res}},
            {"event": "runner_on_ok", "event_data": data},
        ]
    )
    hidden, loop = results
    assert (hidden.res, hidden.changed) == ({"censored": CENSORED}, False)
    assert loop.res == {"results": [{"censored": CENSORED}, {"item": 2}], "changed": True}
    assert (loop.items[0].item, loop.items[0].res) == (None, {"censored": CENSORED})


def test_incrementally(results: TaskResults) -> None:
    again = TaskResults()
    added = [result for event in real_events() if (result := again.add(event)) is not None]
    assert added == list(again) == list(results)
    assert repr(again) == f"<TaskResults: {len(results)} results of 3 hosts>"


def test_results_are_hashable_and_fixed(results: TaskResults) -> None:
    assert len(set(results)) == len(results)
    with pytest.raises(AttributeError):
        next(iter(results)).host = "other"  # type: ignore[misc]


def test_what_is_cut_is_said_to_be() -> None:
    event = {
        "event": "runner_on_ok",
        "event_data": {
            "host": "node1",
            "res": {"changed": True},
            "res_truncated": {"size": 9, "limit": 5},
        },
    }
    result = make_result(event)
    assert result is not None
    assert result.truncated


def test_what_results_have_in_common_is_in_memory_once() -> None:
    data = {"host": "node1", "task": "Install nginx", "task_action": "package", "res": {"installed": "nginx-1"}}
    text = json.dumps({"event": "runner_on_ok", "event_data": data})
    one, other = (make_result(json.loads(text)) for _ in range(2))
    assert one is not None
    assert other is not None
    assert one == other
    assert (one.host is other.host, one.task is other.task, one.action is other.action) == (True, True, True)
    assert next(iter(one.res)) is next(iter(other.res))


def test_omitted_data_make_no_result() -> None:
    assert make_result({"event": "runner_on_ok", "event_data": {}}) is None


ODD: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["2026-11-21T12:00:00+00:00", "2026-11-21T12:00:00", "node1", 10**400]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
"""Whatever JSON can hold."""
NAMES = st.sampled_from(
    [
        "runner_on_ok",
        "runner_on_failed",
        "runner_on_skipped",
        "runner_on_unreachable",
        "runner_item_on_ok",
        "runner_item_on_failed",
        "runner_item_on_skipped",
        "playbook_on_stats",
        "verbose",
    ]
)


def some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """A dict with these fields, each of which may be missing or odd."""
    return st.fixed_dictionaries({}, optional={name: value | ODD for name, value in fields.items()})


COUNTS = st.dictionaries(st.sampled_from(["node1", "node2"]), st.integers(0, 5) | ODD, max_size=2) | ODD
ASKED = some(
    data=st.dictionaries(st.sampled_from("ab"), ODD, max_size=2), per_host=st.booleans(), aggregate=st.booleans()
)
RES = some(
    changed=st.booleans(),
    ansible_facts=st.dictionaries(st.text(max_size=3), ODD, max_size=2),
    ansible_stats=ASKED,
    ansible_loop_var=st.just("item"),
    item=ODD,
)
DATA = some(
    host=st.sampled_from(["node1", "node2"]),
    task=st.text(max_size=3),
    task_uuid=st.sampled_from("uv"),
    task_action=st.sampled_from(["set_fact", "ansible.builtin.set_stats", "setup"]),
    res=RES | some(results=st.lists(RES | ODD, max_size=3)),
    start=ODD,
    end=ODD,
    duration=st.floats() | st.integers(),
    ignore_errors=ODD,
    role=ODD,
    play=ODD,
    task_path=ODD,
    ok=COUNTS,
    changed=COUNTS,
    failures=COUNTS,
    dark=COUNTS,
    skipped=COUNTS,
    rescued=COUNTS,
    ignored=COUNTS,
    processed=COUNTS,
    artifact_data=ODD,
)
EVENTS = st.lists(some(event=NAMES, event_data=DATA, stdout=st.text(max_size=3)), max_size=8)


@given(EVENTS)
def test_odd_events_never_raise(events: list[dict[str, Any]]) -> None:
    results = TaskResults(events)
    assert sum(map(len, results.by_host.values())) == len(results)
    assert sum(map(len, results.by_task_uuid.values())) == len(results)
    for result in results:
        assert result.status in ("ok", "failed", "skipped", "unreachable")
        assert all(type(value) is str for value in (result.host, result.task, result.action, result.path))
        assert isinstance(result.res, dict)
        assert type(result.ignored) is type(result.changed) is bool
        assert result.duration is None or 0 <= result.duration < float("inf")
        assert all(isinstance(item, ItemResult) and isinstance(item.res, dict) for item in result.items)
        assert result.start is None or result.start.tzinfo is not None
        assert repr(result)
        assert isinstance(hash(result), int)
