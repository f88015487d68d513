"""The trace that Perfetto shows: every slice of it, whatever the events say."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playstream.report.collecting import RunEnd
from playstream.report.page.hiding import Names
from playstream.report.trace import TraceReport
from tests.conftest import MakeDir
from tests.report.events import BAD, GOOD, START, render, result, stats
from tests.report.test_formats import ANY_EVENT, ANY_TEXT, ENDS
from tests.report.trace_format import Trace, read_trace
from tests.stages import Stages

BEGIN = datetime.fromisoformat("2026-11-30T10:00:00+00:00")


def at(seconds: float) -> str:
    return (BEGIN + timedelta(seconds=seconds)).isoformat()


def begun(host: str, seconds: float) -> dict[str, Any]:
    """A task begins on a host."""
    return {"event": "runner_on_start", "created": at(seconds), "event_data": {"host": host}}


def started(what: str, seconds: float, **data: str) -> dict[str, Any]:
    """A play or a task begins."""
    return {"event": f"playbook_on_{what}_start", "created": at(seconds), "event_data": data}


def ended(host: str, start: float, end: float, status: str = "ok", **more: Any) -> dict[str, Any]:
    """A task has ended on a host."""
    found = result(host, status=status, start=at(start), end=at(end), duration=end - start, **more)
    return {**found, "created": at(end)}


def trace_of(events: list[dict[str, Any]], end: RunEnd = GOOD) -> Trace:
    return read_trace(render(TraceReport(), events, end))


def spans(trace: Trace, track: str) -> list[tuple[str, int, int]]:
    """Name, begin and length of the slices of a track, in seconds."""
    return [(each["name"], each["ts"] / 1e6, each["dur"] / 1e6) for each in trace.slices[track]]


RUN = [
    START,
    started("play", 1, play="Web"),
    started("task", 2, task="Start", task_action="shell", task_path="/p/site.yml:3"),
    begun("web1", 2),
    begun("web2", 3),
    ended("web1", 2, 4),
    ended("web2", 3, 5, res={"changed": True}),
    started("task", 6, task="Stop", role="nginx"),
    begun("web1", 6),
    ended("web1", 6, 7, "failed", res={"msg": "no\nway", "changed": True}),
    stats(ok={"web1": 1, "web2": 1}, failures={"web1": 1}),
]


def test_a_run() -> None:
    trace = trace_of(RUN, BAD)
    assert trace.process == "site.yml"
    assert trace.about == {
        "ident": "nightly",
        "status": "failed",
        "rc": 2,
        "explanation": "web1 failed at task 'Start': no",
        "started": BEGIN.isoformat(),
    }
    assert list(trace.slices) == ["plays", "tasks", "web1", "web2"]
    assert spans(trace, "plays") == [("Web", 1, 6)]
    assert spans(trace, "tasks") == [("Start", 2, 3), ("nginx : Stop", 6, 1)]
    assert spans(trace, "web1") == [("Start", 2, 2), ("Start", 6, 1)]
    assert spans(trace, "web2") == [("Start", 3, 2)]
    assert [used for _, used in trace.forks] == [1, 2, 1, 0, 1, 0]
    first, second = trace.slices["web1"]
    source = {"action": "shell", "source": "/p/site.yml:3", "play": "Web"}
    assert (first["cat"], first["args"]) == ("ok", {"status": "ok", **source})
    assert (second["cat"], second["args"]) == ("failed", {"status": "failed", **source, "msg": "no way"})
    assert trace.slices["web2"][0]["cat"] == "changed"


def test_categories() -> None:
    events = [
        ended("a", 1, 2, "failed", res={"msg": "first"}),
        ended("a", 2, 3, "failed", ignore_errors=True),
        ended("b", 1, 2, "failed"),
        ended("b", 2, 3, "failed"),
        ended("b", 3, 4, "skipped"),
        ended("c", 1, 2, "unreachable"),
        ended("d", 1, 2, "unreachable"),
        stats(rescued={"a": 1, "b": 1}, failures={"b": 1}, ignored={"a": 1, "c": 1}, dark={"d": 1}),
    ]
    trace = trace_of(events, BAD)
    categories = {name: [each["cat"] for each in slices] for name, slices in trace.slices.items()}
    assert categories == {
        "plays": [],
        "tasks": [],
        "a": ["rescued", "ignored"],
        "b": ["rescued", "failed", "skipped"],
        "c": ["ignored"],
        "d": ["unreachable"],
    }
    colours = {each["cat"]: each["cname"] for slices in trace.slices.values() for each in slices}
    assert len(set(colours.values())) == len(colours)


def test_tasks_that_overlap_on_hosts() -> None:
    """With the strategy free, a task begins while another one runs; each host still has one at a time."""
    events = [
        started("play", 0, play="Free"),
        started("task", 0, task="One"),
        begun("a", 0),
        begun("b", 0),
        ended("a", 0, 1),
        started("task", 1, task="Two"),
        begun("a", 1),
        ended("b", 0, 4),
        ended("a", 1, 5),
    ]
    trace = trace_of(events)
    assert spans(trace, "tasks") == [("One", 0, 1), ("Two", 1, 4)]
    assert [used for _, used in trace.forks] == [1, 2, 1, 2, 1, 0]


def test_times_that_are_missing_or_absurd() -> None:
    events = [
        {**result("a", duration=0.5), "created": at(1)},
        {**result("a", duration=2), "created": at(3)},
        {**result("a", start=at(2), end="never", duration=float("inf")), "created": ""},
        ended("a", 5, 4),
        ended("a", -100, 7),
        {**result("a", start="9999-12-31T00:00:00+00:00", end="9999-12-31T00:00:01+00:00"), "created": at(8)},
        {**result("a"), "created": "2026-11-30T10:00:09"},
    ]
    trace = trace_of([{**START, "created": at(0)}, *events])
    assert [(start, length) for _, start, length in spans(trace, "a")][:5] == [
        (0.5, 0.5),
        (1, 2),
        (3, 0),
        (5, 0),
        (5, 2),
    ]
    assert trace_of([result("a")]).slices["a"][0]["dur"] == 0


HOSTILE = ["web1", "plays", "tasks", 'a"b', "</script>", "\x1b[2J", "\x00", "\ud800", "x" * 5000, " ", "a\nb", "\u202e"]


def test_hosts_with_hostile_names() -> None:
    """Each has a track of its own, also if its name is shown as that of another one."""
    trace = trace_of([event for host in [*HOSTILE, "a b"] for event in (begun(host, 1), ended(host, 1, 2))])
    assert len(trace.slices) == 2 + len(HOSTILE) + 1
    assert [len(slices) for slices in trace.slices.values()] == [0, 0, *[1] * (len(HOSTILE) + 1)]
    assert trace.forks[-1][1] == 0


TIMES = st.floats(-1e6, 1e6).map(at) | ANY_TEXT | st.sampled_from(["0001-01-01T00:00:00", "9999-12-31T23:59:59+00:00"])
TIMED = st.builds(
    lambda event, created, data: {**event, "created": created, "event_data": {**event.get("event_data", {}), **data}},
    st.builds(result, ANY_TEXT, status=st.sampled_from(["ok", "failed", "skipped", "unreachable", "start"]))
    | st.sampled_from([started("play", 0), started("task", 0), stats()]),
    TIMES,
    st.dictionaries(st.sampled_from(["start", "end"]), TIMES) | st.builds(dict, duration=st.floats() | ANY_TEXT),
)


@given(st.lists(TIMED | ANY_EVENT, max_size=12), ENDS)
def test_any_events(events: list[dict[str, Any]], end: RunEnd) -> None:
    trace = trace_of(events, end)
    count = sum(
        isinstance(event.get("event"), str)
        and event["event"] in {"runner_on_ok", "runner_on_failed", "runner_on_skipped", "runner_on_unreachable"}
        and isinstance(event["event_data"], dict)
        and isinstance(event["event_data"].get("host"), str)
        and bool(event["event_data"]["host"])
        for event in events
        if "event_data" in event
    )
    assert sum(map(len, list(trace.slices.values())[2:])) == count


PLAY = """\
- name: Work
  hosts: all
  gather_facts: false
  tasks:
    - debug: {msg: hello}
    - command: sleep 0.1
    - fail: {msg: no}
      ignore_errors: true
