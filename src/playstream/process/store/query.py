"""Queries: the runs, the parts of a run, and what changed on a host. Each query has an index."""

from __future__ import annotations

import json
from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, RowMapping, Select, and_, func, or_, select

from playstream.pipeline.errors import ConfigurationError
from playstream.pipeline.protocol import StatusName
from playstream.process.store import schema
from playstream.process.store.engine import Store
from playstream.process.store.pages import Fill, Question, stream
from playstream.process.store.runs import (
    Counts,
    RunDetail,
    StoredHost,
    StoredPlay,
    StoredResult,
    StoredRun,
    StoredTask,
)
from playstream.process.store.schema import hosts, plays, results, runs, tasks
from playstream.process.store.values import as_text
from playstream.process.store.words import OUTCOMES, STATUSES, check_word

_SLACK = timedelta(days=1)
"""How far the clock of the results may be behind the clock of the run."""
_RESULTS_AT_ONCE = 100
_RUNS_AT_ONCE = 400
"""Rows that are read and held at a time."""
_NUMBERS_AT_ONCE = 4000
"""Numbers of runs that are read at a time, which is more, because finding runs by host or task reads all of them."""
_LAST_CHARACTER = "\U0010ffff"
_RUN_KEY = {"started": runs.c.started, "id": runs.c.id}
_RESULT_KEY = {"task_number": results.c.task, "host": results.c.host, "number": results.c.number}
_CHANGE_KEY = {"ended": results.c.ended, "run_id": results.c.run_id, **_RESULT_KEY}
"""The sort keys of runs, of results of a run and of results of a host."""
_R = TypeVar("_R", StoredPlay, StoredTask)


def list_runs(
    store: Store,
    *,
    host: str | None = None,
    task: str | None = None,
    status: str | None = None,
    since: datetime | None = None,
    limit: int | None = None,
) -> list[StoredRun]:
    """Return runs, the latest first.

    Args:
        store: the store.
        host: only runs with this host.
        task: only runs with a task of this name; it may have its role, as Ansible shows it: `role : task`.
        status: only runs with this status. With `host` or `task` the name of an outcome (`ok`, `changed`, `failed`,
            `unreachable`, `skipped`, `ignored`) applies to these: `task="deploy", status="failed"` returns the runs in
            which that task failed on some host.
        since: only runs that started at this time or later; with a time zone.
        limit: the maximum number; all if omitted.

    Raises:
        ConfigurationError: `status` is not valid, or `since` has no zone.
        StoreError: the store cannot be read.
    """
    return list(iter_runs(store, host=host, task=task, status=status, since=since, limit=limit))


def iter_runs(
    store: Store,
    *,
    host: str | None = None,
    task: str | None = None,
    status: str | None = None,
    since: datetime | None = None,
    limit: int | None = None,
) -> Generator[StoredRun, None, None]:
    """Yield runs as `list_runs` does, without holding all of them; close the generator to stop before the end.

    No transaction is open meanwhile: a run that is written between two parts of the result may be included.

    Raises:
        ConfigurationError: as `list_runs`.
        StoreError: when iterating; the store cannot be read.
    """
    return stream(store, runs_question(host=host, task=task, status=status, since=since, limit=limit), _run)


def show_run(store: Store, ident: str, *, run_id: int | None = None) -> RunDetail | None:
    """Return a run with its plays, tasks and hosts; None if there is no run with this name.

    Args:
        store: the store.
        ident: the run's name; the latest if there are several.
        run_id: `StoredRun.id` of an earlier run.

    Raises:
        StoreError: the store cannot be read.
    """

    def ask() -> RunDetail | None:
        with store.read() as connection:
            row = connection.execute(run_statement(ident, run_id)).mappings().first()
            if row is None:
                return None
            run = _run(row)
            of_plays, of_tasks, of_hosts, before = (connection.execute(part) for part in parts_statements(run))
            return RunDetail(
                run,
                before.scalar_one(),
                tuple(_record(StoredPlay, row) for row in of_plays.mappings()),
                tuple(_record(StoredTask, row) for row in of_tasks.mappings()),
                tuple(StoredHost(row["name"], _counts(row)) for row in of_hosts.mappings()),
            )

    return store.session().call(ask)


def last_success(
    store: Store,
    *,
    before: datetime | None = None,
    label: str | None = None,
    playbook: str | None = None,
    directory: str | None = None,
) -> StoredRun | None:
    """Return the latest successful run of a kind; None if there is none.

    Args:
        store: the store.
        before: only a run that started before this time; with a time zone.
        label: only a run with this label. If it is None, only one with this `playbook` and `directory`.
        playbook: the playbook, as in `StoredRun`.
        directory: name of the private data directory.

    Raises:
        StoreError: the store cannot be read.
    """

    def ask() -> StoredRun | None:
        with store.read() as connection:
            row = connection.execute(success_statement(before, label, playbook, directory)).mappings().first()
            return None if row is None else _run(row)

    return store.session().call(ask)


