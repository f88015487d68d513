"""No question to a store needs a scan, as the databases themselves say, with two years of a run an hour."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, Select, text

from playstream.process.store import (
    Store,
    event_reader,
    event_writer,
    exporting,
    list_runs,
    open_store,
    pruning,
    query,
    schema,
)
from playstream.process.store.pages import Question
from tests.process.store.postgresql import Postgresql

RUNS = 20_000
SINCE = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=RUNS - 24 * 7)
HOST, TASK, ROLE_TASK, IDENT = "host7.1", "task 7.1", "role : task 7.1", "job7"
INDEXED = {"Index Scan", "Index Only Scan", "Bitmap Index Scan"}

_NUMBERS = {
    "sqlite": "(WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {runs}) SELECT n FROM s)",
    "postgresql": "(SELECT n FROM generate_series(1, {runs}) AS s(n))",
}
_TIMES = {
    "sqlite": "strftime('%Y-%m-%d %H\\:%M\\:%f000', '2026-01-01', n || ' hours')",
    "postgresql": "timestamptz '2026-01-01T00\\:00\\:00Z' + n * interval '1 hour'",
}
_FILL = """
INSERT INTO runs (id, ident, digest, status, started, ended, events, results, hosts, ok, changed, failures, unreachable,
    skipped, rescued, ignored)
SELECT n, 'job' || (n % 500), n, CASE n % 1000 WHEN 0 THEN 'canceled' WHEN 1 THEN 'failed' ELSE 'successful' END,
    {time}, {time}, 9, 2, 3, 0, 0, 0, 0, 0, 0, 0
FROM {numbers} AS a;

INSERT INTO plays (run_id, number, name, pattern) SELECT n, 1, 'play', 'all' FROM {numbers} AS a;

INSERT INTO tasks (run_id, number, play, name, role, action, ok, changed, failures, unreachable, skipped, ignored)
SELECT n, k, 1, 'task ' || (n % 500) || '.' || k, 'role', 'copy', 0, 0, n % 2, 0, 0, 0
FROM {numbers} AS a, (SELECT 1 AS k UNION SELECT 2) AS b;

INSERT INTO hosts (run_id, name, ok, changed, failures, unreachable, skipped, rescued, ignored)
SELECT n, 'host' || (n % 500) || '.' || k, 0, 0, 0, 0, 0, 0, 0
FROM {numbers} AS a, (SELECT 1 AS k UNION SELECT 2 UNION SELECT 3) AS b;

INSERT INTO results (run_id, task, host, number, outcome, ended, truncated)
SELECT n, k, 'host' || (n % 500) || '.' || k, k, CASE n % 3 WHEN 0 THEN 'failed' WHEN 1 THEN 'changed' ELSE 'ok' END,
    {time}, false
FROM {numbers} AS a, (SELECT 1 AS k UNION SELECT 2) AS b;

INSERT INTO event_sets (id, run_id, touched) SELECT n, CASE WHEN n % 1000 > 0 THEN n END, {time} FROM {numbers} AS a;

INSERT INTO event_blocks (set_id, number, events, last, tasks, size, data)
SELECT n, k, 9, 9 * k, '', 9, CAST('x' AS {binary}) FROM {numbers} AS a, (SELECT 1 AS k UNION SELECT 2) AS b
"""


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def history(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A store with many runs. PostgreSQL has looked at its tables, as it does by itself; SQLite never does."""
    kind: str = request.param
    if kind == "sqlite":
        url = str(tmp_path_factory.mktemp("history") / "runs.db")
    else:
        server: Postgresql = request.getfixturevalue("postgresql")
        url = server.url(server.make_database())
    with open_store(url) as store:
        with store.write() as connection:
            numbers = _NUMBERS[kind].format(runs=RUNS)
            for statement in _FILL.split(";"):
                of_kind = {"time": _TIMES[kind], "binary": "BLOB" if kind == "sqlite" else "BYTEA"}
                connection.execute(text(statement.format(numbers=numbers, **of_kind)))
        if kind == "postgresql":
            with store.read() as connection:
                connection.execute(text("ANALYZE"))
        yield store


def questions(store: Store) -> Iterator[tuple[str, Select[Any]]]:
    """Each that may be asked, with each combination of its options; of what is asked for in parts, two of these."""
    for name, question in questions_in_parts(store):
        if isinstance(question, Question):
            with store.read() as connection:
                rows = connection.execute(question.part(None, 2)).mappings().all()
            yield name, question.part(None, question.at_once)
            if rows:
                yield f"{name}, later", question.part(rows[-1], question.at_once)
            if question.fill is not None:
                yield f"{name}, whole", question.fill.part([1, 2])
        else:
            yield name, question


