"""What is in the page of a run."""

from __future__ import annotations

import base64
import hashlib
import random
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playstream.report.collecting import RunEnd
from playstream.report.page import collecting
from playstream.report.page.collecting import PageReport
from playstream.report.page.rendering import SCRIPTS, STYLES
from tests.report.events import BAD, GOOD, START, render, result, stats
from tests.report.page.reading import Parts, page_of, read_page
from tests.report.test_formats import ANY_EVENT, ENDS, RESCUED, RUN


def timed(host: str, task: str, start: float, took: float, **more: Any) -> dict[str, Any]:
    """A result with its times, in seconds after 10:00."""
    return result(host, task, start=moment(start), end=moment(start + took), duration=took, **more)


def moment(seconds: float) -> str:
    return f"2026-11-30T10:{int(seconds) // 60:02}:{seconds % 60:06.3f}+00:00"


def test_a_run() -> None:
    page = page_of(RUN)
    assert page.rows() == [
        ("web1", "Prepare", "ok"),
        ("web2", "Prepare", "skipped"),
        ("web1", "Start", "failed"),
        ("web2", "Start", "unreachable"),
    ]
    head = page.head
    assert (head["title"], head["status"], head["rc"], head["ident"], head["successful"]) == (
        "site.yml",
        "failed",
        2,
        "nightly",
        False,
    )
    assert dict(zip(head["hosts"], head["counts"], strict=True))["web1"] == [1, 0, 1, 0, 0, 0, 0]
    assert head["tasks"][1] == ["Start", "shell", "/p/site.yml:3", 0]
    assert head["failures"][0] == {
        "details": [
            ["msg", "non-zero return code"],
            ["rc", "3"],
            ["cmd", "false -x"],
            ["stderr", "it broke"],
        ],
        "results": [2],
    }
    found = page.body(2)
    assert found is not None
    assert found[0]["cmd"] == ["false", "-x"]


def test_what_a_source_lacks_is_said() -> None:
    notes = page_of(RUN).head["notes"]
    assert any("no times" in note for note in notes)
    assert not any("no results" in note for note in notes)
    notes = page_of([timed("a", "One", 0, 1)]).head["notes"]
    assert [("no results" in note, "no times" in note) for note in notes] == [(True, False)]
    assert page_of([]).head["notes"] == []


def test_failures_that_were_handled_are_told_apart() -> None:
    page = page_of(RESCUED)
    outcomes = {(host, task): outcome for host, task, outcome in page.rows()}
    assert outcomes == {
        ("a", "Rescued"): "rescued",
        ("a", "Ignored"): "ignored",
        ("b", "Rescued"): "rescued",
        ("b", "Real"): "failed",
        ("c", "Away"): "ignored",
    }
    assert [page.rows()[number] for group in page.head["failures"] for number in group["results"]] == [
        ("b", "Real", "failed")
    ]


def test_hosts_with_the_same_failure_are_told_once() -> None:
    page = page_of([result(f"h{number}", "Start", "failed", res={"msg": "no"}) for number in range(700)])
    (group,) = page.head["failures"]
    assert group["results"] == list(range(700))


def test_what_the_run_waited_for_and_what_was_slow() -> None:
    events = [
        *(timed(f"h{number}", "Quick", 0, 0.5 + number / 100) for number in range(5)),
        *(timed(f"h{number}", "Uneven", 10, 9 if number == 2 else 1) for number in range(5)),
    ]
    page = page_of([START, *events])
    assert [page.rows()[number][:2] for number in page.marked("LAST")] == [("h4", "Quick"), ("h2", "Uneven")]
    assert [page.rows()[number][:2] for number in page.marked("SLOW")] == [("h2", "Uneven")]
    assert page.columns["start"][5:7].tolist() == [10_000, 10_000]
    assert page.columns["took"][7] == 9000


def test_of_a_single_host_what_takes_a_tenth_of_the_run_is_slow() -> None:
    page = page_of(
        [START, *(timed("a", f"t{number}", number * 2, 1.5) for number in range(20)), timed("a", "x", 40, 9)]
    )
    assert [page.rows()[number][1] for number in page.marked("SLOW")] == ["x"]


DIFF = {"before": "a\nb\n", "after": "a\nc\n", "before_header": "/etc/x (content)", "after_header": "/etc/x (content)"}


def test_diffs() -> None:
    states = {"before": {"mode": "0600", "path": "/etc/y"}, "after": {"mode": "0644", "path": "/etc/y"}}
    res = {"changed": True, "diff": [DIFF, states, {"prepared": "ready\n"}, {"before": "x", "after": "x"}, 7]}
    page = page_of([result("a", res=res), result("b", res={"changed": True, "results": [{"diff": DIFF, "item": 1}]})])
    found = page.body(0)
    assert found is not None
    assert found[1] == [
        ["/etc/x", "@@ -1,2 +1,2 @@\n a\n-b\n+c\n"],
        ["", "@@ -1,2 +1,2 @@\n-mode: 0600\n+mode: 0644\n path: /etc/y\n"],
        ["", "ready\n"],
    ]
    assert found[0] == {"changed": True}
    of_items = page.body(1)
    assert of_items == ({"changed": True, "results": [{"item": 1}]}, [["/etc/x", "@@ -1,2 +1,2 @@\n a\n-b\n+c\n"]])
    assert page.marked("DIFF") == [0, 1]


def test_large_files_are_not_compared() -> None:
    diff = {"before": "a\n" * 5000, "after": "b\n" * 5000}
    found = page_of([result("a", res={"changed": True, "diff": diff})]).body(0)
    assert found is not None
    assert found[1] == [["", "(too long to be compared)"]]


