"""A run is the same in another store, and a file with anything else in it changes nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playstream.pipeline.errors import IncompleteStream, LimitExceeded, PlaystreamError, RemoteProtocolError
from playstream.pipeline.limits import DEFAULT_LIMITS, Limits
from playstream.process.store import (
    Store,
    export_run,
    import_run,
    iter_results,
    list_runs,
    open_store,
    prune_runs,
    show_run,
)
from playstream.process.store.runs import as_json
from tests.process.store.events import deployment

Lines = list[dict[str, Any]]


def exported(store: Store, ident: str = "nightly") -> Lines:
    """The lines of a run, as values."""
    found = show_run(store, ident)
    assert found is not None
    lines: Lines = json.loads(json.dumps(list(export_run(store, found.run.id))))
    return lines


def put(store: Store, lines: list[Any], limits: Limits = DEFAULT_LIMITS) -> tuple[str, bool]:
    """Import values as lines."""
    return import_run(store, lambda: [json.dumps(line).encode() + b"\n" for line in lines], limits)


def whole(store: Store, ident: str = "nightly") -> Any:
    """All that is known of a run, but for its number in the store."""
    found = show_run(store, ident)
    assert found is not None
    parts = [as_json(found), [as_json(result) for result in iter_results(store, found.run.id)]]
    return json.loads(json.dumps(parts).replace(f'"run_id": {found.run.id},', "").replace(f'"id": {found.run.id},', ""))


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> Lines:
    """Those of a run."""
    with open_store(str(tmp_path_factory.mktemp("lines") / "runs.db")) as store:
        deployment().save(store, "failed", 2)
        return exported(store)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A store in which nothing is left after each test."""
    with open_store(str(tmp_path_factory.mktemp("empty") / "runs.db")) as store:
        yield store


def test_a_run_is_the_same_in_another_store(store: Store, tmp_path: Path) -> None:
    deployment("other").save(store)
    deployment().save(store, "failed", 2)
    with open_store(str(tmp_path / "copy.db")) as copy:
        assert put(copy, exported(store)) == ("nightly", True)
        assert whole(copy) == whole(store)
        assert put(copy, exported(store)) == ("nightly", False)
        assert len(list_runs(copy)) == 1
        assert exported(copy) == exported(store)
        assert not deployment().save(copy, "failed", 2)  # it is the same run
        prune_runs(store, keep=0)
        assert put(store, exported(copy)) == ("nightly", True)
        assert whole(copy) == whole(store)


def refused(store: Store, lines: list[Any], kind: type[PlaystreamError] = RemoteProtocolError) -> str:
    """The message for lines that are refused."""
    with pytest.raises(kind) as caught:
        put(store, lines)
    assert list_runs(store) == []
    return str(caught.value)


def test_a_file_that_is_cut_off_is_refused(lines: Lines, empty: Store) -> None:
    for end in range(len(lines)):
        assert "cut off" in refused(empty, lines[:end], IncompleteStream)


def changed(lines: Lines, place: int, **values: object) -> Lines:
    """The lines with other values in one of them."""
    ((name, before),) = [item for item in lines[place].items() if isinstance(item[1], dict)]
    return [*lines[:place], {**lines[place], name: {**before, **values}}, *lines[place + 1 :]]


def place_of(lines: Lines, name: str) -> int:
    """The first line of this name."""
    return next(place for place, line in enumerate(lines) if name in line)


@pytest.mark.parametrize(
    ("name", "values", "said"),
    [
        ("run", {"status": "odd"}, "status: expected one of"),
        ("run", {"digest": "x" * 64}, "digest"),
        ("run", {"ident": ""}, "ident"),
        ("run", {"ident": "a\0b"}, "ident"),
        ("run", {"ident": "x" * 256}, "ident"),
        ("run", {"started": "yesterday"}, "started"),
        ("run", {"ok": -1}, "ok: expected"),
        ("run", {"ok": True}, "ok: expected"),
        ("run", {"ok": 2**31}, "ok: expected"),
        ("run", {"ok": [[]]}, "got list"),
        ("run", {"results": 3}, "the run has 3 results"),
        ("run", {"id": 7}, "no value 'id'"),
        ("task", {"run_id": 7}, "no value 'run_id'"),
        ("task", {"play": 9}, "there is no play '9'"),
        ("task", {"number": 2}, "there are two tasks '2'"),
        ("result", {"host": "odd"}, "there is no host 'odd'"),
        ("result", {"task": 9}, "there is no task '9'"),
        ("result", {"outcome": "odd"}, "outcome: expected one of"),
        ("result", {"duration": -1}, "duration"),
        ("result", {"truncated": 1}, "truncated"),
    ],
)
def test_what_is_refused(lines: Lines, empty: Store, name: str, values: dict[str, object], said: str) -> None:
    assert said in refused(empty, changed(lines, place_of(lines, name), **values))


def test_lines_in_another_place_are_refused(lines: Lines, empty: Store) -> None:
    first = place_of(lines, "result")
    assert "two results" in refused(empty, [*lines[: first + 1], *lines[first:]])
    assert "not in the order" in refused(empty, [*lines[:first], lines[-2], *lines[first:]])
    assert "wrong place" in refused(empty, [*lines[:-1], lines[1], lines[-1]])
    assert "another line" in refused(empty, [*lines, lines[-1]])
    assert "number of parts" in refused(empty, [*lines[:-1], {"end": 1}])
    assert "not a run" in refused(empty, lines[1:])
    assert "version 3" in refused(empty, [{**lines[0], "playstream_run": 3}, *lines[1:]])


def test_the_limits(lines: Lines, empty: Store) -> None:
    for limits in (Limits(max_record_bytes=200), Limits(max_tree_bytes=2000), Limits(max_tree_entries=4)):
        with pytest.raises(LimitExceeded):
            put(empty, lines, limits)
    assert list_runs(empty) == []


def test_results_are_cleaned_and_cut(lines: Lines, empty: Store) -> None:
    place = place_of(lines, "result")
    hidden = {"msg": "x" * 70_000, "inner": {"censored": "hidden", "secret": "s"}}
    put(empty, changed(lines, place, res=hidden))
    (run,) = list_runs(empty)
    try:
        cut = [result for result in iter_results(empty, run.id) if result.truncated]
        assert [set(result.res) for result in cut] == [{"msg"}]
    finally:
        prune_runs(empty, keep=0)


odd = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)


@given(data=st.data())
def test_anything_is_imported_or_refused(lines: Lines, empty: Store, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(lines) - 2))
    names = sorted(next(value for value in lines[place].values() if isinstance(value, dict)))
    other: list[Any] = changed(lines, place, **{data.draw(st.sampled_from(names)): data.draw(odd)})
    if data.draw(st.booleans()):
        other[data.draw(st.integers(0, len(lines) - 1))] = data.draw(odd)
    try:
        put(empty, other)
    except PlaystreamError:
        assert list_runs(empty) == []
    else:
        (run,) = list_runs(empty)
        list(iter_results(empty, run.id))
        prune_runs(empty, keep=0)


@given(text=st.binary(max_size=60))
def test_any_bytes_are_refused(empty: Store, text: bytes) -> None:
    with pytest.raises(PlaystreamError):
        import_run(empty, lambda: text.splitlines(keepends=True), DEFAULT_LIMITS)
    assert list_runs(empty) == []
