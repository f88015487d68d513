"""What the reports of a run say, whatever its hosts, tasks and results are called."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playstream.report.agent import AgentReport
from playstream.report.collecting import Report, RunEnd
from playstream.report.junit import JunitReport
from playstream.report.markdown import MarkdownReport, escape
from tests.report.events import BAD, GOOD, START, parse_xml, render, result, stats

FORMATS: dict[str, Callable[[], Report]] = {"agent": AgentReport, "markdown": MarkdownReport, "junit": JunitReport}
COMMAND = {"msg": "non-zero return code", "rc": 3, "cmd": ["false", "-x"], "stderr": "it broke", "stdout": "out"}
RUN = [
    START,
    result("web1", "Prepare"),
    result("web2", "Prepare", "skipped"),
    result("web1", "Start", "failed", res=COMMAND),
    result("web2", "Start", "unreachable", res={"msg": "no route"}),
    stats(ok={"web1": 1}, failures={"web1": 1}, dark={"web2": 1}, skipped={"web2": 1}),
]


def test_for_an_agent() -> None:
    assert render(AgentReport(), RUN, BAD) == (
        "site.yml failed, return code 2, 10.0 s, ident nightly\n"
        "hosts 2, ok 1, changed 0, failures 1, unreachable 1, skipped 1, rescued 0, ignored 0\n"
        "web1 failed at task 'Start': no\n"
        "\n"
        "FAILED web1\n"
        "task: Start (shell, /p/site.yml:3)\n"
        "msg: non-zero return code\n"
        "rc: 3\n"
        "cmd: false -x\n"
        "stderr: it broke\n"
        "\n"
        "UNREACHABLE web2\n"
        "task: Start (shell, /p/site.yml:3)\n"
        "msg: no route\n"
    )


def test_in_markdown() -> None:
    text = render(MarkdownReport(), RUN, BAD)
    assert text.startswith("### site.yml failed, return code 2, 10.0 s, ident nightly\n")
    assert "| web1 | 1 | 0 | 1 | 0 | 0 | 0 | 0 |\n" in text
    assert "**Start** failed on **web1** (shell, /p/site.yml:3)\n\n```text\nmsg: non-zero return code\n" in text
    assert "**Start** did not reach **web2**" in text


def test_for_ci() -> None:
    root = parse_xml(render(JunitReport(), RUN, BAD))
    assert (root.tag, root.attrib["tests"], root.attrib["failures"], root.attrib["errors"]) == (
        "testsuites",
        "4",
        "1",
        "1",
    )
    (suite,) = root
    assert suite.attrib["name"] == "Web"
    kinds = [(case.attrib["classname"], case.attrib["name"], [child.tag for child in case]) for case in suite]
    assert kinds == [
        ("web1", "Prepare", []),
        ("web2", "Prepare", ["skipped"]),
        ("web1", "Start", ["failure"]),
        ("web2", "Start", ["error"]),
    ]
    failure = suite[2][0]
    assert failure.attrib == {"message": "non-zero return code", "type": "failed"}
    assert "stderr: it broke" in (failure.text or "")


def test_a_suite_for_each_play() -> None:
    events = [result("a", play="One"), result("b", play="One"), result("a", play="Two"), result("a", play=None)]
    root = parse_xml(render(JunitReport(), events, GOOD))
    assert [(suite.attrib["name"], suite.attrib["tests"]) for suite in root] == [
        ("One", "2"),
        ("Two", "1"),
        ("run", "1"),
    ]


def test_an_end_that_no_task_explains() -> None:
    end = RunEnd("x", "error", None, "the playbook cannot be parsed")
    root = parse_xml(render(JunitReport(), [], end))
    assert (root.attrib["tests"], root.attrib["errors"]) == ("1", "1")
    error = root[0][0][0]
    assert (error.tag, error.attrib["message"]) == ("error", "the playbook cannot be parsed")
    for report in (AgentReport(), MarkdownReport()):
        assert "the playbook cannot be parsed" in render(report, [], end)


RESCUED = [
    result("a", "Rescued", "failed", res={"msg": "first"}),
    result("a", "Ignored", "failed", res={"msg": "second"}, ignore_errors=True),
    result("b", "Rescued", "failed", res={"msg": "third"}),
    result("b", "Real", "failed", res={"msg": "fourth"}),
    result("c", "Away", "unreachable", res={"msg": "fifth"}),
    stats(ok={"a": 2, "c": 1}, rescued={"a": 1, "b": 1}, failures={"b": 1}, ignored={"a": 1, "c": 1}),
]


@pytest.mark.parametrize("name", FORMATS)
def test_failures_that_were_handled_do_not_count(name: str) -> None:
    text = render(FORMATS[name](), RESCUED, BAD)
    if name == "junit":
        root = parse_xml(text)
        assert (root.attrib["failures"], root.attrib["errors"]) == ("1", "0")
        text = "".join(child.text or "" for case in root[0] for child in case if child.tag == "failure")
    assert "fourth" in text
    for word in ("first", "second", "third", "fifth"):
        assert word not in text


def test_failed_items_of_a_loop() -> None:
    items = [
        {"ansible_loop_var": "item", "item": f"i{number}", "failed": number > 0, "msg": f"no {number}"}
        for number in range(6)
    ]
    text = render(AgentReport(), [result("a", "Loop", "failed", res={"msg": "All items", "results": items})], BAD)
    assert "item i1: msg: no 1\nitem i2: msg: no 2\nitem i3: msg: no 3\nitems: 2 more have failed\n" in text
    assert "i0" not in text


def test_what_no_log_hides_stays_hidden() -> None:
    res = {"_ansible_no_log": True, "msg": "s3cret", "stderr": "s3cret"}
    for make in FORMATS.values():
        text = render(make(), [result("a", "Login", "failed", res=res)], BAD)
        assert "s3cret" not in text
        assert "no_log" in text


def test_a_clean_run_of_any_size_is_short_for_an_agent() -> None:
    hosts = [f"host{number}.example.com" for number in range(500)]
    events = [result(host, f"task {number}", res={"changed": True}) for number in range(200) for host in hosts[:50]]
    counts = dict.fromkeys(hosts, 200)
    text = render(AgentReport(), [START, *events, stats(ok=counts, changed=counts)], GOOD)
    assert len(text.encode()) < 2048
    assert "hosts 500, ok 100000, changed 100000" in text


def test_hosts_with_the_same_failure_share_it() -> None:
    events = [result(f"h{number}", "Start", "failed", res=COMMAND) for number in range(30)]
    text = render(AgentReport(), events, BAD)
    assert text.count("FAILED") == 1
    assert "FAILED h0, h1, h2, h3, h4, h5, h6, h7 and 22 more\n" in text


@pytest.mark.parametrize("name", ["agent", "markdown"])
def test_many_failures_are_cut(name: str) -> None:
    events = [
        result(f"h{number}", f"t{number}", "failed", res={"msg": f"{number} {'x' * 3000}"}) for number in range(3000)
    ]
    text = render(FORMATS[name](), events, BAD)
    assert len(text) < 65_000
    assert re.search(r"[Aa]nd \d{4} more failed results", text)


ANY_TEXT = st.text(max_size=40) | st.sampled_from(
    [
        "```",
        "````text\n# x",
        "<script>alert(1)</script>",
        "]]>",
        "a|b",
        "\x1b[2J",
        "\x00",
        "\ud800",
        "@somebody",
        "[x](y)",
    ]
)
ANY_VALUE: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["msg", "rc", "cmd", "stderr"]), inner),
    max_leaves=6,
)
ANY_RESULT = st.builds(
    lambda status, data, res: {"event": status, "event_data": {**data, "res": res}},
    st.sampled_from(["runner_on_ok", "runner_on_failed", "runner_on_skipped", "runner_on_unreachable"]),
    st.fixed_dictionaries(
        {"host": ANY_TEXT | st.integers(), "task": ANY_VALUE, "play": ANY_VALUE, "task_path": ANY_TEXT},
        optional={"role": ANY_TEXT, "ignore_errors": st.booleans(), "duration": ANY_VALUE},
    ),
    st.dictionaries(
        st.sampled_from(["msg", "rc", "cmd", "stderr", "stdout", "results", "failed", "item", "ansible_loop_var"]),
        ANY_VALUE,
        max_size=5,
    ),
)
ANY_EVENT = ANY_RESULT | st.dictionaries(st.sampled_from(["event", "event_data", "created"]), ANY_VALUE)
ENDS = st.builds(
    RunEnd, ANY_TEXT, st.sampled_from(["failed", "successful", "error"]), st.none() | st.integers(), ANY_TEXT
)


@given(st.lists(ANY_EVENT, max_size=8), ENDS)
def test_any_events(events: list[dict[str, Any]], end: RunEnd) -> None:
    """XML is well formed and its counts agree; no text breaks out of its place, and none controls a terminal."""
    root = parse_xml(render(JunitReport(), events, end))
    cases = list(root.iter("testcase"))
    for name, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        assert int(root.attrib[name]) == len(list(root.iter(tag)))
    assert int(root.attrib["tests"]) == len(cases)
    assert end.successful or int(root.attrib["failures"]) + int(root.attrib["errors"]) > 0
    for make in (AgentReport, MarkdownReport):
        text = render(make(), events, end)
        text.encode()
        assert all(char.isprintable() or char in "\n\t" for char in text)
    outside = re.sub(r"^(`{3,})text\n.*?^\1$", "", text, flags=re.MULTILINE | re.DOTALL)
    assert not re.search(r"(?<!\\)[`<@]", outside)


@given(ANY_TEXT)
def test_escaped_markdown_is_one_line_without_marks(text: str) -> None:
    shown = escape(text)
    assert "\n" not in shown
    assert not re.search(r"(?<!\\)(?:\\\\)*[`*_<>|@\[\]]", shown)