- name: Free
  hosts: all
  gather_facts: false
  strategy: free
  tasks:
    - block: [{fail: {msg: no}}]
      rescue: [{debug: {msg: saved}}]
    - fail: {msg: no}
"""


@pytest.fixture
def traced(private_data_dir: MakeDir) -> Path:
    directory = private_data_dir({"site.yml": PLAY})
    variables = "ansible_connection=local ansible_python_interpreter='{{ ansible_playbook_python }}'"
    (directory / "inventory" / "hosts").write_text(f"alpha {variables}\nbeta {variables}\n")
    return directory


def test_a_real_run(stages: Stages, traced: Path, tmp_path: Path) -> None:
    """The trace of a run and that of its capture are the same, and have a slice for each task and host."""
    file, capture = tmp_path / "run.json", tmp_path / "capture"
    words = ("-p", "site.yml", "-i", "x", "--format", "trace", "-o", file, "--capture", capture)
    assert stages.call("run", traced, *words).returncode == 2
    done = stages.call("process", tmp_path / "other", "-i", "x", "--format", "trace", stdin=capture.read_bytes())
    assert done.stdout == file.read_bytes()
    assert b"TASK [debug]" in done.stderr
    trace = read_trace(file.read_text())
    assert [each["name"] for each in trace.slices["plays"]] == ["Work", "Free"]
    for host in ("alpha", "beta"):
        kinds = [(each["name"], each["cat"]) for each in trace.slices[host]]
        assert kinds == [
            ("debug", "ok"),
            ("command", "changed"),
            ("fail", "ignored"),
            ("fail", "rescued"),
            ("debug", "ok"),
            ("fail", "failed"),
        ]
        command = trace.slices[host][1]
        assert command["dur"] >= 100_000
        assert command["args"]["source"].endswith("site.yml:6")
    assert max(used for _, used in trace.forks) == 2
    assert trace.forks[-1][1] == 0


def test_hosts_can_be_hidden() -> None:
    """Their names are in no text of the trace; Perfetto still tells them apart."""
    events = [*RUN[:-2], ended("web1", 6, 7, "failed", res={"msg": "web1 says no"}, task="Stop web2"), RUN[-1]]
    names = Names()
    for event in events:
        names.add(event)
    text = render(TraceReport(names.hide()), events, BAD)
    trace = read_trace(text)
    assert list(trace.slices) == ["plays", "tasks", "host-1", "host-2"]
    assert "web1" not in text
    assert "web2" not in text
    assert trace.slices["host-1"][1]["name"] == "Stop host-2"
    assert trace.slices["host-1"][1]["args"]["msg"] == "host-1 says no"
    assert trace.about["explanation"] == "host-1 failed at task 'Start': no"


def test_a_report_of_a_kept_run(stages: Stages, traced: Path, tmp_path: Path) -> None:
    file, kept = tmp_path / "run.json", tmp_path / "kept.json"
    capture = tmp_path / "capture"
    words = ("-p", "site.yml", "-i", "x", "-q", "--format", "trace", "-o", file, "--capture", capture)
    assert stages.call("run", traced, *words).returncode == 2
    assert stages.call("report", capture, "-o", kept).returncode == 0
    shown, again = read_trace(file.read_text()), read_trace(kept.read_text())
    assert again.slices == shown.slices
    assert stages.call("report", capture, "-o", kept, "--hide-hosts").returncode == 0
    assert sorted(read_trace(kept.read_text()).slices) == ["host-1", "host-2", "plays", "tasks"]
    assert "alpha" not in kept.read_text()
