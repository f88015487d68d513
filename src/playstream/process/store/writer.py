"""Writing a run: its events are collected, and at its end the whole run is written, or nothing."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Table, insert, select, update
from sqlalchemy.dialects import postgresql

from playstream.pipeline.errors import ConfigurationError, StoreError
from playstream.process.store import schema
from playstream.process.store.collector import RESULT_COLUMNS, TIMES, Collector
from playstream.process.store.engine import Store
from playstream.process.store.event_writer import KeptEvents, attach
from playstream.process.store.result_json import MAX_RES
from playstream.process.store.values import as_rc, as_text, as_time

_BATCH = 1000
_BATCH_TEXT = 2 << 20
"""Maximum number of rows, and of characters of results, that are inserted at once."""
_STATUS = 32


class RunWriter:
    """Collects one run and writes it to a store. Its memory does not grow with Ansible's output.

    A run is identified by its ident and its events. Saving it again changes nothing. Another run with the same ident is
    added to the earlier ones: a store is the history of a job that runs every night under one name.

    Args:
        store: the store; nothing is written before `save`.
        max_res: maximum number of characters of a result's JSON; of longer ones a few short fields are kept.

    Example:
        >>> with open_store("sqlite:///runs.db") as store, RunWriter(store) as writer:  # doctest: +SKIP
        ...     for event in events:
        ...         writer.take(event)
        ...     writer.save("nightly", "successful", 0)
        True
    """

    def __init__(self, store: Store, *, max_res: int = MAX_RES) -> None:
        self._store = store
        self._collected = Collector(max_res)
        self.has_kept = False
        """Whether the saved run has the events that were passed to `save`."""

    def take(self, event: Mapping[str, Any]) -> None:
        """Take the next event, before a handler changes it. Never raise, whatever the event contains."""
        self._collected.take(event)

    def save(
        self,
        ident: str,
        status: str,
        rc: int | None = None,
        explanation: str | None = None,
        *,
        started: datetime | str | None = None,
        ended: datetime | str | None = None,
        label: str | None = None,
        directory: str | None = None,
        kept: KeptEvents | None = None,
    ) -> bool:
        """Write the run, in one transaction. May be called again after an error.

        Args:
            ident: the run's name.
            status: how it ended, a value of `StatusName`.
            rc: Ansible's return code; None if it is not known.
            explanation: why it ended like this.
            started: when the job started, according to its first status; text is ISO 8601. By default the time of its
                first event, or of its end if there is none.
            ended: when it ended. By default the time of its last event, or now if there is none.
            label: what the user calls runs that are compared.
            directory: name of the private data directory, without its path.
            kept: the run's events, which an EventKeeper has written to this store.

        Returns:
            True if something was written; False if the store has the run already. A stored run without a return code,
            because its stream was cut off after its last event, gets the outcome of this one, and one without its
            events gets `kept`. A run without events and
            without `started` cannot be distinguished from others and is always written.

        Raises:
            ConfigurationError: the ident is empty.
            StoreError: the store cannot be reached or written, or waiting for it took too long; nothing is partially
                written.
        """
        name = as_text(ident, schema.IDENT)
        if not name:
            raise ConfigurationError("a run requires an ident to be saved in a store")
        outcome = {
            "status": as_text(status, _STATUS) or "",
            "rc": as_rc(rc),
            "explanation": as_text(explanation, schema.EXPLANATION),
        }
        run = {
            "ident": name,
            "digest": self._digest(outcome, started),
            **outcome,
            "label": as_text(label, schema.LABEL),
            "directory": as_text(directory, schema.DIRECTORY),
            **self._times(started, ended),
            **self._totals(),
        }
        session = self._store.session()
        try:
            return session.call(lambda: self._write(run, outcome, kept))
        except StoreError as error:
            if session.uncertain:
                what = "The run may or may not have been saved; saving it again is safe"
            else:
                what = "The run was not saved"
            raise StoreError(f"{error}. {what}") from None

    def _write(self, run: Mapping[str, Any], outcome: Mapping[str, Any], kept: KeptEvents | None) -> bool:
        with self._store.write() as connection:
            run_id = insert_run(connection, run)
            is_new = run_id is not None
            if run_id is not None:
                self._write_parts(connection, run_id, run["ended"])
            elif kept is not None:
                run_id = connection.execute(select(schema.runs.c.id).where(*_same(run))).scalar_one()
            has_kept = run_id is not None and kept is not None and attach(connection, run_id, kept)
            changed = is_new or _complete(connection, run, outcome) or has_kept
        self.has_kept = has_kept
        return changed

    def _digest(self, outcome: Mapping[str, Any], started: datetime | str | None) -> str:
        if self._collected.events:
            return self._collected.digest
        values = [as_time(started) or uuid.uuid4().hex, *outcome.values()]
        return hashlib.sha256(repr(values).encode("utf-8", "replace")).hexdigest()

    def _times(self, started: datetime | str | None, ended: datetime | str | None) -> dict[str, datetime]:
        collected = self._collected
        end = as_time(ended) or as_time(collected.last) or datetime.now(UTC).isoformat()
        start = as_time(started) or collected.first or end
        return {"started": datetime.fromisoformat(start), "ended": datetime.fromisoformat(end)}

    def _totals(self) -> dict[str, Any]:
        collected, hosts = self._collected, self._collected.hosts
        most = 2**31 - 1
        return {
            "playbook": collected.playbook,
            "events": collected.events,
            "results": collected.results.count,
            "hosts": len(hosts),
            **{name: min(sum(of[name] for of in hosts.values()), most) for name in schema.HOST_COUNTS},
        }

    def _write_parts(self, connection: Connection, run_id: int, ended: datetime) -> None:
        collected = self._collected
        timed: list[tuple[Table, list[dict[str, Any]]]] = [
            (schema.plays, collected.plays),
            (schema.tasks, collected.tasks),
        ]
        for table, rows in timed:
            _insert(connection, table, ({"run_id": run_id, **row, "started": _time(row["started"])} for row in rows))
        hosts = ({"run_id": run_id, "name": name, **counts} for name, counts in collected.hosts.items())
        _insert(connection, schema.hosts, hosts)
        _insert(connection, schema.results, self._result_rows(run_id, ended))

    def _result_rows(self, run_id: int, ended: datetime) -> Iterator[dict[str, Any]]:
        start, end = TIMES
        for found in self._collected.results:
            row = dict(zip(RESULT_COLUMNS, found, strict=True))
            row["run_id"] = run_id
            row["started"], row["ended"] = _time(found[start]), _time(found[end]) or ended
            yield row

    def close(self) -> None:
        """Release what was collected."""
        self._collected.results.close()

    def __enter__(self) -> RunWriter:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()


def _same(run: Mapping[str, Any]) -> tuple[Any, Any]:
    return schema.runs.c.ident == run["ident"], schema.runs.c.digest == run["digest"]


def insert_run(connection: Connection, run: Mapping[str, Any]) -> int | None:
    """Insert a run and return its number; None if it exists. Wait for others that write the same run."""
    if connection.dialect.name == "postgresql":
        statement = (
            postgresql.insert(schema.runs)
            .values(run)
            .on_conflict_do_nothing(index_elements=[schema.runs.c.ident, schema.runs.c.digest])
        )
        return connection.execute(statement.returning(schema.runs.c.id)).scalar_one_or_none()
    # SQLite has one writer at a time, so there is no race.
    if connection.execute(select(schema.runs.c.id).where(*_same(run))).first() is not None:
        return None
    key = connection.execute(insert(schema.runs).values(run)).inserted_primary_key
    return None if key is None else int(key[0])


def _complete(connection: Connection, run: Mapping[str, Any], outcome: Mapping[str, Any]) -> bool:
    """Add the return code to an existing run, if it has none."""
    if run["rc"] is None:
        return False
    statement = update(schema.runs).where(*_same(run), schema.runs.c.rc.is_(None))
    return connection.execute(statement.values(**outcome, ended=run["ended"])).rowcount == 1


def _insert(connection: Connection, table: Table, rows: Iterator[dict[str, Any]]) -> None:
    batch: list[dict[str, Any]] = []
    size = 0
    for row in rows:
        batch.append(row)
        size += len(row.get("res") or "")
        if len(batch) == _BATCH or size > _BATCH_TEXT:
            connection.execute(insert(table), batch)
            batch, size = [], 0
    if batch:
        connection.execute(insert(table), batch)


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
