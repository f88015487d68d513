"""Why a run failed, in one sentence: from the events of real runs, and from events that no Ansible ever sent."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import playstream
from playstream.process.explanation import Explainer
from playstream.process.reasons import MAX_REASON
from tests.interface.programs import fake, play
from tests.process.failing_hosts import HOSTS, SECRET

FAIL = {"name": "Break", "fail": {"msg": "it broke"}}


def explain(*tasks: dict[str, Any], limit: str = "node1", **more: Any) -> str:
    """Why a real run of these tasks failed."""
    options: dict[str, Any] = {"limit": limit, "inventory": HOSTS, "quiet": True, **more}
    runner = playstream.run(playbook=[play(*tasks)], **options)
    assert runner.status == "failed"
    assert runner.summary()["explanation"] == runner.explanation
    return str(runner.explanation)


def test_a_host_that_cannot_be_reached() -> None:
    told = explain({"name": "Greet", "ping": {}}, limit="far")
    assert told.startswith("far could not be reached at task 'Greet': Failed to connect to the host via ssh: ")
    assert "Connection refused" in told


def test_what_failed_where() -> None:
    told = explain(FAIL, limit="node1,node2")
    assert told in {
        f"{one} and {other} failed at task 'Break': it broke" for one, other in (("node1", "node2"), ("node2", "node1"))
    }


def test_reasons_that_differ_and_the_rest() -> None:
    told = explain(
        {"name": "First", "ping": {}},
        {"name": "Own", "fail": {"msg": "I am {{ inventory_hostname }}"}, "when": "inventory_hostname != 'far'"},
        limit="all",
    )
    reached, own = told.split("; ")
    assert reached.startswith("far could not be reached at task 'First': ")
    assert own in {
        "node1 and node2 failed at task 'Own': on node1, I am node1",
        "node2 and node1 failed at task 'Own': on node2, I am node2",
    }


def test_only_the_failure_that_was_not_handled() -> None:
    told = explain(
        {"name": "Ignored", "fail": {"msg": "never mind"}, "ignore_errors": True},
        {"block": [{"name": "Breaks", "fail": {"msg": "for now"}}], "rescue": [{"name": "Mends", "debug": {}}]},
        {"name": "Late", "fail": {"msg": "the end"}, "when": "inventory_hostname == 'node2'"},
        limit="node1,node2",
    )
    assert told == "node2 failed at task 'Late': the end"


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        ({"fail": {"msg": "first line\nsecond  line\n\nlong advice"}}, "first line second line"),
        ({"fail": {"msg": "x" * 5000}}, "x" * MAX_REASON + "…"),
        ({"shell": "echo early; echo 'cannot open it' >&2; exit 7"}, "non-zero return code 7: cannot open it"),
        ({"shell": "echo only this; exit 7"}, "non-zero return code 7: only this"),
        ({"command": "true", "failed_when": True}, "its failed_when condition is met"),
        ({"command": "false", "retries": 1, "delay": 0, "until": False}, "non-zero return code 1"),
        ({"command": "{{ item }}", "loop": ["true", "false", "nonesuch"]}, "item 'false': non-zero return code 1"),
        ({"command": f"false {SECRET}", "no_log": True}, "no_log hides why"),
        ({"command": "{{ item }}", "loop": [f"false {SECRET}"], "no_log": True}, "no_log hides why"),
        ({"assert": {"that": "1 == 2", "fail_msg": ["one", "two"]}}, "one two"),
    ],
)
def test_reasons(task: dict[str, Any], expected: str) -> None:
    told = explain({"name": "It", **task}).replace("The command exited with a non-zero", "non-zero")
    assert told == f"node1 failed at task 'It': {expected}"


def test_a_module_that_does_not_answer(tmp_path: Path) -> None:
    """Ansible's own message is MODULE FAILURE, or about JSON; what the module wrote tells more."""
    (tmp_path / "library").mkdir()
    (tmp_path / "library" / "broken.py").write_text("#!/usr/bin/python\nraise RuntimeError('no such colour')\n")
    told = explain({"name": "It", "broken": {}}, envvars={"ANSIBLE_LIBRARY": str(tmp_path / "library")})
    assert told == "node1 failed at task 'It': the module failed: RuntimeError: no such colour"


@pytest.mark.parametrize(
    ("text", "expected", "where"),
    [
        ("- hosts: all\n  tsks: []\n", "'tsks' is not a valid attribute for a Play", "site.yml:"),
        ("- hosts: all\n  tasks: {\n", "did not find expected", "site.yml:"),
        ("- hosts: all\n  roles: [missing]\n", "ole 'missing' was not found in", "site.yml:2:"),
    ],
)
def test_a_playbook_that_cannot_be_read(tmp_path: Path, text: str, expected: str, where: str) -> None:
    (tmp_path / "site.yml").write_text(text)
    runner = playstream.run(playbook="site.yml", project_dir=tmp_path, inventory=HOSTS, quiet=True)
    assert runner.status == "failed"
    assert expected in (runner.explanation or "")
    assert f"({tmp_path}/{where}" in (runner.explanation or "")
    assert "ERROR" not in (runner.explanation or "")