def questions_in_parts(store: Store) -> Iterator[tuple[str, Question | Select[Any]]]:
    for host in (None, HOST):
        for task in (None, TASK, ROLE_TASK):
            outcomes = ("changed", "ignored") if host or task else ()
            for status in (None, "failed", "canceled", *outcomes):
                for since in (None, SINCE):
                    wanted: dict[str, Any] = {"host": host, "task": task, "status": status, "since": since}
                    if any(wanted.values()):
                        yield f"runs {wanted}", query.runs_question(**wanted)
    for since in (None, SINCE):
        yield f"changed {since}", query.changed_question(HOST, since, None)
    for ident in (IDENT, "no such run"):
        yield f"run {ident}", query.run_statement(ident)
    with store.read() as connection:
        if connection.dialect.name == "sqlite":  # PostgreSQL reads all names in an index
            yield "names", query.idents_statement("job7", 9, ranged=True)
    run = list_runs(store, limit=1)[0]
    for number, part in enumerate(query.parts_statements(run)):
        yield f"part {number}", part
    yield from questions_of_care(run.id)
    for host in (None, HOST):
        for chosen in ((), ("failed", "unreachable")):
            yield f"results {host} {chosen}", query.results_question(run.id, host, chosen)


def questions_of_care(run_id: int) -> Iterator[tuple[str, Question | Select[Any]]]:
    """Those of comparing with the last success, exporting and pruning."""
    for label in (None, "nightly"):
        yield f"success {label}", query.success_statement(SINCE, label, "site.yml", "demo")
    for name in exporting.PARTS:
        yield f"export {name}", exporting.part_question(run_id, name)
    old = schema.runs.c.started < SINCE - timedelta(hours=RUNS - 24 * 14)
    yield "blocks", event_reader.infos_question(run_id)
    yield "events", event_reader.blocks_question(run_id, 1)
    yield "abandoned", event_writer.abandoned_statement(SINCE)
    yield "prune", pruning.oldest_statement(old)
    yield "prune, events", event_writer.sets_statement([run_id, run_id - 1])
    yield "prune, dry run", pruning.sum_statement(old)


def test_no_question_needs_a_scan(history: Store) -> None:
    asked = list(questions(history))
    assert len(asked) > 60
    with history.read() as connection:
        scans = _scans_of_sqlite if connection.dialect.name == "sqlite" else _scans_of_postgresql
        found = {name: scans(connection, statement) for name, statement in asked}
    assert not {name: steps for name, steps in found.items() if steps}


def test_a_scan_would_be_found(history: Store) -> None:
    """The test of the test."""
    with history.read() as connection:
        scans = _scans_of_sqlite if connection.dialect.name == "sqlite" else _scans_of_postgresql
        statement = query.run_statement(IDENT).where(text("rc = 3")).with_only_columns(text("rc"))
        assert not scans(connection, statement)
        everything: Select[Any] = query.runs_question().statement.where(text("rc = 3")).order_by(None)
        assert scans(connection, everything)


def test_the_questions_have_answers(history: Store) -> None:
    assert len(list_runs(history, task=TASK)) == len(list_runs(history, host=HOST)) == RUNS // 500
    assert len(list_runs(history, since=SINCE)) == 24 * 7 + 1
    assert len(list_runs(history, task=TASK, status="failed")) == RUNS // 500


def _scans_of_sqlite(connection: Connection, statement: Select[Any]) -> list[str]:
    plan = _explain(connection, "EXPLAIN QUERY PLAN", statement)
    return [step for *_, step in plan if re.search(r"\bSCAN\b|\bAUTOMATIC\b", step)]


def _scans_of_postgresql(connection: Connection, statement: Select[Any]) -> list[str]:
    [(plan,)] = _explain(connection, "EXPLAIN (FORMAT JSON)", statement)
    return [found for node in _nodes(plan[0]["Plan"]) for found in _scan_of(node)]


def _scan_of(node: dict[str, Any]) -> Iterator[str]:
    kind = node["Node Type"]
    if kind == "Seq Scan" or (kind in INDEXED and "Index Cond" not in node):
        yield f"{kind} of {node.get('Relation Name')} by {node.get('Index Name')}"


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for part in node.get("Plans", ()):
        yield from _nodes(part)


def _explain(connection: Connection, verb: str, statement: Select[Any]) -> list[Any]:
    shown = statement.compile(connection, compile_kwargs={"literal_binds": True})
    return list(connection.exec_driver_sql(f"{verb} {shown}"))
