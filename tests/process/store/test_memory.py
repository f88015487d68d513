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

from playstream.process.store import RunWriter, StoreError, iter_results, list_runs, open_store
from playstream.process.store.spool import IN_MEMORY, RowSpool
from tests.process.store.events import Script, many_results

MIB = 1 << 20


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
        for event in many_results(20, 100, {"stdout": "x" * 50_000}):  # 100 MB of them
            writer.take(event)
        assert writer.save("large", "successful", 0)
        assert tracemalloc.get_traced_memory()[1] - before < 3 * IN_MEMORY
        run = list_runs(store)[0]
        assert run.results == 2000
        assert sum(len(result.res["stdout"]) for result in iter_results(store, run.id)) == 2000 * 50_000


def test_rows_come_back_in_their_order_as_often_as_asked() -> None:
    rows: list[tuple[Any, ...]] = [(number, "猫\n\u2028" * number, None, 1.5, True) for number in range(100)]
    spool = RowSpool(in_memory=2000)
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
