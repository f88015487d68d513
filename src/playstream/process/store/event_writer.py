"""Keeping the events of a run in a store while the run is active.

They are written in blocks, each in a transaction of its own. The run itself is written at its end, so until then the
blocks belong to no run. Those of a process that was killed are removed later.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Select, delete, insert, select, update

from playstream.pipeline.errors import PlaystreamError, StoreError
from playstream.pipeline.io.json_text import dump_json
from playstream.pipeline.protocol import Event, Status
from playstream.process.record_blocks import Block, BlockMaker, BlockRecord
from playstream.process.store.engine import Store
from playstream.process.store.schema import event_blocks, event_sets, runs
from playstream.process.store.session import Patience

ABANDONED = timedelta(days=30)
"""After this time without a new block, the events of no run belong to a process that was killed."""
_PATIENCE = Patience(connect=5, lock=30.0, statement=30.0, silence=35.0)
"""A run waits for its events to be written: less than the time after which a worker counts its reader as lost, and long
enough for another process to write a large run."""
_AT_ONCE = 20
_LARGEST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class KeptEvents:
    """The events of a run that are in a store, before the run is."""

    set_id: int
    events: int
    """Number of events."""


class EventKeeper:
    """Keeps the records of one run in a store. It holds those of one block in memory.

    If they cannot be written, for example because the disk is full, the keeping ends with a warning. Nothing is raised.

    Args:
        store: the store.
        warn: called with the warning.
    """

    def __init__(self, store: Store, warn: Callable[[str], object]) -> None:
        self._store = store.with_patience(_PATIENCE)
        self._warn = warn
        self._maker = BlockMaker()
        self._set: int | None = None
        self._blocks = 0
        self._events = 0
        self._status: Status | None = None
        self._failed = False
        self._is_attached = False

    def take(self, record: BlockRecord, event: Mapping[str, Any] | None = None) -> None:
        """Take the next record of the run.

        Args:
            record: the record.
            event: the content of an event.
        """
        if self._failed:
            return
        if isinstance(record, Status):
            self._status = record
        try:
            block = self._maker.add(record, event)
            if block is not None:
                self._write(block)
        except (PlaystreamError, OverflowError) as error:
            self._fail(error)

    def take_event(self, event: Mapping[str, Any]) -> None:
        """Take the next event as it was parsed. Nothing is raised, however deep it is nested."""
        if self._failed:
            return
        try:
            record = Event(event["counter"], dump_json(event).encode())
        except (TypeError, ValueError, RecursionError) as error:
            self._fail(error)
        else:
            self.take(record, event)

    def finish(self, end: Status) -> KeptEvents | None:
        """Write what is left; return what was kept, or None if it could not be kept.

        Args:
            end: how the run has ended, which is added if the records do not say so.
        """
        if self._status is None or (self._status.status, self._status.rc) != (end.status, end.rc):
            self.take(end)
        if self._failed:
            return None
        try:
            block = self._maker.finish()
            if block is not None:
                self._write(block)
        except StoreError as error:
            self._fail(error)
        return None if self._set is None or self._failed else KeptEvents(self._set, self._events)

    def note_saved(self, *, has_events: bool) -> None:
        """Take whether the run that was saved has these events now. It may have had some before."""
        self._is_attached = has_events

    def _write(self, block: Block) -> None:
        self._set = self._store.session().call(lambda: self._insert(block))
        self._blocks += 1
        self._events += block.info.events

    def _insert(self, block: Block) -> int:
        now = datetime.now(UTC)
        with self._store.write() as connection:
            if self._set is None:
                _remove_abandoned(connection, now)
                key = connection.execute(insert(event_sets).values(touched=now)).inserted_primary_key
                number = 0 if key is None else int(key[0])
            else:
                number = self._set
                connection.execute(update(event_sets).where(event_sets.c.id == number).values(touched=now))
            insert_block(connection, number, self._blocks + 1, block)
        return number

    def _fail(self, error: Exception) -> None:
        self._failed = True
        self._maker = BlockMaker()
        what = "an event" if not isinstance(error, StoreError) else "the store"
        self._warn(f"the events of the run are not kept in the store, because of {what}: {error}. The run continues")

    def close(self) -> None:
        """Remove what was written if the run does not have it, and close the store."""
        try:
            if self._set is not None and not self._is_attached:
                self._remove(self._set)
        finally:
            self._store.close()

    def _remove(self, number: int) -> None:
        def remove() -> None:
            with self._store.write() as connection:
                # A run that was saved, although this side could not know, keeps its events.
                found = select(event_sets.c.id).where(event_sets.c.id == number, event_sets.c.run_id.is_(None))
                remove_sets(connection, list(connection.execute(found).scalars()))

        try:
            self._store.session().call(remove)
        except StoreError:
            pass  # they are removed when they count as abandoned


def insert_block(connection: Connection, set_id: int, number: int, block: Block) -> None:
    """Insert a block of events."""
    info = block.info
    connection.execute(
        insert(event_blocks).values(
            set_id=set_id,
            number=number,
            events=info.events,
            last=min(info.last, _LARGEST),
            first_moment=info.first_moment,
            last_moment=info.last_moment,
            tasks=" ".join(map(str, info.tasks)),
            size=info.size,
            data=block.data,
        )
    )


def attach(connection: Connection, run_id: int, kept: KeptEvents) -> bool:
    """Give events to a run that has none; return whether it has these now."""
    run = update(runs).where(runs.c.id == run_id)
    # First, because this waits for another process that saves the same run.
    if connection.execute(run.where(runs.c.kept_events.is_(None)).values(kept_events=kept.events)).rowcount != 1:
        return False
    free = (event_sets.c.id == kept.set_id, event_sets.c.run_id.is_(None))
    if connection.execute(update(event_sets).where(*free).values(run_id=run_id)).rowcount != 1:
        connection.execute(run.values(kept_events=None))
        return False
    return True


def remove_sets(connection: Connection, numbers: list[int]) -> None:
    """Remove kept events."""
    if numbers:
        connection.execute(delete(event_blocks).where(event_blocks.c.set_id.in_(numbers)))
        connection.execute(delete(event_sets).where(event_sets.c.id.in_(numbers)))


def sets_statement(run_ids: list[int]) -> Select[Any]:
    """Build the statement for the kept events of runs."""
    return select(event_sets.c.id).where(event_sets.c.run_id.in_(run_ids))


def abandoned_statement(before: datetime) -> Select[Any]:
    """Build the statement for some of the events that a killed process has left before a time."""
    return select(event_sets.c.id).where(event_sets.c.run_id.is_(None), event_sets.c.touched < before).limit(_AT_ONCE)


def _remove_abandoned(connection: Connection, now: datetime) -> None:
    remove_sets(connection, list(connection.execute(abandoned_statement(now - ABANDONED)).scalars()))