def success_statement(
    before: datetime | None, label: str | None, playbook: str | None, directory: str | None
) -> Select[Any]:
    """Build the statement of `last_success`."""
    statement = select(runs).where(runs.c.status == StatusName.SUCCESSFUL.value)
    if before is not None:
        statement = statement.where(runs.c.started < _zoned(before))
    if label is not None:
        statement = statement.where(runs.c.label == _name(label, schema.LABEL))
    else:
        statement = statement.where(runs.c.playbook == playbook, runs.c.directory == directory)
    return statement.order_by(runs.c.started.desc(), runs.c.id.desc()).limit(1)


def find_idents(store: Store, prefix: str, *, limit: int) -> list[str]:
    """Return names of runs that start with a text, in the order of the database, each once.

    Args:
        store: the store.
        prefix: the text. Upper and lower case differ.
        limit: the maximum number.

    Raises:
        StoreError: the store cannot be read.
    """

    def ask() -> list[str]:
        with store.read() as connection:
            sorts_by_character = connection.dialect.name == "sqlite"
            return list(connection.execute(idents_statement(prefix, limit, ranged=sorts_by_character)).scalars())

    return store.session().call(ask)


def iter_results(
    store: Store, run_id: int, *, host: str | None = None, outcomes: tuple[str, ...] = ()
) -> Generator[StoredResult, None, None]:
    """Yield the results of a run, by task and host, without holding all of them; close it to stop before the end.

    No transaction is open meanwhile.

    Args:
        store: the store.
        run_id: `StoredRun.id`.
        host: only results of this host.
        outcomes: only results with these outcomes; all if empty.

    Raises:
        ConfigurationError: an outcome is not valid.
        StoreError: when iterating; the store cannot be read, or the run was removed meanwhile.
    """
    for outcome in outcomes:
        check_word("outcome", outcome, OUTCOMES)
    return stream(store, results_question(run_id, host, outcomes), _result)


def changed_on(
    store: Store, host: str, since: datetime | None = None, *, limit: int | None = None
) -> list[StoredResult]:
    """Return what changed on a host in all runs, the latest first.

    Args:
        store: the store.
        host: its name in the inventory.
        since: only results that ended at this time or later; with a time zone.
        limit: the maximum number; all if omitted.

    Raises:
        ConfigurationError: `since` has no zone.
        StoreError: the store cannot be read.
    """
    return list(stream(store, changed_question(host, since, limit), _result))


def runs_question(
    *,
    host: str | None = None,
    task: str | None = None,
    status: str | None = None,
    since: datetime | None = None,
    limit: int | None = None,
) -> Question:
    """Build the query of `list_runs`."""
    keys = _RUN_KEY.values()
    statement = select(*keys).order_by(*(column.desc() for column in keys))
    there = host is not None or task is not None
    outcome = status if there and status in OUTCOMES else None
    if status is not None and outcome is None:
        check_word("status", status, (*STATUSES, *OUTCOMES) if there else STATUSES)
        statement = statement.where(runs.c.status == status)
    if since is not None:
        statement = statement.where(runs.c.started >= _zoned(since))
    if there:
        statement = statement.where(runs.c.id.in_(_runs_with(host, task, outcome, since)))
    fill = Fill(select(runs), runs.c.id, _RUNS_AT_ONCE)
    return Question(statement, _RUN_KEY, _NUMBERS_AT_ONCE, descending=True, limit=limit, fill=fill)


def _runs_with(host: str | None, task: str | None, outcome: str | None, since: datetime | None) -> Select[Any]:
    """Select the numbers of the runs with the host, the task, or the task on the host, with this outcome if given."""
    if task is None:
        if outcome is None:
            return select(hosts.c.run_id).where(hosts.c.name == _name(host, schema.HOST))
        found = select(results.c.run_id).where(results.c.host == _name(host, schema.HOST), results.c.outcome == outcome)
        return found if since is None else found.where(results.c.ended >= _zoned(since) - _SLACK)
    if host is None:
        statement = select(tasks.c.run_id).where(_is_task(task))
        if outcome is None:
            return statement
        return statement.where(tasks.c["failures" if outcome == "failed" else outcome] > 0)
    both = and_(results.c.run_id == tasks.c.run_id, results.c.task == tasks.c.number)
    statement = (
        select(results.c.run_id)
        .select_from(tasks.join(results, both))
        .where(_is_task(task), results.c.host == _name(host, schema.HOST))
    )
    return statement if outcome is None else statement.where(results.c.outcome == outcome)


