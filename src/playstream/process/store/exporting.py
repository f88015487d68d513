"""A run of a store as JSON lines, which `importing` writes to another one.

The first line says what the file is and has the run, the next ones have its parts, and the last one says that it is
whole:

    {"playstream_run": 1, "run": {…}}
    {"play": {…}}
    {"task": {…}}
    {"host": {…}}
    {"result": {…}}
    {"end": 4}
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from sqlalchemy import RowMapping, select

from playstream.pipeline.errors import StoreError
from playstream.process.store import schema
from playstream.process.store.engine import Store
from playstream.process.store.pages import Question, stream
from playstream.process.store.runs import as_json

FORM = 1
"""Version of the format."""
MARK = "playstream_run"
"""The name in the first line by which the format is recognized; its value is the version."""
PARTS = {"play": schema.plays, "task": schema.tasks, "host": schema.hosts, "result": schema.results}
"""The tables of a run's parts by the names of their lines, in the order of the lines."""
NUMBERS = frozenset({"id", "run_id"})
"""Columns with numbers that another store chooses itself."""
_AT_ONCE = 100


def export_run(store: Store, run_id: int) -> Iterator[dict[str, Any]]:
    """Yield the lines for a run as values for JSON, without holding all of them.

    Args:
        store: the store.
        run_id: `StoredRun.id`.

    Raises:
        StoreError: when iterating: the store cannot be read, or the run was removed meanwhile.
    """

    def read() -> RowMapping | None:
        with store.read() as connection:
            return connection.execute(select(schema.runs).where(schema.runs.c.id == run_id)).mappings().first()

    run = store.session().call(read)
    if run is None:
        raise StoreError(f"the run was removed from the store {store.shown} while it was read")
    yield {MARK: FORM, "run": _values(run)}
    count = 0
    for name in PARTS:
        for values in stream(store, part_question(run_id, name), _values):
            count += 1
            yield {name: values}
    yield {"end": count}


def part_question(run_id: int, name: str) -> Question:
    """Build the query for the parts of a run of one kind."""
    table = PARTS[name]
    key = {column.name: column for column in table.primary_key if column.name != "run_id"}
    statement = select(table).where(table.c.run_id == run_id).order_by(*key.values())
    same = select(schema.runs.c.digest).where(schema.runs.c.id == run_id)
    return Question(statement, key, _AT_ONCE, same=same)


def _values(row: RowMapping) -> dict[str, Any]:
    values = {name: as_json(value) for name, value in row.items() if name not in NUMBERS}
    if values.get("res") is not None:
        values["res"] = json.loads(values["res"])
    return values
