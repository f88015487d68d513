"""Finding the run that a user names: a file, a directory, or the name of a run in a store."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from playstream.captures.runs import RunAtRest, open_run
from playstream.captures.stored import StoredEvents
from playstream.pipeline.errors import ConfigurationError, StoreError, remedy
from playstream.pipeline.limits import limits_of
from playstream.pipeline.protocol import StatusName
from playstream.process import store as stores  # each name is loaded when it is used

if TYPE_CHECKING:
    from playstream.process.store.engine import Store
    from playstream.process.store.runs import RunDetail, StoredRun

_STATUS_OF_LAST = {"last": None, "last-failed": StatusName.FAILED.value}
"""Names of the latest run in a store, and the status that it must have. No run can be called so."""
_ELLIPSIS = "…"
"""The end of a name that a table on a terminal has cut."""
_LISTED = 8
"""How many names a message lists."""


def find_place(name: str, store_url: str | None) -> Path | None:
    """Return the file or directory that a user names, which wins over a run in a store; None if the store has to tell.

    Args:
        name: what the user has given.
        store_url: URL of the store; None if none is known.

    Raises:
        ConfigurationError: nothing has this name, and there is no store; or it is in a directory that cannot be read.
    """
    try:
        os.lstat(name)
        return Path(name)
    except PermissionError as error:
        if os.sep in name:  # the name of a run has none
            raise ConfigurationError(f"{name!r} cannot be read: {error.strerror}. {remedy(error)}") from None
    except (OSError, ValueError):
        pass  # nothing can be called so
    if store_url is not None:
        return None
    raise ConfigurationError(
        f"there is no file and no directory {name!r}. To name a run in a store, pass --store URL too or set "
        "PLAYSTREAM_STORE; playstream run --store user creates a store of your own"
    )


def find_run(name: str, store_url: str | None) -> NamedRun:
    """Return the run that a user names: a file or a directory, or else a run in a store.

    Args:
        name: what the user has given.
        store_url: URL of the store; None if none is known.

    Raises:
        ConfigurationError: there is none, or several names start so; the message lists them.
        StoreError: the store cannot be read.
    """
    path = find_place(name, store_url)
    if path is not None:
        return NamedRun(path, "", "", 0)
    with stores.open_store(store_url or "", writable=False) as store:
        try:
            run = find_stored(store, name).run
        except ConfigurationError as error:
            raise ConfigurationError(f"there is no file and no directory {name!r}, and {error}") from None
    return NamedRun(None, store_url or "", run.ident, run.id)


@dataclass(frozen=True, slots=True)
class NamedRun:
    """A run at rest that a user has named. In a store it stays the same, whatever is added there."""

    path: Path | None
    """The file or directory; None if it is in a store."""
    store_url: str
    """URL of the store."""
    ident: str
    """Name of the run in the store."""
    run_id: int
    """`StoredRun.id`."""

    @contextmanager
    def open(
        self, options: Mapping[str, Any], warn: Callable[[str], object], *, indexed: bool = False
    ) -> Iterator[RunAtRest]:
        """Open the run, any number of times.

        Args:
            options: flags or keyword arguments; only `identity` and the limits are read.
            warn: called with messages for the user.
            indexed: whether a capture has an index, or gets one when all of it is read.

        Raises:
            ConfigurationError: it cannot be opened, has no results of a run, or is in a store without its events.
            PlaystreamError: the beginning of the file, or the store, cannot be read.
        """
        if self.path is not None:
            with open_run(self.path, options, warn, indexed=indexed) as opened:
                yield opened
            return
        with stores.open_store(self.store_url, writable=False) as store:
            found = stores.show_run(store, self.ident, run_id=self.run_id)
            if found is None:
                raise StoreError(f"the run {self.ident!r} was removed from the store {store.shown}")
            yield StoredEvents(store, found.run, limits_of(options).max_record_bytes)


def find_stored(store: Store, name: str) -> RunDetail:
    """Return the run in a store that a user names: by its name, as `last` or `last-failed`, or by its beginning.

    A whole name wins. If several runs have it, the latest is returned.

    Args:
        store: the store.
        name: what the user has given.

    Raises:
        ConfigurationError: there is none, or several names start with it; the message lists them.
        StoreError: the store cannot be read.
    """
    if name in _STATUS_OF_LAST:
        return _find_last(store, name)
    found = stores.show_run(store, name)
    if found is not None:
        return found
    beginning = name.removesuffix(_ELLIPSIS)
    names = stores.find_idents(store, beginning, limit=_LISTED + 1) if beginning else []
    if len(names) > 1:
        raise several("the store has", beginning, names)
    found = stores.show_run(store, names[0]) if names else None
    if found is None:
        raise ConfigurationError(f"the store has no run {name!r}: use playstream runs to list its runs")
    return found


def _find_last(store: Store, name: str) -> RunDetail:
    runs = stores.list_runs(store, status=_STATUS_OF_LAST[name], limit=1)
    found = stores.show_run(store, runs[0].ident, run_id=runs[0].id) if runs else None
    if found is None:
        which = "run" if _STATUS_OF_LAST[name] is None else f"run that has {_STATUS_OF_LAST[name]}"
        raise ConfigurationError(f"the store has no {which}, so nothing is {name!r}")
    return found


def find_success(store: Store, run: StoredRun) -> RunDetail:
    """Return the last successful run before another one, of the same kind: its label, or else playbook and directory.

    Raises:
        ConfigurationError: there is none.
        StoreError: the store cannot be read.
    """
    found = stores.last_success(
        store, before=run.started, label=run.label, playbook=run.playbook, directory=run.directory
    )
    detail = None if found is None else stores.show_run(store, found.ident, run_id=found.id)
    if detail is None:
        kind = (
            f"the label {run.label!r}"
            if run.label is not None
            else f"the playbook {run.playbook!r} and the directory {run.directory!r}"
        )
        raise ConfigurationError(
            f"the store has no successful run with {kind} before {run.ident!r}. Use playstream runs to list its runs"
        )
    return detail


def several(where: str, beginning: str, names: Sequence[str]) -> ConfigurationError:
    """Return the error for several runs whose names start so; it lists them."""
    more = " and others" if len(names) > _LISTED else ""
    return ConfigurationError(
        f"{where} several runs whose names start with {beginning!r}: {', '.join(names[:_LISTED])}{more}. "
        "Pass more of the name"
    )