def test_an_error_during_the_plays() -> None:
    """The first failure was rescued, but there are no statistics to say so."""
    rescued = {"block": [{"name": "Breaks", "fail": {}}], "rescue": [{"name": "Mends", "debug": {}}]}
    told = explain(rescued, {"name": "It", "command": "true", "notify": "nobody"})
    assert told.startswith("The requested handler 'nobody' was not found")


def test_arguments_that_ansible_does_not_know() -> None:
    assert explain(FAIL, cmdline="--bogus") == "unrecognized arguments: --bogus"


def test_an_ansible_that_crashes(tmp_path: Path) -> None:
    lines = ["Traceback (most recent call last):", '  File "x.py", line 1', "ImportError: no module named ansible"]
    crash = "\n".join(f"echo '{line}'" for line in lines)
    assert explain(FAIL, binary=fake(tmp_path, f"{crash}; exit 1")) == lines[-1]


def test_without_the_data_of_events() -> None:
    runner = playstream.run(playbook=[play(FAIL)], inventory=HOSTS, limit="node1", omit_event_data=True, quiet=True)
    assert (runner.status, runner.explanation) == ("failed", None)


def test_a_module_without_a_playbook() -> None:
    runner = playstream.run(module="fail", inventory=HOSTS, host_pattern="node1", module_args="msg=no", quiet=True)
    assert runner.explanation == "node1 failed at task 'fail': no"


def result(name: str, host: str, task: str = "It", **res: Any) -> dict[str, Any]:
    return {"event": name, "event_data": {"host": host, "task": task, "res": res}}


def told_of(events: Iterable[dict[str, Any]], rc: int | None = 2) -> str | None:
    explainer = Explainer()
    for event in events:
        explainer.event(event)
    return explainer.explain(successful=False, rc=rc)


def test_a_few_of_many_hosts_are_named() -> None:
    failed = [result("runner_on_failed", f"h{number}", msg="no") for number in range(5000)]
    counts = {f"h{number}": 1 for number in range(5000)}
    stats = {"event": "playbook_on_stats", "event_data": {"failures": counts}}
    told = "h0, h1, h2 and 1997 other hosts failed at task 'It': no"
    assert told_of([*failed, stats]) == f"{told}; 3000 more hosts failed"
    assert told_of(failed) == f"{told}; other hosts failed too"
    assert told_of(failed[:4]) == "h0, h1, h2 and 1 other host failed at task 'It': no"


def test_a_few_of_many_tasks_are_named() -> None:
    failed = [result("runner_on_failed", f"h{number}", f"T{number}", msg="no") for number in range(5)]
    told = told_of(failed) or ""
    assert told.endswith("h2 failed at task 'T2': no; 2 more hosts failed")


def test_hosts_of_which_only_the_statistics_tell() -> None:
    stats = {"event": "playbook_on_stats", "event_data": {"failures": {"a": 1}, "dark": {"b": 1, "c": 0}}}
    assert told_of([stats]) == "a failed; b could not be reached"


def test_the_memory_is_bounded() -> None:
    explainer = Explainer()
    tracemalloc.start()
    for number in range(20_000):
        for name in ("runner_item_on_failed", "runner_on_unreachable", "runner_item_on_failed"):
            explainer.event(result(name, f"h{number}" * 100, "T" * 5000, msg="m" * 5000))
        explainer.event({"event": "error", "stdout": "e" * 100_000})
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert held < 8 << 20, "the names and messages alone had 200 MB"


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
fields = ("host", "task", "role", "res", "ignore_errors", "failures", "dark", "msg", "results", "module_stderr")
data = st.dictionaries(st.sampled_from(fields), values | st.dictionaries(st.sampled_from(fields), values), max_size=5)
names = st.sampled_from(
    ("runner_on_failed", "runner_on_unreachable", "runner_item_on_failed", "playbook_on_stats", "error", "verbose")
)
events_of_any_kind = st.lists(
    st.fixed_dictionaries({"event": names | values, "event_data": data | values, "stdout": st.text(max_size=40)})
)


@given(events_of_any_kind, st.booleans(), st.none() | st.integers(0, 255))
def test_any_events_are_taken(events: list[dict[str, Any]], successful: bool, rc: int | None) -> None:
    explainer = Explainer()
    for event in events:
        explainer.event(event)
    told = explainer.explain(successful=successful, rc=rc)
    assert told is None or (told and "\n" not in told)


def test_nothing_is_explained_without_events() -> None:
    assert told_of([]) is None
