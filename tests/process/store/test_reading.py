"""Rows that are read a part at a time: nobody waits for who reads, and wherever reading ends, nothing is left open."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from pathlib import Path

import pytest
from sqlalchemy import RowMapping, delete

from playstream.pipeline.errors import StoreError
from playstream.pipeline.io.cancellation import Cancellation
from playstream.process.store import Patience, Store, changed_on, iter_results, iter_runs, open_store, pages, query
from playstream.process.store.pages import Question
from playstream.process.store.schema import runs
from tests.process.store.blocking import backend_of, backends, nobody_works, stopped
from tests.process.store.events import deployment, many_results, save
from tests.process.store.postgresql import Postgresql
from tests.processes import wait_until


def test_who_stops_reading_leaves_nothing_open(postgresql: Postgresql, database: str) -> None:
    with open_store(postgresql.url(database)) as store:
        deployment().save(store)
        found = iter_results(store, 1)
        assert next(found).task == "Gathering Facts"
        assert backends(postgresql, database) == 1
        found.close()
    wait_until(lambda: backends(postgresql, database) == 0)


def test_a_server_keeps_nothing_for_who_reads_slowly(postgresql: Postgresql, database: str) -> None:
    with open_store(postgresql.url(database)) as store:
        save(store, list(many_results(10, 60, {})))
        for found in (iter_results(store, 1), iter_runs(store)):
            next(found)
            with postgresql.connect() as connection:
                (state,) = connection.execute(
                    "SELECT state FROM pg_stat_activity WHERE pid = %s", (backend_of(postgresql, database),)
                ).fetchone() or ("",)
            assert state == "idle", "and not idle in transaction"
            found.close()


def test_a_file_is_written_while_somebody_reads_slowly(tmp_path: Path) -> None:
    """Its log is emptied meanwhile; and where there is none, no writer waits."""
    place = tmp_path / "runs.db"
    with open_store(str(place)) as store:
        save(store, list(many_results(10, 60, {})))
    for mode in ("wal", "delete"):
        with closing(sqlite3.connect(place, timeout=0, isolation_level=None)) as writer:
            assert writer.execute(f"PRAGMA journal_mode = {mode}").fetchone() == (mode,)
            with open_store(str(place), writable=False) as store, closing(iter_results(store, 1)) as found:
                next(found)
                writer.execute("UPDATE runs SET explanation = 'changed'")
                if mode == "wal":
                    assert writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone() == (0, 0, 0)
                assert len(list(found)) == 599


def test_parts_make_a_whole(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each row once, in the same order, however many are asked for at once."""
    for _ in range(3):  # of the same times
        save(store, list(many_results(3, 4, {"changed": True})))

    def ask() -> list[object]:
        return [
            *iter_results(store, 1),
            *iter_results(store, 1, host="host1"),
            *iter_runs(store, limit=2),
            *iter_runs(store),
            *changed_on(store, "host1"),
            *changed_on(store, "host1", limit=4),
        ]

    whole = ask()
    for size in (1, 2, 3):
        for name in ("_RESULTS_AT_ONCE", "_RUNS_AT_ONCE", "_NUMBERS_AT_ONCE"):
            monkeypatch.setattr(query, name, size)
        assert ask() == whole


def test_a_run_that_is_removed_while_it_is_read(store: Store) -> None:
    save(store, list(many_results(10, 60, {})))
    found = iter_results(store, 1)
    next(found)
    with store.write() as connection:
        connection.execute(delete(runs))
    with pytest.raises(StoreError, match=r"the run was removed from the store .* while it was read"):
        list(found)


def end_the_backend(server: Postgresql, backend: int) -> AbstractContextManager[object]:
    """A connection that the server ends."""
    with server.connect() as connection:
        connection.execute("SELECT pg_terminate_backend(%s, 60000)", (backend,))
    return nullcontext()


def stop_the_backend(_server: Postgresql, backend: int) -> AbstractContextManager[object]:
    """A server that is silent."""
    return stopped(backend)


@pytest.mark.parametrize(("fail", "said"), [(end_the_backend, "connection"), (stop_the_backend, "not respond for 1 s")])
def test_reading_that_ends_in_an_error_leaves_nothing_open(
    postgresql: Postgresql, database: str, fail: Callable[[Postgresql, int], AbstractContextManager[object]], said: str
) -> None:
    with open_store(postgresql.url(database), patience=Patience(silence=1.0)) as store:
        save(store, list(many_results(10, 60, {})))
        found = iter_results(store, 1)
        next(found)
        with fail(postgresql, backend_of(postgresql, database)), pytest.raises(StoreError, match=said):
            list(found)
        wait_until(nobody_works)
    wait_until(lambda: backends(postgresql, database) == 0)


def test_what_comes_when_nobody_waits_any_longer_is_let_go(
    postgresql: Postgresql, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on = threading.Event()

    def dawdle(store: Store, question: Question) -> Generator[Sequence[RowMapping], None, None]:
        with closing(real_parts(store, question)) as parts:
            for number, rows in enumerate(parts):
                if number:
                    goes_on.wait(60)
                yield rows

    real_parts = pages.read_parts
    monkeypatch.setattr(pages, "read_parts", dawdle)
    with (
        closing(Cancellation()) as cancellation,
        open_store(postgresql.url(database), patience=Patience(canceled=0.2), cancellation=cancellation) as store,
    ):
        save(store, list(many_results(10, 60, {})))
        found = iter_results(store, 1)
        next(found)
        cancellation.request("canceled by the caller")
        with pytest.raises(StoreError, match="canceled by the caller"):
            list(found)
        assert not nobody_works()
        goes_on.set()
        wait_until(nobody_works)
    wait_until(lambda: backends(postgresql, database) == 0)
