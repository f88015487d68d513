"""The summary of a real run, of one that was killed, and of events that no Ansible ever sent."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given

from playstream.process.summary import Summary, summarize
from tests.process.failing_hosts import SECRET
from tests.process.test_task_results import EVENTS, real_events

KEYS = ["ident", "status", "rc", "explanation", "summary", "task_summary", "custom_stats", "changed_facts"]
COUNTS = ["ok", "changed", "failures", "unreachable", "skipped", "rescued", "ignored"]


@pytest.fixture(scope="module")
def whole() -> dict[str, Any]:
    return summarize(real_events(), ident="7", status="failed", rc=4)


@pytest.fixture(scope="module")
def killed() -> dict[str, Any]:
    """Without Ansible's statistics, which come last."""
    events = [event for event in real_events() if event["event"] != "playbook_on_stats"]
    return summarize(events, ident="7", status="failed", rc=137)


def ended(host: str, name: str = "runner_on_ok", **data: Any) -> dict[str, Any]:
    return {"event": name, "stdout": "", "event_data": {"host": host, **data}}


def test_its_keys(whole: dict[str, Any]) -> None:
    assert list(whole) == KEYS
    assert (whole["ident"], whole["status"], whole["rc"]) == ("7", "failed", 4)
    assert json.loads(json.dumps(whole)) == whole


def test_the_counts_are_ansibles(whole: dict[str, Any]) -> None:
    stats = next(event["event_data"] for event in real_events() if event["event"] == "playbook_on_stats")
    assert set(whole["summary"]) == set(stats["processed"]) == {"node1", "node2", "far"}
    for host, counts in whole["summary"].items():
        assert list(counts) == COUNTS
        for name, count in counts.items():
            assert count == stats["dark" if name == "unreachable" else name].get(host, 0)
    assert whole["summary"]["far"] == {**dict.fromkeys(COUNTS, 0), "unreachable": 1}
    assert whole["summary"]["node1"]["rescued"] == 1
    assert whole["summary"]["node2"]["failures"] == 1


def test_the_counts_of_a_killed_run(whole: dict[str, Any], killed: dict[str, Any]) -> None:
    for host, counts in killed["summary"].items():
        known = whole["summary"][host]
        assert {name: counts[name] for name in ("ok", "unreachable", "skipped", "ignored")} == {
            name: known[name] for name in ("ok", "unreachable", "skipped", "ignored")
        }
        assert counts["failures"] == known["failures"] + known["rescued"]
        assert counts["rescued"] == 0
        # Whether what no_log hides changed something is not known: two tasks.
        assert counts["changed"] == known["changed"] - 2 * (host != "far")
    assert killed["task_summary"] == whole["task_summary"]


def test_entries(whole: dict[str, Any]) -> None:
    lists = whole["task_summary"]["node1"]
    assert list(lists) == ["ok", "failures", "skipped", "unreachable"]
    change = next(entry for entry in lists["ok"] if entry["task"] == "Change")
    assert set(change) == {"task", "action", "path", "duration", "res", "ignored"}
    assert (change["action"], change["res"]["changed"], change["ignored"]) == ("raw", True, False)
    assert change["duration"] > 0
    assert [(entry["task"], entry["ignored"]) for entry in lists["failures"]] == [
        ("Ignored", True),
        ("Breaks", False),
        ("Loop fails", True),
    ]
    assert [entry["task"] for entry in lists["skipped"]] == ["Skip", "Late"]
    assert [entry["task"] for entry in whole["task_summary"]["far"]["unreachable"]] == ["Reach"]
    loop = next(entry for entry in lists["ok"] if entry["task"] == "Loop")
    assert [item["item"] for item in loop["res"]["results"]] == ["a", "b"]


def test_custom_stats(whole: dict[str, Any], killed: dict[str, Any]) -> None:
    assert whole["custom_stats"]["built"] == "1.3"
    assert whole["custom_stats"]["n"] == 3
    assert whole["custom_stats"]["by"] == {"rack": 4, "other": []}
    assert killed["custom_stats"] == whole["custom_stats"]


def test_changed_facts(whole: dict[str, Any]) -> None:
    assert whole["changed_facts"] == {
        "node1": {"word": "two", "number": 1, "list": [1, 3]},
        "node2": {"word": "one", "number": 1, "list": [1, 3]},
    }


