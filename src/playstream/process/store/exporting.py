"""A run of a store as JSON lines, which `importing` writes to another one.

The first line says what the file is and has the run, the next ones have its parts, and the last one says that it is
whole:

    {"playstream_run": 1, "run": {…}}
    {"play": {…}}
    {"task": {…}}
    {"host": {…}}
    {"result": {…}}
    {"block": "…"}
    {"end": 5}

A block has events that are kept in the store, compressed, in Base64.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

from sqlalchemy import RowMapping, select

from playstream.pipeline.errors import StoreError
from playstream.process.store import schema
from playstream.process.store.engine import Store
from playstream.process.store.event_reader import read_blocks
from playstream.process.store.pages import Question, stream
from playstream.process.store.runs import as_json

FORM, FORM_WITH_EVENTS = 1, 2
"""Versions of the format: the first one has no blocks, so that an older playstream can read it too."""
BLOCK = "block"
"""The name of the lines with events."""
MARK = "playstream_run"
"""The name in the first line by which the format is recognized; its value is the version."""
PARTS = {"play": schema.plays, "task": schema.tasks, "host": schema.hosts, "result": schema.results}
"""The tables of a run's parts by the names of their lines, in the order of the lines."""
NUMBERS = frozenset({"id", "run_id", "kept_events"})
"""Columns with numbers that another store sets itself."""
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
    has_events = run["kept_events"] is not None
    yield {MARK: FORM_WITH_EVENTS if has_events else FORM, "run": _values(run)}
    count = 0
    for name in PARTS:
        for values in stream(store, part_question(run_id, name), _values):
            count += 1
            yield {name: values}
    for block in read_blocks(store, run_id) if has_events else ():
        count += 1
        yield {BLOCK: base64.b64encode(block).decode()}
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
