"""A run in a store as the records of its results, if its events are kept there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from playstream.captures.pieces import Lack
from playstream.captures.runs import Blocks
from playstream.pipeline.errors import ConfigurationError
from playstream.pipeline.protocol import Noise, Record
from playstream.process import store as stores  # each name is loaded when it is used

if TYPE_CHECKING:
    from playstream.process.store.engine import Store
    from playstream.process.store.runs import StoredRun


class StoredEvents:
    """A run at rest in a store.

    Args:
        store: the store.
        run: the run.
        max_record: maximum number of bytes of a record.

    Raises:
        ConfigurationError: the store has no events of it.
    """

    what = "a run in a store"
    lacks = frozenset({Lack.ARTIFACTS})

    def __init__(self, store: Store, run: StoredRun, max_record: int) -> None:
        if run.kept_events is None:
            raise ConfigurationError(
                f"the store has the results of the run {run.ident!r}, but not its events, which are needed here. They "
                "are kept if the run is written with --store-events; for this one, pass its capture or artifacts"
            )
        self._store = store
        self._run = run
        self._max_record = max_record

    def records(self) -> Iterator[Record | Noise]:
        return self._read(0)

    def blocks(self) -> Blocks | None:
        return Blocks(stores.read_infos(self._store, self._run), self._read)

    def _read(self, first_block: int) -> Iterator[Record | Noise]:
        return stores.read_records(self._store, self._run, first_block, max_record=self._max_record)
