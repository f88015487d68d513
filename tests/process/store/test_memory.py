"""What the writer holds does not grow with output, and rows beyond a bound wait in a file."""

from __future__ import annotations

import errno
import os
import tempfile
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

from playstream.process.store import (
    RunWriter,
    Store,
    StoreError,
    iter_results,
    iter_runs,
    list_runs,
    open_store,
    schema,
)
from playstream.process.store.row_buffer import IN_MEMORY, RowBuffer
from tests.process.store.events import FIRST, Script, many_results

MIB = 1 << 20
AT_ONCE = 100
"""Results that are read at once."""


@pytest.fixture
def traced() -> Iterator[None]:
    """Python's memory is counted."""
    tracemalloc.start()
    yield
    tracemalloc.stop()


def test_memory_does_not_grow_with_output(tmp_path: Path, traced: None) -> None:
    with open_store(str(tmp_path / "runs.db")) as store, RunWriter(store) as writer:
        script = Script()
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(300):
            writer.take({**script.event("verbose", {}), "stdout": "x" * MIB})
        assert tracemalloc.get_traced_memory()[0] - before < MIB // 4


def test_memory_does_not_grow_with_results(tmp_path: Path, traced: None) -> None:
    with open_store(str(tmp_path / "runs.db")) as store, RunWriter(store) as writer:
        before = tracemalloc.get_traced_memory()[0]
        for event in many_results(20, 50, {"stdout": "x" * 50_000}):  # 50 MB of them
            writer.take(event)
        assert writer.save("large", "successful", 0)
        assert tracemalloc.get_traced_memory()[1] - before < 3 * IN_MEMORY
        run = list_runs(store)[0]
        assert run.results == 1000
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        assert sum(len(result.res["stdout"]) for result in iter_results(store, run.id)) == 1000 * 50_000
        assert tracemalloc.get_traced_memory()[1] - before < 3 * AT_ONCE * 50_000


def test_memory_does_not_grow_with_runs(store: Store, traced: None) -> None:
    counts = dict.fromkeys(schema.HOST_COUNTS, 0)
    of_all = {"status": "successful", "rc": 0, "started": FIRST, "ended": FIRST, "events": 0, "results": 0, "hosts": 0}
    with store.write() as connection:
        connection.execute(
            insert(schema.runs),
            [
                {"ident": "nightly", "digest": f"{number}", "playbook": "x" * 1000, **of_all, **counts}
                for number in range(5000)
            ],
        )
    tracemalloc.reset_peak()
    before = tracemalloc.get_traced_memory()[0]
    assert sum(1 for _ in iter_runs(store)) == 5000
    assert tracemalloc.get_traced_memory()[1] - before < 3 * MIB


def test_rows_come_back_in_their_order_as_often_as_asked() -> None:
    rows: list[tuple[Any, ...]] = [(number, "猫\n\u2028" * number, None, 1.5, True) for number in range(100)]
    spool = RowBuffer(in_memory=2000)
    for half in (rows[:50], rows[50:]):
        for row in half:
            spool.add(row, len(row[1]))
        assert list(spool) == list(spool) == rows[: spool.count]
    spool.close()
    spool.close()


def test_a_full_disk_is_told_when_the_run_is_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    with open_store(str(tmp_path / "runs.db")) as store, RunWriter(store) as writer:
        for event in many_results(10, 60, {"stdout": "x" * 50_000}):
            writer.take(event)
        with pytest.raises(StoreError, match=r"No space left on device.*nothing was written"):
            writer.save("large", "successful", 0)
        assert list_runs(store) == []
