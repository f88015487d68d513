"""The events of a run travel with it to another store, and a file with anything else as events changes nothing."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from playstream.pipeline.errors import LimitExceeded, PlaystreamError, RemoteProtocolError
from playstream.pipeline.limits import DEFAULT_LIMITS, Limits
from playstream.pipeline.protocol import Event, Heartbeat, Log, LogLevel, Record, codec
from playstream.process.store import Store, list_runs, open_store, prune_runs, read_infos, read_records
from tests.captures.reading import an_event
from tests.process.store.events import deployment
from tests.process.store.test_exchange import Lines, exported, put
from tests.process.store.test_kept_events import keep, long_run, rows


def make_lines(directory: Path) -> Lines:
    """Those of a run with its events."""
    with open_store(str(directory / "lines.db")) as store:
        keep(store, deployment())
        return exported(store)


def make_exchange(directory: Path) -> dict[str, Any]:
    """The arguments of the properties here."""
    return {"lines": make_lines(directory), "empty": open_store(str(directory / "empty.db"))}


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> Lines:
    """The lines of a run with its events."""
    return make_lines(tmp_path_factory.mktemp("lines"))


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A store in which nothing is left after each test."""
    with open_store(str(tmp_path_factory.mktemp("empty") / "runs.db")) as store:
        yield store


def packed(*records: Record | bytes) -> dict[str, str]:
    """A line with a block."""
    content = b"".join(record if isinstance(record, bytes) else codec.encode(record) for record in records)
    return {"block": base64.b64encode(zstandard.ZstdCompressor().compress(content)).decode()}


def with_blocks(lines: Lines, *blocks: dict[str, Any]) -> Lines:
    """The lines with other blocks."""
    others = [line for line in lines if "block" not in line and "end" not in line]
    return [*others, *blocks, {"end": len(others) - 1 + len(blocks)}]


def test_events_are_the_same_in_another_store(store: Store, tmp_path: Path) -> None:
    records, _ = keep(store, long_run())
    with open_store(str(tmp_path / "copy.db")) as copy:
        assert put(copy, exported(store, "long")) == ("long", True)
        (run,) = list_runs(copy)
        assert run.kept_events == 254
        assert list(read_records(copy, run)) == records
        assert read_infos(copy, run) == read_infos(store, list_runs(store)[0])
        assert exported(copy, "long") == exported(store, "long")
        assert put(copy, exported(store, "long")) == ("long", False)
        assert rows(copy) == (1, 3)


def test_a_file_without_events_is_one_for_older_versions_too(store: Store) -> None:
    deployment().save(store)
    assert exported(store)[0]["playstream_run"] == 1
    keep(store, deployment())
    assert exported(store)[0]["playstream_run"] == 2


def test_blocks_of_any_size_are_taken(lines: Lines, empty: Store) -> None:
    """A block for each record becomes one block."""
    records: list[Record] = [Log(LogLevel.INFO, "hello"), *(an_event(number) for number in range(1, 40))]
    put(empty, with_blocks(lines, *(packed(record) for record in records)))
    (run,) = list_runs(empty)
    assert list(read_records(empty, run)) == records
    assert rows(empty) == (1, 1)
    prune_runs(empty, keep=0)


@pytest.mark.parametrize(
    ("block", "said"),
    [
        ({"block": 7}, "expected text, got int"),
        ({"block": "?"}, "block: "),
        ({"block": base64.b64encode(b"nonsense").decode()}, "cannot be decompressed"),
        (packed(b"\x03\0\xff"), "ends in a record"),
        (packed(Heartbeat()), "does not belong there"),
        (packed(Event(1, b"[]")), "expected one object"),
        (packed(Event(2, an_event(1).json)), "has the counter"),
        (packed(an_event(2), an_event(1)), "event 1 follows event 2"),
        (packed(an_event(1), an_event(1)), "event 1 follows event 1"),
    ],
)
def test_what_is_refused(lines: Lines, empty: Store, block: dict[str, Any], said: str) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        put(empty, with_blocks(lines, block))
    assert said in str(caught.value)
    assert (list_runs(empty), rows(empty)) == ([], (0, 0))


def test_blocks_in_another_place_are_refused(lines: Lines, empty: Store) -> None:
    block = next(line for line in lines if "block" in line)
    for others, said in (
        ([{**lines[0], "playstream_run": 1}, *lines[1:]], "expected one of"),
        ([lines[0], block, *lines[1:]], "wrong place"),
        ([*lines[:-1], {"end": lines[-1]["end"] - 1}], "number of parts"),
    ):
        with pytest.raises(RemoteProtocolError, match=said):
            put(empty, others)
    assert rows(empty) == (0, 0)


def test_what_is_large_is_refused(lines: Lines, empty: Store) -> None:
    """However well it is compressed, and however it is divided."""
    bomb = packed(b"\0" * (80 << 20))
    assert len(json.dumps(bomb)) < 30_000
    with pytest.raises(RemoteProtocolError, match="at most"):
        put(empty, with_blocks(lines, bomb))
    many = [packed(an_event(number, stdout="x" * 100_000)) for number in range(1, 30)]
    with pytest.raises(LimitExceeded, match="too many bytes"):
        put(empty, with_blocks(lines, *many), Limits(max_tree_bytes=1 << 20))
    logs = [packed(*[Log(LogLevel.INFO, "x" * 100_000)] * 20)] * 3
    with pytest.raises(LimitExceeded, match="too many bytes"):
        put(empty, with_blocks(lines, *logs), Limits(max_tree_bytes=1 << 20))
    assert (list_runs(empty), rows(empty)) == ([], (0, 0))


@given(data=st.data())
def test_any_content_is_imported_or_refused(lines: Lines, empty: Store, data: st.DataObject) -> None:
    pieces = data.draw(
        st.lists(
            st.binary(min_size=1, max_size=12)
            | st.builds(an_event, st.integers(0, 5))
            | st.builds(Event, st.integers(0, 5), st.binary(max_size=8))
            | st.builds(Log, st.sampled_from(LogLevel), st.text(max_size=3)),
            max_size=4,
        )
    )
    try:
        put(empty, with_blocks(lines, packed(*pieces)), DEFAULT_LIMITS)
    except PlaystreamError:
        assert (list_runs(empty), rows(empty)) == ([], (0, 0))
    else:
        (run,) = list_runs(empty)
        assert (run.kept_events is None) == (not pieces)
        assert len(list(read_records(empty, run)) if pieces else []) == len(pieces)
        prune_runs(empty, keep=0)
