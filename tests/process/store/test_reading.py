"""Rows that are read a part at a time: wherever reading ends, nothing is left open."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from typing import Any

import pytest
from psycopg import ServerCursor
from sqlalchemy import RowMapping, Select

from playstream.pipeline.cancellation import Cancellation
from playstream.pipeline.errors import StoreError
from playstream.process.store import Patience, Store, iter_results, open_store, query
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


def open_cursors() -> list[ServerCursor[object]]:
    """The cursors at a server that nobody has closed."""
    return [found for found in gc.get_objects() if isinstance(found, ServerCursor) and not found.closed]


def end_the_backend(server: Postgresql, backend: int) -> AbstractContextManager[object]:
    """A connection that the server ends."""
    with server.connect() as connection:
        connection.execute("SELECT pg_terminate_backend(%s, 60000)", (backend,))
    return nullcontext()


def stop_the_backend(_server: Postgresql, backend: int) -> AbstractContextManager[object]:
    """A server that is silent."""
    return stopped(backend)


@pytest.mark.parametrize(("fail", "said"), [(end_the_backend, "connection"), (stop_the_backend, "no answer for 1 s")])
def test_reading_that_ends_in_an_error_leaves_nothing_open(
    postgresql: Postgresql, database: str, fail: Callable[[Postgresql, int], AbstractContextManager[object]], said: str
) -> None:
    with open_store(postgresql.url(database), patience=Patience(silence=1.0)) as store:
        save(store, list(many_results(10, 60, {})))
        found = iter_results(store, 1)
        next(found)
        assert open_cursors()
        with fail(postgresql, backend_of(postgresql, database)), pytest.raises(StoreError, match=said):
            list(found)
        wait_until(lambda: nobody_works() and not open_cursors())
    wait_until(lambda: backends(postgresql, database) == 0)


def test_what_comes_when_nobody_waits_any_longer_is_let_go(
    postgresql: Postgresql, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on = threading.Event()

    def dawdle(store: Store, statement: Select[Any]) -> Generator[Sequence[RowMapping], None, None]:
        with closing(real_parts(store, statement)) as parts:
            for number, rows in enumerate(parts):
                if number:
                    goes_on.wait(60)
                yield rows

    real_parts = query._parts
    monkeypatch.setattr(query, "_parts", dawdle)
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
        assert open_cursors()
        goes_on.set()
        wait_until(lambda: nobody_works() and not open_cursors())
    wait_until(lambda: backends(postgresql, database) == 0)
