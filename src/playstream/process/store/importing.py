"""Reading a run that was exported, and writing it to a store. The file is not trusted: each value is checked."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Connection, Float, Integer, String, Table, insert, update

from playstream.pipeline.errors import IncompleteStream, LimitExceeded, RemoteProtocolError, StoreError
from playstream.pipeline.limits import Limits, exceeded
from playstream.pipeline.protocol import Event
from playstream.process.events import parse_event
from playstream.process.record_blocks import Block, BlockMaker, read_block
from playstream.process.store import schema
from playstream.process.store.engine import Store
from playstream.process.store.event_writer import insert_block
from playstream.process.store.exporting import BLOCK, FORM, FORM_WITH_EVENTS, MARK, NUMBERS, PARTS
from playstream.process.store.result_json import encode_res
from playstream.process.store.schema import UtcTime
from playstream.process.store.values import as_seconds, as_text, as_time
from playstream.process.store.words import OUTCOMES, STATUSES
from playstream.process.store.writer import insert_run

_BATCH = 200
_SMALL, _LARGE = 2**31 - 1, 2**63 - 1
_ORDER = list(PARTS)
_WORDS: Mapping[str, tuple[str, ...]] = {"status": STATUSES, "outcome": OUTCOMES}
_DIGEST = re.compile(r"[0-9a-f]{64}")
_SHOWN = 80
Row = dict[str, Any]
Source = Callable[[], Iterable[bytes]]


class _Reader:
    """Checks the lines of one file.

    Args:
        limits: the limits of what is read.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._number = 0
        self._size = 0
        self._counts = dict.fromkeys(PARTS, 0)
        self._seen: dict[str, set[object]] = {name: set() for name in ("play", "task", "host")}
        self._task = 0
        self._of_task: dict[str, int] = {}
        self._ended = False
        self._form = FORM
        self._blocks = _Blocks(limits)
        self.run: Row = {}
        self.kept_events: int | None = None
        """Number of the events in the file; None if it has none."""

    def rows(self, lines: Iterable[bytes]) -> Iterator[tuple[str, Row | Block]]:
        """Yield the rows of the parts with their names, and then the blocks of events; `run` is set before the first.

        Raises:
            IncompleteStream: the end is missing.
            LimitExceeded: the file is too large.
            RemoteProtocolError: it is not an exported run, or is damaged.
        """
        for line in lines:
            self._number += 1
            values = self._parse(line)
            if self._ended:
                raise self._damaged("expected the end of the file, got another line")
            if self._number == 1:
                self._take_run(values)
            elif set(values) == {"end"}:
                self._check_end(values["end"])
                yield from ((BLOCK, block) for block in self._blocks.finish())
            elif self._form == FORM_WITH_EVENTS and set(values) == {BLOCK}:
                yield from ((BLOCK, block) for block in self._take_block(values[BLOCK]))
            else:
                yield self._take_part(values)
        if not self._ended:
            raise IncompleteStream(
                f"the file ends after line {self._number}, before its last one: it was cut off. Export the run again"
            )

    def _parse(self, line: bytes) -> Mapping[str, Any]:
        self._size += len(line)
        if len(line) > self._limits.max_record_bytes:
            raise exceeded(f"line {self._number} has too many bytes", self._limits.max_record_bytes, "max_record_bytes")
        if self._size > self._limits.max_tree_bytes:
            raise exceeded("the file has too many bytes", self._limits.max_tree_bytes, "max_tree_bytes")
        try:
            values = json.loads(line)
        except (ValueError, RecursionError):
            values = None
        if not isinstance(values, dict):
            raise self._damaged(f"expected a JSON object, got {line[:_SHOWN]!r}")
        return values

    def _take_run(self, values: Mapping[str, Any]) -> None:
        form = values.get(MARK)
        if type(form) is not int or set(values) != {MARK, "run"}:
            raise self._damaged("the file is not a run that playstream store export has written")
        if form not in {FORM, FORM_WITH_EVENTS}:
            raise RemoteProtocolError(
                f"the file has version {form} of the format, and this playstream reads {FORM} and {FORM_WITH_EVENTS}: "
                "run pip install --upgrade playstream"
            )
        self._form = form
        self.run = self._row(schema.runs, values["run"])
        if not _DIGEST.fullmatch(self.run["digest"]):
            raise self._damaged("digest: expected 64 hexadecimal digits")
        if not self.run["ident"]:
            raise self._damaged("ident: expected a name, got an empty string")

    def _take_part(self, values: Mapping[str, Any]) -> tuple[str, Row]:
        (name,) = values if len(values) == 1 else (None,)
        if name not in PARTS:
            raise self._damaged(f"expected one of {', '.join(PARTS)} or end, got {', '.join(values)[:_SHOWN]!r}")
        if any(self._counts[later] for later in _ORDER[_ORDER.index(name) + 1 :]):
            raise self._damaged(f"a {name} is in the wrong place: expected {', '.join(_ORDER)} in this order")
        if self._blocks.count:
            raise self._damaged(f"a {name} is in the wrong place: expected no more than blocks of events")
        row = self._row(PARTS[name], values[name])
        self._counts[name] += 1
        if name == "result":
            self._check_result(row)
        else:
            self._note(name, row)
        return name, row

    def _note(self, name: str, row: Row) -> None:
        """Check that a play, a task or a host is new; they are held, so their number is limited."""
        key = row["name"] if name == "host" else row["number"]
        if key in self._seen[name]:
            raise self._damaged(f"there are two {name}s {str(key)[:_SHOWN]!r}")
        self._seen[name].add(key)
        if sum(map(len, self._seen.values())) > self._limits.max_tree_entries:
            raise exceeded(
                "the file has too many plays, tasks and hosts", self._limits.max_tree_entries, "max_tree_entries"
            )
        if name == "task" and row["play"] is not None:
            self._require("play", row["play"])

    def _check_result(self, row: Row) -> None:
        """Check that a result is of a known task and host, and none is there twice: they are in the order of these."""
        self._require("task", row["task"])
        self._require("host", row["host"])
        if row["task"] != self._task:
            if row["task"] < self._task:
                raise self._damaged("the results are not in the order of their tasks")
            self._task = row["task"]
            self._of_task = {}
        if row["number"] <= self._of_task.get(row["host"], -1):
            raise self._damaged("there are two results with the same number")
        self._of_task[row["host"]] = row["number"]

    def _require(self, name: str, key: object) -> None:
        if key not in self._seen[name]:
            raise self._damaged(f"there is no {name} {str(key)[:_SHOWN]!r} before")

    def _take_block(self, text: object) -> Iterator[Block]:
        """Take a block of events; yield those that are complete, which need not be the same."""
        if not isinstance(text, str):
            raise self._damaged(f"block: expected text, got {type(text).__name__}")
        try:
            yield from self._blocks.take(base64.b64decode(text, validate=True))
        except LimitExceeded:
            raise
        except (ValueError, RemoteProtocolError) as error:
            raise self._damaged(f"block: {error}") from None
        self.kept_events = self._blocks.events if self._blocks.has_records else None

    def _check_end(self, count: object) -> None:
        found = sum(self._counts.values()) + self._blocks.count
        if count != found:
            raise self._damaged(f"the number of parts is not {found}, as the lines before have it")
        for name in ("host", "result"):
            if self.run[f"{name}s"] != self._counts[name]:
                raise self._damaged(f"the run has {self.run[f'{name}s']} {name}s, and the file {self._counts[name]}")
        self._ended = True

    def _row(self, table: Table, values: object) -> Row:
        if not isinstance(values, dict):
            raise self._damaged(f"expected an object, got {type(values).__name__}")
        columns = {column.name: column for column in table.c if column.name not in NUMBERS}
        unknown = values.keys() - columns
        if unknown:
            raise self._damaged(f"expected no value {min(unknown)[:_SHOWN]!r}")
        row = {name: self._value(column, values.get(name)) for name, column in columns.items() if name != "res"}
        if "res" in columns:
            row["res"], cut = encode_res(values.get("res"))
            row["truncated"] = row["truncated"] or cut
        return row

    def _value(self, column: Column[Any], value: object) -> Any:
        if value is None and column.nullable:
            return None
        fitting = _fit(column, value)
        words = _WORDS.get(column.name)
        if fitting is None or (words is not None and fitting not in words):
            expected = "one of " + ", ".join(words) if words else f"a valid {column.type.__class__.__name__}"
            shown = type(value).__name__ if isinstance(value, (dict, list)) else repr(value)[:_SHOWN]
            raise self._damaged(f"{column.name}: expected {expected}, got {shown}")
        return fitting

    def _damaged(self, why: str) -> RemoteProtocolError:
        return RemoteProtocolError(f"line {self._number}: {why}")