def _is_task(name: str) -> ColumnElement[bool]:
    whole = tasks.c.name == _name(name, schema.NAME)
    role, colon, rest = name.partition(" : ")
    if not colon:
        return whole
    return or_(whole, and_(tasks.c.name == _name(rest, schema.NAME), tasks.c.role == _name(role, schema.NAME)))


def run_statement(ident: str, run_id: int | None = None) -> Select[Any]:
    """Build the statement for one run."""
    statement = select(runs).where(runs.c.ident == _name(ident, schema.IDENT))
    if run_id is not None:
        statement = statement.where(runs.c.id == run_id)
    return statement.order_by(runs.c.started.desc(), runs.c.id.desc()).limit(1)


def idents_statement(prefix: str, limit: int, *, ranged: bool) -> Select[Any]:
    """Build the statement for the names that start with a text.

    Args:
        prefix: the text.
        limit: the maximum number.
        ranged: whether the database sorts texts by their characters, so that these names are a range of the index.
            PostgreSQL sorts by the rules of a language, and reads the whole index.
    """
    beginning = _name(prefix, schema.IDENT)
    statement = select(runs.c.ident).where(func.substr(runs.c.ident, 1, len(beginning)) == beginning)
    if ranged:
        statement = statement.where(runs.c.ident >= beginning, runs.c.ident <= beginning + _LAST_CHARACTER)
    return statement.distinct().order_by(runs.c.ident).limit(limit)


def parts_statements(run: StoredRun) -> tuple[Select[Any], Select[Any], Select[Any], Select[Any]]:
    """Build the statements for a run's plays, tasks and hosts, and for the number of earlier runs of its ident."""
    before = or_(runs.c.started < run.started, and_(runs.c.started == run.started, runs.c.id < run.id))
    return (
        select(plays).where(plays.c.run_id == run.id).order_by(plays.c.number),
        select(tasks).where(tasks.c.run_id == run.id).order_by(tasks.c.number),
        select(hosts).where(hosts.c.run_id == run.id).order_by(hosts.c.name),
        select(func.count()).select_from(runs).where(runs.c.ident == run.ident, before),
    )


def results_question(run_id: int, host: str | None, outcomes: tuple[str, ...]) -> Question:
    """Build the query of `iter_results`."""
    statement = _result_columns().where(results.c.run_id == run_id)
    if host is not None:
        statement = statement.where(results.c.host == _name(host, schema.HOST))
    if outcomes:
        statement = statement.where(results.c.outcome.in_(outcomes))
    same = select(runs.c.digest).where(runs.c.id == run_id)
    return Question(statement.order_by(*_RESULT_KEY.values()), _RESULT_KEY, _RESULTS_AT_ONCE, same=same)


def changed_question(host: str, since: datetime | None, limit: int | None) -> Question:
    """Build the query of `changed_on`."""
    statement = _result_columns().where(results.c.host == _name(host, schema.HOST), results.c.outcome == "changed")
    if since is not None:
        statement = statement.where(results.c.ended >= _zoned(since))
    statement = statement.order_by(*(column.desc() for column in _CHANGE_KEY.values()))
    return Question(statement, _CHANGE_KEY, _RESULTS_AT_ONCE, descending=True, limit=limit)


def _result_columns() -> Select[Any]:
    both = and_(tasks.c.run_id == results.c.run_id, tasks.c.number == results.c.task)
    of_results = [column for column in results.c if column.name != "task"] + [results.c.task.label("task_number")]
    of_tasks = [tasks.c.name.label("task"), tasks.c.role, tasks.c.action, tasks.c.path]
    joined = results.join(tasks, both).join(runs, runs.c.id == results.c.run_id)
    return select(*of_results, *of_tasks, runs.c.ident).select_from(joined)


def _result(row: RowMapping) -> StoredResult:
    own: dict[str, Any] = {name: row[name] for name in StoredResult.__dataclass_fields__}
    return StoredResult(**{**own, "res": None if row["res"] is None else json.loads(row["res"])})


def _run(row: RowMapping) -> StoredRun:
    own: dict[str, Any] = {name: row[name] for name in StoredRun.__dataclass_fields__ if name != "counts"}
    return StoredRun(**own, counts=_counts(row))


def _counts(row: RowMapping) -> Counts:
    return Counts(**{name: row[name] for name in schema.HOST_COUNTS})


def _record(cls: type[_R], row: RowMapping) -> _R:
    return cls(**{name: row[name] for name in cls.__dataclass_fields__})


def _name(text: str | None, limit: int) -> str:
    """Return a name in the form of the store."""
    return as_text(text, limit) or ""


def _zoned(time: datetime) -> datetime:
    if time.tzinfo is None:
        raise ConfigurationError(f"the time {time.isoformat()} has no time zone")
    return time.astimezone(UTC)
