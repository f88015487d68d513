"""Rows on the store: a run of 10,000 results, taken as events and written at its end."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from benchmarks.errors import BenchmarkError
from benchmarks.figures import Row, Samples, interleave
from benchmarks.inputs import Inputs
from playstream.pipeline.protocol import Status, StatusName
from playstream.process.store import EventKeeper, RunWriter, open_store
from tests.process.store.events import FIRST, many_results
from tests.process.store.postgresql import Postgresql

HOSTS, TASKS = 200, 50
RES = {
    "changed": True,
    "rc": 0,
    "cmd": ["uptime"],
    "stdout": " 12:00:00 up 40 days, load average: 0.08\n" * 8,
    "stderr": "",
    "delta": "0:00:00.004371",
    "invocation": {"module_args": {"_raw_params": "uptime", "argv": None}},
}
"""As long as one of the module command: 600 characters of JSON."""
_SECONDS = 1.0
_S = "s"


def store_rows(inputs: Inputs, runs: int) -> list[Row]:
    """Writing to both databases, which sync what they write, and taking and keeping the events before."""
    hosts = max(1, round(HOSTS * inputs.scale))
    events = list(many_results(hosts, TASKS, RES))
    folder = inputs.work / "store"
    folder.mkdir()
    try:
        server = Postgresql(durable=True)
    except RuntimeError as error:
        raise BenchmarkError(str(error)) from None
    try:
        files = (str(folder / f"{number}.db") for number in range(runs + 1))
        found = interleave(
            {
                "take": lambda: _measure_take(str(folder / "taken.db"), events),
                "keep": lambda: _measure_keep(str(folder / "kept.db"), events),
                "SQLite": lambda: _measure_save(next(files), events),
                "PostgreSQL": lambda: _measure_save(server.url(server.make_database()), events),
            },
            runs,
            _S,
        )
    finally:
        server.close()
    what = f"store, {hosts * TASKS:,} results"
    return [
        Row(f"{what}: taking their events", found["take"], None, None, ""),
        Row(f"{what}: keeping their events in SQLite", found["keep"], None, None, ""),
        _under(f"{what} into SQLite", found["SQLite"]),
        Row(f"{what} into PostgreSQL", found["PostgreSQL"], None, None, ""),
    ]


def _under(stage: str, own: Samples) -> Row:
    return Row(stage, own, None, None, "", f"under {_SECONDS:g} s", own.median < _SECONDS)


def _measure_take(url: str, events: list[dict[str, Any]]) -> float:
    with open_store(url) as store, RunWriter(store) as writer:
        return _time(lambda: _take(writer, events))


def _measure_keep(url: str, events: list[dict[str, Any]]) -> float:
    with open_store(url) as store:
        keeper = EventKeeper(store, _fail)
        seconds = _time(lambda: _keep(keeper, events))
        keeper.close()
        return seconds


def _fail(warning: str) -> None:
    raise BenchmarkError(warning)


def _keep(keeper: EventKeeper, events: list[dict[str, Any]]) -> None:
    for event in events:
        keeper.take_event(event)
    keeper.finish(Status(StatusName.SUCCESSFUL, FIRST.isoformat(), rc=0))


def _measure_save(url: str, events: list[dict[str, Any]]) -> float:
    with open_store(url) as store, RunWriter(store) as writer:
        _take(writer, events)
        return _time(lambda: _save(writer))


def _take(writer: RunWriter, events: list[dict[str, Any]]) -> None:
    for event in events:
        writer.take(event)


def _save(writer: RunWriter) -> None:
    if not writer.save("bench", "successful", 0):
        raise BenchmarkError("the store says that it has the run already")


def _time(action: Callable[[], None]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start