class _Blocks:
    """Checks the blocks of events, and makes new ones of them.

    Args:
        limits: the limits of the records.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._maker = BlockMaker()
        self._last = -1
        self.count = 0
        """Number of blocks."""
        self.events = 0
        """Number of events."""

    def take(self, data: bytes) -> Iterator[Block]:
        """Take a block; yield one that is complete.

        Raises:
            LimitExceeded: all events have too many bytes.
            RemoteProtocolError: an event is not valid.
            ValueError: the block is damaged.
        """
        self.count += 1
        for record in read_block(data, self._limits.max_record_bytes):
            event = self._check(record) if isinstance(record, Event) else None
            block = self._maker.add(record, event)
            if self._maker.total > self._limits.max_tree_bytes:
                raise exceeded("the events have too many bytes", self._limits.max_tree_bytes, "max_tree_bytes")
            if block is not None:
                yield block

    def _check(self, record: Event) -> Mapping[str, Any]:
        if record.counter <= self._last:
            raise ValueError(f"event {record.counter} follows event {self._last}")
        self._last = record.counter
        self.events += 1
        return parse_event(record)[0]

    @property
    def has_records(self) -> bool:
        """Whether there was any record."""
        return self._maker.total > 0

    def finish(self) -> Iterator[Block]:
        """Yield the last block."""
        block = self._maker.finish()
        if block is not None:
            yield block


def _fit(column: Column[Any], value: object) -> Any:
    """Return a value for a column; None if it is not valid there."""
    kind = column.type
    if isinstance(kind, UtcTime):
        time = as_time(value) if isinstance(value, str) else None
        return None if time is None else datetime.fromisoformat(time)
    if isinstance(kind, Boolean):
        return value if type(value) is bool else None
    if isinstance(kind, Float):
        return as_seconds(value)
    if isinstance(kind, Integer):
        largest = _LARGE if isinstance(kind, BigInteger) else _SMALL
        least = 0 if column.name not in {"rc", "counter"} else -largest
        return value if type(value) is int and least <= value <= largest else None
    if isinstance(kind, String) and isinstance(value, str):
        limit = kind.length or schema.EXPLANATION
        return value if as_text(value, limit) == value else None
    return None


def import_run(store: Store, source: Source, limits: Limits) -> tuple[str, bool]:
    """Write an exported run to a store, in one transaction. The file is checked as a whole before.

    Args:
        store: the store.
        source: yields the lines of the file, from its beginning each time.
        limits: `max_record_bytes` limits a line, `max_tree_bytes` the file, and `max_tree_entries` the plays, tasks and
            hosts.

    Returns:
        The run's name, and whether it is new: if the store has the run, nothing changes.

    Raises:
        IncompleteStream: the file is cut off.
        LimitExceeded: the file exceeds a limit.
        RemoteProtocolError: it is not an exported run, or is damaged.
        StoreError: the store cannot be written; nothing was written.
    """
    checked = _Reader(limits)
    for _ in checked.rows(source()):
        pass

    def write() -> bool:
        reader = _Reader(limits)
        rows = reader.rows(source())
        with store.write() as connection:
            run_id = insert_run(connection, checked.run)
            if run_id is None:
                return False
            for name, group in groupby(rows, key=lambda row: row[0]):
                if name == BLOCK:
                    _insert_events(connection, run_id, (block for _, block in group if isinstance(block, Block)))
                else:
                    _insert(connection, PARTS[name], run_id, (row for _, row in group if not isinstance(row, Block)))
            if reader.kept_events is not None:
                connection.execute(
                    update(schema.runs).where(schema.runs.c.id == run_id).values(kept_events=reader.kept_events)
                )
            if (reader.run, reader.kept_events) != (checked.run, checked.kept_events):
                raise StoreError("the file was changed while it was read; nothing was written. Try again")
        return True

    return checked.run["ident"], store.session().call(write)


def _insert(connection: Connection, table: Table, run_id: int, rows: Iterable[Row]) -> None:
    batch: list[Row] = []
    for row in rows:
        batch.append({"run_id": run_id, **row})
        if len(batch) == _BATCH:
            connection.execute(insert(table), batch)
            batch = []
    if batch:
        connection.execute(insert(table), batch)


def _insert_events(connection: Connection, run_id: int, blocks: Iterable[Block]) -> None:
    values = {"run_id": run_id, "touched": datetime.now(UTC)}
    key = connection.execute(insert(schema.event_sets).values(values)).inserted_primary_key
    for number, block in enumerate(blocks, 1):
        insert_block(connection, 0 if key is None else int(key[0]), number, block)
