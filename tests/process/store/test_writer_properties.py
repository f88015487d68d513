"""Whatever a worker sends: the writer never raises, counts right, and what it wrote can be read again."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playstream.process.event_data import CENSORED
from playstream.process.store import RunWriter, Store, iter_results, open_store, show_run
from playstream.process.store.collector import Collector
from playstream.process.store.result_json import encode_res
from tests.process.store.postgresql import Postgresql

SCHEMA = json.loads((Path(__file__).parents[3] / "docs" / "event-schema.json").read_text(encoding="utf-8"))
KINDS = SCHEMA["properties"]["event"]["enum"]
FIELDS = sorted(
    {name for kind in KINDS for name in SCHEMA["$defs"][kind]["properties"]["event_data"]["then"].get("properties", {})}
    | {name for part in SCHEMA["$defs"].values() for name in part.get("properties", {})}
)
ENDINGS = {"runner_on_ok", "runner_on_failed", "runner_on_unreachable", "runner_on_skipped"}

texts = st.text(st.characters(exclude_categories=()), max_size=12) | st.sampled_from(["", "\0", "\ud800", "x" * 3000])
numbers = st.integers() | st.integers(-(10**40), 10**40) | st.floats()
values = st.recursive(
    st.none() | st.booleans() | numbers | texts | st.just(CENSORED),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(texts | st.sampled_from(["censored", "_ansible_no_log", "changed"]), inner, max_size=3)
    ),
    max_leaves=8,
)
uuids = st.sampled_from(["u1", "u2", "u3", "", "\0"])
times = st.datetimes(timezones=st.timezones()).map(lambda time: time.isoformat()) | texts
likely: dict[str, st.SearchStrategy[Any]] = {
    "host": st.sampled_from(["h1", "h2", "h3"]),
    "task": texts,
    "task_uuid": uuids,
    "play_uuid": uuids,
    "start": times,
    "end": times,
    "res": st.dictionaries(texts, values, max_size=3),
    "ignore_errors": st.booleans(),
    "ok": st.dictionaries(texts, st.integers(0, 9), max_size=3),
    "duration": numbers,
}
data = st.fixed_dictionaries({}, optional={name: likely.get(name, values) | values for name in FIELDS})
odd_events = st.dictionaries(texts, values, max_size=3) | st.fixed_dictionaries(
    {"event": st.sampled_from(KINDS) | values, "event_data": data | values},
    optional=dict.fromkeys(("uuid", "counter", "created", "stdout", "parent_uuid"), values | times),
)


def well_formed(kind: str, host: str, task: str, play: str) -> dict[str, Any]:
    """An event as the schema has it, as far as the writer looks."""
    about = {"host": host, "task": task, "task_uuid": task, "play": play, "play_uuid": play, "res": {"changed": False}}
    return {"event": kind, "event_data": about, "uuid": play, "created": "2026-11-21T12:00:00+00:00", "counter": 1}


good_events = st.builds(well_formed, st.sampled_from(KINDS), *(st.sampled_from(["a", "b", "c"]) for _ in range(3)))


@pytest.fixture(scope="module")
def sqlite_store() -> Iterator[Store]:
    """One for all examples: each is a run more."""
    with tempfile.TemporaryDirectory() as directory, open_store(f"{directory}/runs.db") as store:
        yield store


@pytest.fixture(scope="module")
def postgresql_store(postgresql: Postgresql) -> Iterator[Store]:
    """Likewise."""
    with open_store(postgresql.url(postgresql.make_database())) as store:
        yield store


def write_and_read(store: Store, events: list[dict[str, Any]], ident: str = "odd") -> None:
    """What is counted is what is there."""
    with RunWriter(store) as writer:
        for event in events:
            writer.take(event)
        new = writer.save(ident, "successful", 0)
        assert not new or not events or not writer.save(ident, "successful", 0)
    if not new:
        return
    with store.read() as connection:
        run_id = connection.exec_driver_sql("SELECT max(id) FROM runs").scalar_one()
    detail = show_run(store, ident, run_id=run_id)
    assert detail is not None
    results = list(iter_results(store, run_id))
    outcomes = Counter(result.outcome for result in results)
    assert detail.run.events == len(events)
    assert detail.run.results == len(results)
    assert detail.run.hosts == len(detail.hosts)
    assert {result.host for result in results} <= {host.name for host in detail.hosts}
    for outcome, counted in (
        ("ok", "ok"),
        ("changed", "changed"),
        ("failed", "failures"),
        ("ignored", "ignored"),
        ("unreachable", "unreachable"),
        ("skipped", "skipped"),
    ):
        assert sum(getattr(task, counted) for task in detail.tasks) == outcomes[outcome]
    assert {task.play for task in detail.tasks} <= {None, *(play.number for play in detail.plays)}


@given(events=st.lists(odd_events | good_events, max_size=12))
def test_anything_is_written_to_sqlite(sqlite_store: Store, events: list[dict[str, Any]]) -> None:
    write_and_read(sqlite_store, events)


@given(events=st.lists(odd_events | good_events, max_size=12))
def test_anything_is_written_to_postgresql(postgresql_store: Store, events: list[dict[str, Any]]) -> None:
    write_and_read(postgresql_store, events)


@given(ident=texts.filter(bool), status=texts, explanation=texts | st.none(), rc=st.integers() | st.none())
@settings(max_examples=30)
def test_any_outcome_is_written_to_postgresql(
    postgresql_store: Store, ident: str, status: str, explanation: str | None, rc: int | None
) -> None:
    with RunWriter(postgresql_store) as writer:
        assert writer.save(ident, status, rc, explanation)
    assert show_run(postgresql_store, ident) is not None


@given(events=st.lists(good_events, max_size=40))
def test_each_ending_is_one_result_and_other_events_none(events: list[dict[str, Any]]) -> None:
    collected = Collector()
    for event in events:
        collected.take(event)
    endings = [event for event in events if event["event"] in ENDINGS]
    assert collected.results.count == len(endings)
    wanted = Counter((event["event_data"]["play_uuid"], event["event_data"]["task_uuid"]) for event in endings)
    counted = [task["ok"] + task["failures"] + task["unreachable"] + task["skipped"] for task in collected.tasks]
    assert sorted(filter(None, counted)) == sorted(wanted.values())


@given(kind=texts.filter(lambda kind: kind not in KINDS), more=data)
def test_unknown_events_are_passed_over(kind: str, more: dict[str, Any]) -> None:
    collected = Collector()
    collected.take({"event": kind, "event_data": more, "uuid": "u"})
    assert (collected.events, collected.results.count, collected.tasks, collected.plays) == (1, 0, [], [])


@given(res=values, limit=st.integers(2, 400))
def test_a_result_s_json_is_bounded_valid_and_clean(res: object, limit: int) -> None:
    shown, truncated = encode_res(res, limit)
    if shown is None:
        assert res is None
        return
    assert len(shown) <= limit
    assert "\\u0000" not in shown.replace("\\\\", "")
    json.loads(shown.encode("utf-8"), parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    if not truncated:
        assert "_ansible_no_log" not in shown


@pytest.mark.parametrize("depth", [41, 400, 50_000])
def test_what_is_nested_too_deep_is_cut(depth: int) -> None:
    deep: Any = {"msg": "x"}
    for _ in range(depth):
        deep = {"changed": deep}
    shown, _ = encode_res(deep)
    assert shown is not None
    assert shown.startswith('{"changed":{"changed":')
    assert shown.count("{") == 40
    wide = '[{"a":[1]}' + ',{"b":[{}]}' * 500 + "]"
    assert encode_res(json.loads(wide)) == (wide, False)
    collected = Collector()
    collected.take({"event": deep, "uuid": deep, "created": deep, "counter": 10**5000, "event_data": deep})
    collected.take({"event": "runner_on_ok", "event_data": {"host": "h", "res": deep, "task_uuid": deep}})
    assert collected.results.count == 1
