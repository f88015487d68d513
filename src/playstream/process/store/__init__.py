"""The store: runs with their plays, tasks, hosts and results in a database, to be asked about long afterwards.

It takes events and returns typed records; tables, JSON lines and command-line options belong to the command line.
SQLAlchemy is imported in this room only, and each name is loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from playstream.pipeline.errors import ConfigurationError, StoreError

if TYPE_CHECKING:
    from playstream.process.store.address import hide_password as hide_password
    from playstream.process.store.engine import Store as Store
    from playstream.process.store.engine import open_store as open_store
    from playstream.process.store.query import changed_on as changed_on
    from playstream.process.store.query import iter_results as iter_results
    from playstream.process.store.query import iter_runs as iter_runs
    from playstream.process.store.query import list_runs as list_runs
    from playstream.process.store.query import show_run as show_run
    from playstream.process.store.records import as_json as as_json
    from playstream.process.store.session import Patience as Patience
    from playstream.process.store.time_parse import parse_since as parse_since
    from playstream.process.store.writer import RunWriter as RunWriter

_PLACE_OF = {
    "hide_password": "address",
    "Store": "engine",
    "open_store": "engine",
    "changed_on": "query",
    "iter_results": "query",
    "iter_runs": "query",
    "list_runs": "query",
    "show_run": "query",
    "as_json": "records",
    "Patience": "session",
    "parse_since": "time_parse",
    "RunWriter": "writer",
}

__all__ = [  # noqa: PLE0604 - the names of _PLACE_OF
    "StoreError",
    *_PLACE_OF,
]


def __getattr__(name: str) -> Any:
    place = _PLACE_OF.get(name)
    if place is None:
        raise AttributeError(f"module 'playstream.process.store' has no attribute {name!r}")
    try:
        value = getattr(import_module(f"playstream.process.store.{place}"), name)
    except ImportError as error:
        if (error.name or "").partition(".")[0] != "sqlalchemy":
            raise
        raise ConfigurationError(
            "a store requires SQLAlchemy 2.0 or later, which is not installed: run pip install 'playstream[store]'"
        ) from None
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