def test_what_no_log_hides_stays_hidden() -> None:
    hidden = {"_ansible_no_log": True, "msg": "s3cret", "diff": {"before": "", "after": "s3cret"}}
    page = page_of([result("a", "Login", "failed", res=hidden), result("b", res={"results": [hidden]})])
    assert "s3cret" not in page.everything()
    assert "no_log" in page.everything()


def test_no_environment_and_no_private_path() -> None:
    report = PageReport(home="/home/alice")
    report.start(
        "/srv/secret/demo/project", {"HOME": "/var/lib/runner", "PLAYSTREAM_SPOOL": "/tmp/spool-1", "TOKEN": "t0ken"}
    )
    facts = {"ansible_env": {"TOKEN": "t0ken"}, "env": {"A": "t0ken"}, "ansible_distribution": "Debian"}
    res = {
        "msg": "see /srv/secret/demo/project/roles/x/files/y and /srv/secret/demo/env, '/home/alice/.ssh/id'",
        "cwd": "/srv/secret/demo/project",
        "src": "/var/lib/runner/.ansible/tmp/x",
        "spool": "/tmp/spool-1/run/events",
        "other": "/srv/secret/demonstration /etc/hosts https://example.com/home/alice/x",
        "ansible_facts": facts,
    }
    event = result("a", "Start", "failed", task_path="/srv/secret/demo/project/roles/x/tasks/main.yml:7", res=res)
    page = page_of([event], RunEnd("n", "failed", 2, "no /home/alice/x"), report)
    found = page.body(0)
    assert found is not None
    assert found[0] == {
        "msg": "see roles/x/files/y and …/env, '~/.ssh/id'",
        "cwd": ".",
        "src": "~/.ansible/tmp/x",
        "spool": "…/run/events",
        "other": "/srv/secret/demonstration /etc/hosts https://example.com/home/alice/x",
        "ansible_facts": {"ansible_distribution": "Debian"},
    }
    assert page.head["tasks"][0][2] == "roles/x/tasks/main.yml:7"
    assert page.head["explanation"] == "no ~/x"
    assert "t0ken" not in page.everything()


def test_a_playbook_elsewhere_is_the_start_of_paths() -> None:
    start = {**START, "event_data": {"playbook": "/srv/plays/site.yml"}}
    page = page_of([start, result("a", task_path="/srv/plays/tasks/x.yml:1")])
    assert page.head["tasks"][0][2] == "tasks/x.yml:1"
    assert page.head["title"] == "site.yml"


def test_results_are_cut_to_what_a_page_may_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collecting, "OTHER_BYTES", 200_000)
    noise = random.Random(1)
    events = [result(f"h{number}", res={"rc": 0, "stdout": noise.randbytes(20_000).hex()}) for number in range(40)]
    failure = result("z", "Last", "failed", res={"msg": "no", "stdout": "x" * 500_000, "more": ["y" * 30_000] * 9})
    page = page_of([*events, failure])
    bodies = [page.body(number) for number in range(41)]
    assert bodies[0] is not None
    assert bodies[39] is None
    assert 39 in page.marked("CUT")
    last = bodies[40]
    assert last is not None
    assert last[0]["msg"] == "no"
    assert set(last[0]) == {"msg", "stdout"}
    assert any("long" in note for note in page.head["notes"])
    assert len(page.text) < 900_000


def test_more_results_than_a_page_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collecting, "MAX_RESULTS", 10)
    events = [result(f"h{number}", status="failed" if number == 15 else "ok") for number in range(20)]
    page = page_of([*events, stats(ok={f"h{number}": 1 for number in range(20)}, failures={"h15": 1})])
    assert [host for host, *_ in page.rows()] == [*(f"h{number}" for number in range(10)), "h15"]
    assert len(page.head["hosts"]) == 20
    assert any(note.startswith("9 more results") for note in page.head["notes"])


def test_the_policy_allows_what_is_in_the_page_and_nothing_else() -> None:
    text = render(PageReport(), RUN, BAD)
    parts = Parts(text)
    for tag in ("script", "style"):
        found = [text for name, values, text in parts.texts if name == tag and values.get("type") is None]
        allowed = re.search(rf"{tag}-src ([^;]*)", parts.policy)
        assert allowed is not None
        hashes = {f"'sha256-{base64.b64encode(hashlib.sha256(each.encode()).digest()).decode()}'" for each in found}
        assert len(hashes) == len(SCRIPTS if tag == "script" else STYLES)
        assert set(allowed[1].split()) == {*hashes}
    assert "default-src 'none'" in parts.policy
    assert "require-trusted-types-for 'script'" in parts.policy
    assert not re.search(r"(?:src|href)=\"(?!#)", text.split("<script id=", 1)[0])


@given(st.lists(ANY_EVENT, max_size=8), ENDS)
def test_any_events(events: list[dict[str, Any]], end: RunEnd) -> None:
    """Whatever the run has, the page has the same elements, and its data can be read."""
    text = render(PageReport(), events, end)
    assert Parts(text).tags == _TAGS
    page = read_page(text)
    text.encode()
    numbers = len(page.columns["task"])
    assert all(len(column) == numbers for column in page.columns.values())
    for number in range(numbers):
        page.body(number)
    assert all(0 <= task < len(page.head["tasks"]) for task in page.columns["task"])


_TAGS = Parts(render(PageReport(), RUN, GOOD)).tags


def test_markup_in_a_title() -> None:
    start = {**START, "event_data": {"playbook": "</title><script>alert(1)</script>.yml"}}
    text = render(PageReport(), [start], GOOD)
    assert "<script>alert" not in text
    assert Parts(text).tags == _TAGS
