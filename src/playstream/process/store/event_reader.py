"""Reading the events of a run from a store, as blocks of records."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import RowMapping, Select, select

from playstream.pipeline.errors import StoreError
from playstream.pipeline.limits import DEFAULT_LIMITS
from playstream.process.record_blocks import BlockInfo, BlockRecord, read_block
from playstream.process.store.engine import Store
from playstream.process.store.pages import Question, stream
from playstream.process.store.runs import StoredRun
from playstream.process.store.schema import event_blocks, event_sets, runs

_INFO = tuple(column for column in event_blocks.c if column.name not in {"set_id", "data"})
_KEY = {"number": event_blocks.c.number}
_AT_ONCE = 1
_INFOS_AT_ONCE = 200


def read_infos(store: Store, run: StoredRun) -> list[BlockInfo]:
    """Return what each block of the run's events has; the list is empty if the store has none.

    Raises:
        StoreError: the store cannot be read.
    """
    return list(stream(store, infos_question(run.id), _info))


def read_records(
    store: Store, run: StoredRun, first_block: int = 0, *, max_record: int = DEFAULT_LIMITS.max_record_bytes
) -> Iterator[BlockRecord]:
    """Yield the kept records of a run: statuses, events and messages.

    Args:
        store: the store.
        run: the run.
        first_block: how many blocks to leave out at the beginning.
        max_record: maximum number of bytes of a record.

    Raises:
        StoreError: when iterating: the store cannot be read or is damaged, or the run was removed meanwhile.
    """
    number = first_block
    for found, data in stream(store, blocks_question(run.id, first_block), _numbered):
        number += 1
        if found != number:
            raise store.damaged(f"block {number} of the events of the run {run.ident!r} is missing")
        try:
            yield from read_block(data, max_record)
        except ValueError as error:
            raise store.damaged(error) from None
    if number == first_block:
        raise StoreError(f"the events of the run {run.ident!r} were removed from the store {store.shown}")


def read_blocks(store: Store, run_id: int) -> Iterator[bytes]:
    """Yield the blocks of the run's events as they are stored.

    Raises:
        StoreError: when iterating: the store cannot be read, or the run was removed meanwhile.
    """
    for _, data in stream(store, blocks_question(run_id, 0), _numbered):
        yield data


def infos_question(run_id: int) -> Question:
    """Build the query for what the blocks of a run have."""
    return Question(_of_run(select(*_INFO), run_id), _KEY, _INFOS_AT_ONCE, same=_same(run_id))


def blocks_question(run_id: int, first_block: int) -> Question:
    """Build the query for the blocks of a run after the first ones."""
    statement = _of_run(select(event_blocks.c.number, event_blocks.c.data), run_id)
    return Question(statement.where(event_blocks.c.number > first_block), _KEY, _AT_ONCE, same=_same(run_id))


def _of_run(statement: Select[Any], run_id: int) -> Select[Any]:
    of_set = select(event_sets.c.id).where(event_sets.c.run_id == run_id).scalar_subquery()
    return statement.where(event_blocks.c.set_id == of_set).order_by(event_blocks.c.number)


def _same(run_id: int) -> Select[Any]:
    return select(runs.c.digest).where(runs.c.id == run_id)


def _numbered(row: RowMapping) -> tuple[int, bytes]:
    return row["number"], bytes(row["data"])


def _info(row: RowMapping) -> BlockInfo:
    tasks = tuple(map(int, row["tasks"].split()))
    return BlockInfo(row["events"], row["last"], row["first_moment"], row["last_moment"], tasks, row["size"])
