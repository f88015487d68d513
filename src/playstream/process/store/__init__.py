"""The store: runs with their plays, tasks, hosts and results in a database, for queries long afterwards.

It takes events and returns runs and their parts as dataclasses; tables, JSON lines and command-line options belong to
the command line. SQLAlchemy is imported only in this package, and each name is loaded when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from playstream import lazy_attributes
from playstream.pipeline.errors import ConfigurationError, StoreError
from playstream.pipeline.io.interpreter import pip_install

if TYPE_CHECKING:
    from playstream.process.store.address import hide_password as hide_password
    from playstream.process.store.engine import Store as Store
    from playstream.process.store.engine import open_store as open_store
    from playstream.process.store.event_reader import read_infos as read_infos
    from playstream.process.store.event_reader import read_records as read_records
    from playstream.process.store.event_writer import EventKeeper as EventKeeper
    from playstream.process.store.event_writer import KeptEvents as KeptEvents
    from playstream.process.store.exporting import export_run as export_run
    from playstream.process.store.importing import import_run as import_run
    from playstream.process.store.pruning import Pruned as Pruned
    from playstream.process.store.pruning import prune_runs as prune_runs
    from playstream.process.store.query import changed_on as changed_on
    from playstream.process.store.query import find_idents as find_idents
    from playstream.process.store.query import iter_results as iter_results
    from playstream.process.store.query import iter_runs as iter_runs
    from playstream.process.store.query import last_success as last_success
    from playstream.process.store.query import list_runs as list_runs
    from playstream.process.store.query import show_run as show_run
    from playstream.process.store.runs import as_json as as_json
    from playstream.process.store.session import Patience as Patience
    from playstream.process.store.time_parse import parse_since as parse_since
    from playstream.process.store.writer import RunWriter as RunWriter

_PLACES = {
    "playstream.process.store.address": ("hide_password",),
    "playstream.process.store.engine": ("Store", "open_store"),
    "playstream.process.store.event_reader": ("read_infos", "read_records"),
    "playstream.process.store.event_writer": ("EventKeeper", "KeptEvents"),
    "playstream.process.store.exporting": ("export_run",),
    "playstream.process.store.importing": ("import_run",),
    "playstream.process.store.pruning": ("Pruned", "prune_runs"),
    "playstream.process.store.query": (
        "changed_on",
        "find_idents",
        "iter_results",
        "iter_runs",
        "last_success",
        "list_runs",
        "show_run",
    ),
    "playstream.process.store.runs": ("as_json",),
    "playstream.process.store.session": ("Patience",),
    "playstream.process.store.time_parse": ("parse_since",),
    "playstream.process.store.writer": ("RunWriter",),
}
__all__ = ["StoreError", *(name for names in _PLACES.values() for name in names)]  # noqa: PLE0604 - they are text
_load = lazy_attributes(__name__, _PLACES)


def __getattr__(name: str) -> Any:
    try:
        return _load(name)
    except ImportError as error:
        if (error.name or "").partition(".")[0] != "sqlalchemy":
            raise
        raise ConfigurationError(
            f"a store requires SQLAlchemy 2.0 or later, which is not installed: run {pip_install('store')}"
        ) from None


def __dir__() -> list[str]:
    return sorted(__all__)
