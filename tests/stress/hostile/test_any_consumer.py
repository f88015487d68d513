"""Whoever reads events takes any JSON as one: nothing is raised but documented errors, and what is written is JSON."""

from __future__ import annotations

import io
import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import playstream
from playstream.cli.progress import Progress
from playstream.compat import ansible_runner
from playstream.interface.event_handler import EVENT_NAMES
from playstream.pipeline.errors import PlaystreamError
from playstream.pipeline.io.json_text import MAX_LEVELS
from playstream.pipeline.protocol import Event
from playstream.pipeline.protocol.order import Direction
from playstream.process.explanation import Explainer
from playstream.process.store.collector import Collector
from playstream.process.summary import summarize
from playstream.process.task_results import TaskResults
from playstream.report.collecting import RunEnd
from playstream.report.page.collecting import PageReport
from tests.report.page.reading import read_page
from tests.stress.hostile.streams import ENDED, STARTING, event_json, native
from tests.stress.hostile.test_any_input import VALUES, with_values

DATA_KEYS = (
    "host",
    "task",
    "task_uuid",
    "task_action",
    "task_path",
    "role",
    "play",
    "play_uuid",
    "playbook",
    "name",
    "pattern",
    "start",
    "end",
    "duration",
    "ignore_errors",
    "res_truncated",
    "res",
    "resolved_action",
    "ok",
    "failures",
    "dark",
    "processed",
    "changed",
    "artifact_data",
)
RES_KEYS = (
    "changed",
    "results",
    "ansible_facts",
    "ansible_stats",
    "ansible_loop_var",
    "item",
    "diff",
    "rc",
    "msg",
    "censored",
    "_ansible_no_log",
    "stdout",
)
NAMES = st.sampled_from([*EVENT_NAMES, "playbook_on_handler_task_start", "keepalive"])
DEEP_VALUES = st.integers(MAX_LEVELS - 3, 300).map(lambda depth: json.loads('{"a":' * depth + "[1]" + "}" * depth))
CUSTOM = st.fixed_dictionaries({"per_host": st.just(False), "aggregate": VALUES, "data": VALUES})
RES = VALUES | with_values(RES_KEYS) | DEEP_VALUES | CUSTOM.map(lambda stats: {"ansible_stats": stats})
DATA = (
    VALUES
    | with_values(DATA_KEYS)
    | st.builds(lambda data, res: {**data, "host": "node1", "res": res}, with_values(DATA_KEYS), RES)
)
EVENTS = st.builds(
    lambda name, data, more: {**more, "event": name, "event_data": data},
    NAMES | VALUES,
    DATA,
    with_values(("created", "uuid", "counter", "runner_ident", "event_data", "stdout", "pid")),
)
"""Any value for every field that somebody reads."""


def strict(text: str) -> Any:
    """The value of JSON text, which must be what every reader takes."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    value = json.loads(text, parse_constant=refuse)
    json.dumps(value, ensure_ascii=False).encode()
    return value


class _Handler(playstream.EventHandler):
    def runner_on_ok(self, event: dict[str, Any]) -> None:
        event["seen"] = True


@given(st.lists(EVENTS, max_size=5))
def test_any_event_for_any_consumer(events: list[dict[str, Any]]) -> None:
    given_ = [json.loads(json.dumps(event)) for event in events]
    summary = summarize(given_, ident="a", status="failed", rc=2)
    strict(json.dumps(summary))
    strict(json.dumps(summary, indent=2))
    results = TaskResults(given_)
    assert len(results) == sum(len(found) for found in results.by_host.values())
    collector, handler, explainer, page = Collector(), _Handler(), Explainer(), PageReport()
    with Progress(io.StringIO(), None) as progress:
        for event in given_:
            collector.take(event)
            explainer.event(event)
            page.add(event)
            assert progress.event(event)
            assert handler(event)
    explainer.explain(successful=False, rc=2)
    strict(json.dumps(read_page("".join(page.pieces(RunEnd("a", "failed", 2, None)))).blocks))
    for row in collector.results:
        strict(json.dumps(row))
    collector.results.close()


@pytest.mark.parametrize("streamed", [playstream.run, ansible_runner.run], ids=["playstream", "compat"])
@given(events=st.lists(EVENTS, min_size=1, max_size=4))
def test_any_event_through_a_runner(streamed: Any, events: list[dict[str, Any]]) -> None:
    texts = [
        event_json(**{"event_data": {}, **event, "counter": number, "uuid": f"u-{number}", "stdout": "x"})
        for number, event in enumerate(events, 1)
    ]
    records = [Event(number, text) for number, text in enumerate(texts, 1)]
    with tempfile.TemporaryDirectory() as directory:
        stream = io.BytesIO(native([STARTING, *records, ENDED], Direction.RESULT))
        runner = streamed(
            streamer="process",
            private_data_dir=directory,
            ident="a",
            quiet=True,
            _input=stream,
            event_handler=lambda _event: True,
        )
        assert (runner.status, runner.exit_status) == ("successful", 0)
        for path in (Path(directory) / "artifacts" / "a" / "job_events").iterdir():
            strict(path.read_text())
        assert len(list(runner.events)) == len(events)
        stats = runner.stats
        for table in (stats or {}).values():
            assert all(type(count) is int for count in table.values())
        for host in ("node1", "", "x"):
            assert {event["event_data"]["host"] for event in runner.host_events(host)} <= {host}
        strict(json.dumps(runner.summary()))
        assert len(runner.results) <= len(events)


@pytest.mark.parametrize("data", [[], "text", None, 5, True, [{"host": "node1"}], {"ok": [1], "failures": {"a": "x"}}])
def test_event_data_of_another_kind(data: Any) -> None:
    """Those that ended in an AttributeError."""
    events = [
        Event(1, event_json(1, event="runner_on_ok", event_data=data)),
        Event(2, event_json(2, uuid="u-2", event="playbook_on_stats", event_data=data)),
    ]
    with tempfile.TemporaryDirectory() as directory:
        runner = playstream.run(
            streamer="process",
            private_data_dir=directory,
            ident="a",
            quiet=True,
            _input=io.BytesIO(native([STARTING, *events, ENDED], Direction.RESULT)),
        )
        again = playstream.Runner(playstream.RunnerConfig(private_data_dir=directory, ident="a", module="ping"))
        for one in (runner, again):
            assert one.stats is not None
            assert not any(one.stats.values())
            assert list(one.host_events("node1")) == []
        assert runner.summary()["summary"] in ({}, {"a": runner.summary()["summary"].get("a")})


@pytest.mark.parametrize("content", [b"[]", b"5", b"nonsense", b"\xff", b"[" * 100_000])
def test_a_damaged_file_of_a_run_is_our_error(tmp_path: Path, content: bytes) -> None:
    runner = playstream.run(
        streamer="process",
        private_data_dir=str(tmp_path),
        ident="a",
        quiet=True,
        _input=io.BytesIO(native([STARTING, Event(1, event_json()), ENDED], Direction.RESULT)),
    )
    (tmp_path / "artifacts" / "a" / "job_events" / "1-u-1.json").write_bytes(content)
    (tmp_path / "artifacts" / "a" / "fact_cache").mkdir()
    (tmp_path / "artifacts" / "a" / "fact_cache" / "node1").write_bytes(content)
    for read in (lambda: list(runner.events), runner.summary, lambda: runner.get_fact_cache("node1")):
        with pytest.raises(PlaystreamError, match="damaged"):
            read()
