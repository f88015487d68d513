"""Events that are kept in a store: while the run is active, whole or not at all, and as long as the run."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, inspect, select, text

from playstream.pipeline.errors import StoreError
from playstream.pipeline.protocol import Event, Log, LogLevel, Status, StatusName
from playstream.process.record_blocks import BlockRecord
from playstream.process.store import (
    EventKeeper,
    RunWriter,
    Store,
    list_runs,
    open_store,
    prune_runs,
    read_infos,
    read_records,
    schema,
)
from playstream.process.store import event_writer as keeping
from playstream.process.store.sqlite import SqliteFile
from tests.process.store.events import Script, deployment, go_back_to_version_2

END = Status(StatusName.SUCCESSFUL, "2026-11-30T10:00:00+00:00", rc=0)


def record_of(event: dict[str, Any]) -> Event:
    return Event(event["counter"], json.dumps(event).encode())


def long_run(ident: str = "long") -> Script:
    """A run with several blocks of events."""
    script = Script(ident).play().task("Talk")
    for number in range(250):
        script.result("ok", f"web{number}", {"msg": "x" * 10_000})
    return script.stats()


def take(keeper: EventKeeper, script: Script) -> list[BlockRecord]:
    records: list[BlockRecord] = [Log(LogLevel.INFO, "hello"), *map(record_of, script.events), END]
    for record in records:
        keeper.take(record, json.loads(record.json) if isinstance(record, Event) else None)
    return records


def keep(store: Store, script: Script, warn: Callable[[str], object] = pytest.fail) -> tuple[list[BlockRecord], bool]:
    """Save a run with its events; return its records, and whether it has them."""
    keeper = EventKeeper(store, warn)
    with RunWriter(store) as writer:
        records = take(keeper, script)
        for event in script.events:
            writer.take(event)
        writer.save(script.ident, "successful", 0, kept=keeper.finish(END))
        keeper.note_saved(has_events=writer.has_kept)
    keeper.close()
    return records, writer.has_kept


def rows(store: Store) -> tuple[int, int]:
    with store.read() as connection:
        tables = (schema.event_sets, schema.event_blocks)
        sets, blocks = (connection.execute(select(func.count()).select_from(table)).scalar_one() for table in tables)
        return sets, blocks


def test_events_come_back(store: Store) -> None:
    records, has_kept = keep(store, long_run())
    assert has_kept
    keep(store, deployment("other"))
    (run,) = (run for run in list_runs(store) if run.ident == "long")
    assert run.kept_events == run.events == 254
    assert list(read_records(store, run)) == records
    infos = read_infos(store, run)
    assert len(infos) == 3
    assert sum(info.events for info in infos) == 254
    later = list(read_records(store, run, 2))
    assert later == records[-len(later) :]
    assert isinstance(later[0], Event)
    assert later[0].counter == infos[1].last + 1
    assert infos[0].tasks == (5,)


def test_blocks_are_written_while_the_run_is_active(store: Store) -> None:
    keeper = EventKeeper(store, pytest.fail)
    take(keeper, long_run())
    assert rows(store) == (1, 2)
    assert list_runs(store) == []
    keeper.close()
    assert rows(store) == (0, 0)


def test_a_run_without_events_says_so(store: Store) -> None:
    deployment().save(store)
    (run,) = list_runs(store)
    assert run.kept_events is None
    assert read_infos(store, run) == []
    with pytest.raises(StoreError, match="were removed from the store"):
        list(read_records(store, run))


def test_a_run_that_is_there_gets_its_events_once(store: Store) -> None:
    deployment().save(store)
    records, has_kept = keep(store, deployment())
    assert has_kept
    assert keep(store, deployment())[1] is False
    assert rows(store) == (1, 1)
    (run,) = list_runs(store)
    assert list(read_records(store, run)) == records


def test_the_end_is_added_if_the_records_do_not_have_it(store: Store) -> None:
    keeper = EventKeeper(store, pytest.fail)
    keeper.take(Status(StatusName.SUCCESSFUL, END.created, rc=0))
    with RunWriter(store) as writer:
        writer.save("x", "error", None, kept=keeper.finish(Status(StatusName.ERROR, END.created)))
    keeper.note_saved(has_events=writer.has_kept)
    keeper.close()
    (run,) = list_runs(store)
    found = [record.status for record in read_records(store, run) if isinstance(record, Status)]
    assert found == [StatusName.SUCCESSFUL, StatusName.ERROR]


def test_a_full_disk_ends_the_keeping(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    connect = SqliteFile.connect

    def connect_to_small_disk(self: SqliteFile) -> sqlite3.Connection:
        connection = connect(self)
        connection.execute("PRAGMA max_page_count = 60")
        return connection

    said: list[str] = []
    with open_store(str(tmp_path / "runs.db")) as store:
        monkeypatch.setattr(SqliteFile, "connect", connect_to_small_disk)
        script = Script().play().task("Talk")
        for number in range(200):
            noise = "".join(chr(33 + hash((number, place)) % 90) for place in range(8000))
            script.result("ok", "web1", {"msg": noise})
        keeper = EventKeeper(store, said.append)
        take(keeper, script)
        assert keeper.finish(END) is None
        keeper.close()
        assert deployment("after").save(store)
        assert [(run.ident, run.kept_events) for run in list_runs(store)] == [("after", None)]
        assert rows(store) == (0, 0)
    (warning,) = said
    assert "not kept in the store" in warning
    assert "disk is full" in warning
    assert "The run continues" in warning


def test_an_event_that_no_record_can_have_ends_the_keeping(store: Store) -> None:
    said: list[str] = []
    keeper = EventKeeper(store, said.append)
    keeper.take(Event(-1, b"{}"), {})
    keeper.take(Event(1, b"{}"), {})
    assert keeper.finish(END) is None
    keeper.close()
    assert len(said) == 1


def test_an_event_that_is_nested_too_deep_ends_the_keeping(store: Store) -> None:
    nested: list[Any] = []
    for _ in range(100_000):
        nested = [nested]
    said: list[str] = []
    keeper = EventKeeper(store, said.append)
    keeper.take_event({"counter": 1, "event_data": nested})
    keeper.take_event({"counter": 2})
    assert keeper.finish(END) is None
    keeper.close()
    assert len(said) == 1


def test_any_counter_of_a_stream_can_be_kept(store: Store) -> None:
    keeper = EventKeeper(store, pytest.fail)
    keeper.take(Event(2**64 - 1, b"{}"), {"event": "playbook_on_task_start"})
    with RunWriter(store) as writer:
        writer.save("x", "successful", 0, kept=keeper.finish(END))
    keeper.note_saved(has_events=writer.has_kept)
    keeper.close()
    (run,) = list_runs(store)
    assert read_infos(store, run)[0].tasks == (2**64 - 1,)


def test_what_a_killed_process_has_left_is_removed_later(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    lost = EventKeeper(store, pytest.fail)
    take(lost, long_run("lost"))
    said: list[str] = []
    slow = EventKeeper(store, said.append)
    take(slow, long_run("slow"))
    keep(store, deployment("a"))
    assert rows(store)[0] == 3
    with store.write() as connection:
        old = datetime.now(UTC) - keeping.ABANDONED - timedelta(minutes=1)
        connection.execute(schema.event_sets.update().values(touched=old))
    keep(store, deployment("b"))
    assert rows(store) == (2, 2)
    assert slow.finish(END) is None
    assert len(said) == 1
    slow.close()


def test_events_are_removed_with_their_run(store: Store) -> None:
    keep(store, long_run())
    keep(store, deployment())
    prune_runs(store, keep=0)
    assert rows(store) == (0, 0)


def test_a_run_that_is_removed_while_it_is_read(store: Store) -> None:
    keep(store, long_run())
    (run,) = list_runs(store)
    reading = read_records(store, run)
    next(reading)
    prune_runs(store, keep=0)
    with pytest.raises(StoreError, match="removed"):
        list(reading)


@pytest.mark.parametrize(
    "change",
    ["UPDATE event_blocks SET data = zeroblob(50)", "DELETE FROM event_blocks WHERE number = 1"],
)
def test_damage_is_told(tmp_path: Path, change: str) -> None:
    with open_store(str(tmp_path / "runs.db")) as store:
        keep(store, long_run())
        with store.write() as connection:
            connection.execute(text(change))
        (run,) = list_runs(store)
        with pytest.raises(StoreError, match="damaged"):
            list(read_records(store, run))


def test_a_store_of_the_version_before_gets_the_tables(store_url: str, tmp_path: Path) -> None:
    with open_store(store_url) as store:
        deployment().save(store)
        fresh = columns(store)
        with store.read() as connection:
            go_back_to_version_2(connection)
    with open_store(store_url) as store:
        migrated = columns(store)
        assert {name: sorted(of, key=str) for name, of in migrated.items()} == {
            name: sorted(of, key=str) for name, of in fresh.items()
        }
        keep(store, long_run())
        assert [run.kept_events for run in list_runs(store) if run.ident == "nightly"] == [None]
        prune_runs(store, keep=0)
        assert rows(store) == (0, 0)


def columns(store: Store) -> dict[str, list[tuple[str, str, bool]]]:
    with store.read() as connection:
        tables = inspect(connection)
        return {
            name: [
                (column["name"], str(column["type"]), bool(column["nullable"])) for column in tables.get_columns(name)
            ]
            for name in ("runs", "event_sets", "event_blocks")
        }