@pytest.mark.parametrize(
    ("action", "facts", "kept"),
    [
        ("set_fact", {"a": 1}, {"a": 1}),
        ("ansible.builtin.include_vars", {"a": 1}, {"a": 1}),
        ("acme.own.module", {"a": 1}, {"a": 1}),
        ("raw", {"discovered_interpreter_python": "/usr/bin/python3"}, {}),
        ("ansible.builtin.setup", {"a": 1}, {}),
        ("gather_facts", {"a": 1}, {}),
        ("ansible.builtin.service_facts", {"services": {}}, {}),
        ("debug", {"a": 1}, {}),
    ],
)
def test_facts_that_are_set_and_gathered(action: str, facts: dict[str, Any], kept: dict[str, Any]) -> None:
    event = ended("node1", task_action=action, res={"ansible_facts": facts})
    changed = summarize([event], ident="", status="", rc=None)["changed_facts"]
    assert changed == ({"node1": kept} if kept else {})


def test_a_failed_task_sets_no_facts() -> None:
    event = ended("node1", "runner_on_failed", task_action="set_fact", res={"ansible_facts": {"a": 1}})
    assert summarize([event], ident="", status="", rc=None)["changed_facts"] == {}


def test_no_log_stays_hidden(whole: dict[str, Any]) -> None:
    assert SECRET not in json.dumps(whole)
    hidden = next(entry for entry in whole["task_summary"]["node1"]["ok"] if entry["task"] == "Secret")
    assert "censored" in hidden["res"]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (1, 2, 3),
        ("a", "b", "ab"),
        ([1], [2], [1, 2]),
        ({"a": {"b": 1}}, {"a": {"c": 2}}, {"a": {"b": 1, "c": 2}}),
        (1, "b", 1),
        (None, None, None),
        ({"a": 1}, {"a": {"b": 2}}, {"a": {"b": 2}}),
    ],
)
def test_stats_that_are_added_up(old: Any, new: Any, expected: Any) -> None:
    events = [
        ended("node1", res={"ansible_stats": {"data": {"x": value}, "per_host": False, "aggregate": True}})
        for value in (old, new)
    ]
    before = deepcopy(events)
    assert summarize(events, ident="", status="", rc=None)["custom_stats"] == {"x": expected}
    assert events == before


def test_an_empty_run() -> None:
    assert summarize([], ident="x", status="canceled", rc=None) == {
        "ident": "x",
        "status": "canceled",
        "rc": None,
        "explanation": None,
        "summary": {},
        "task_summary": {},
        "custom_stats": {},
        "changed_facts": {},
    }


def test_omitted_data() -> None:
    events = [{"event": "runner_on_ok", "event_data": {}}, {"event": "playbook_on_stats", "event_data": {}}]
    assert summarize(events, ident="x", status="successful", rc=0)["summary"] == {}


def test_so_far() -> None:
    summary = Summary()
    summary.add(ended("node1", task="a"))
    before = summary.as_dict(ident="", status="running", rc=None)
    summary.add(ended("node1", task="b"))
    assert [entry["task"] for entry in before["task_summary"]["node1"]["ok"]] == ["a"]
    after = summary.as_dict(ident="", status="running", rc=None)
    assert [entry["task"] for entry in after["task_summary"]["node1"]["ok"]] == ["a", "b"]


def test_memory_does_not_grow_with_stdout() -> None:
    def events() -> Iterator[dict[str, Any]]:
        for number in range(500):
            yield {**ended("node1", task="a", res={"n": number}), "stdout": f"{number}" * 50000}
            yield {"event": "verbose", "stdout": f"{number}" * 50000, "event_data": {}}

    tracemalloc.start()
    try:
        summary = summarize(events(), ident="", status="", rc=0)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert summary["summary"]["node1"]["ok"] == 500
    assert peak < 2_000_000  # of 140 million characters


def test_deep_nesting() -> None:
    deep: Any = {}
    for _ in range(5000):
        deep = {"d": deep}
    event = ended("node1", res={"ansible_stats": {"data": {"x": deep}, "per_host": False, "aggregate": True}})
    assert summarize([event, event], ident="", status="", rc=0)["custom_stats"]["x"]["d"]


@given(EVENTS)
def test_odd_events_never_raise(events: list[dict[str, Any]]) -> None:
    before = repr(events)
    summary = summarize(events, ident="x", status="failed", rc=2)
    assert repr(events) == before
    assert list(summary) == KEYS
    assert json.dumps(summary)
    for counts in summary["summary"].values():
        assert list(counts) == COUNTS
        assert all(type(count) is int and count >= 0 for count in counts.values())
    for lists in summary["task_summary"].values():
        assert list(lists) == ["ok", "failures", "skipped", "unreachable"]
