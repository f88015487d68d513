"""Rows on questions to a store with a long history: 10,000 runs of 1,000 results, with the plans of the database."""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import Connection, Select, text

from benchmarks.errors import BenchmarkError
from benchmarks.figures import Row, interleave
from benchmarks.inputs import Inputs
from playstream.process.store import Store, list_runs, open_store
from playstream.process.store.query import runs_question

RUNS, HOSTS, TASKS = 10_000, 20, 50
"""A run an hour; each of 100 jobs has hosts and tasks of its own, and one host and one task are in every run."""
_JOBS = 100
_FIRST = datetime(2026, 1, 1, tzinfo=UTC)
_MILLISECONDS = 100.0
_MS = "ms"
_EVERY = "--host of every run"
"""A question whose answer has every run: its time is that of the answer."""
_NUMBERS = "(WITH RECURSIVE s(n) AS (SELECT {first} UNION ALL SELECT n + 1 FROM s WHERE n < {last}) SELECT n FROM s)"
_TIME = "strftime('%Y-%m-%d %H\\:%M\\:%f000', '2026-01-01', n || ' hours')"
_HOST = "CASE h WHEN 1 THEN 'db' ELSE 'host' || (n % {jobs}) || '.' || h END"
_FILL = """
INSERT INTO runs (id, ident, digest, status, started, ended, events, results, hosts, ok, changed, failures, unreachable,
    skipped, rescued, ignored)
SELECT n, 'job' || (n % {jobs}), n, CASE n % 9 WHEN 0 THEN 'failed' ELSE 'successful' END, {time}, {time}, 1100, 1000,
    {hosts}, 1000, 0, 0, 0, 0, 0, 0
FROM {runs};

INSERT INTO plays (run_id, number, name, pattern) SELECT n, 1, 'play', 'all' FROM {runs};

INSERT INTO tasks (run_id, number, play, name, action, ok, changed, failures, unreachable, skipped, ignored)
SELECT n, t, 1, CASE t WHEN 1 THEN 'Gathering Facts' ELSE 'task ' || (n % {jobs}) || '.' || t END, 'command', {hosts},
    0, 0, 0, 0, 0
FROM (SELECT a.n AS n, b.n AS t FROM {runs} AS a, {of_tasks} AS b);

INSERT INTO hosts (run_id, name, ok, changed, failures, unreachable, skipped, rescued, ignored)
SELECT n, {host}, {tasks}, 0, 0, 0, 0, 0, 0
FROM (SELECT a.n AS n, b.n AS h FROM {runs} AS a, {of_hosts} AS b);

INSERT INTO results (run_id, task, host, number, outcome, ended, truncated, res)
SELECT n, t, {host}, (t - 1) * {hosts} + h, 'ok', {time}, false, '{{"changed"\\:true,"rc"\\:0}}'
FROM (SELECT a.n AS n, b.n AS t, c.n AS h FROM {runs} AS a, {of_tasks} AS b, {of_hosts} AS c)
"""


def history_rows(inputs: Inputs, runs: int) -> list[Row]:
    """Each question of `playstream runs`, from the question to the last run, without the start of the program."""
    number = max(_JOBS, round(RUNS * inputs.scale))
    folder = inputs.work / "history"
    folder.mkdir()
    with open_store(str(folder / "runs.db")) as store:
        _say(f"writing {number:,} runs of {HOSTS * TASKS:,} results")
        _fill(store, number)
        questions: dict[str, dict[str, Any]] = {
            "--host": {"host": "host7.2"},
            "--task": {"task": "task 7.2"},
            "--since 7d": {"since": _FIRST + timedelta(hours=number) - timedelta(days=7)},
            "--host of every run, --limit 100": {"host": "db", "limit": 100},
            "--task of every run, --limit 100": {"task": "Gathering Facts", "limit": 100},
            _EVERY: {"host": "db"},
        }
        for name, question in questions.items():
            _say_plan(store, f"runs {name}", runs_question(**question).part(None, 4000))
        found = interleave({name: partial(_ask, store, each) for name, each in questions.items()}, runs, _MS)
    return [
        Row(
            f"store, {number:,} runs of {HOSTS * TASKS:,} results: runs {name}",
            samples,
            None,
            None,
            "",
            "" if name == _EVERY else f"under {_MILLISECONDS:g} ms",
            None if name == _EVERY else samples.median < _MILLISECONDS,
        )
        for name, samples in found.items()
    ]


def _fill(store: Store, number: int) -> None:
    """Write the runs, 500 in a transaction."""
    for first in range(1, number + 1, 500):
        parts = {"runs": (first, min(first + 499, number)), "of_tasks": (1, TASKS), "of_hosts": (1, HOSTS)}
        tables = {name: _NUMBERS.format(first=low, last=high) for name, (low, high) in parts.items()}
        with store.write() as connection:
            for statement in _FILL.split(";"):
                words = {"time": _TIME, "jobs": _JOBS, "host": _HOST.format(jobs=_JOBS), "hosts": HOSTS, "tasks": TASKS}
                connection.execute(text(statement.format(**words, **tables)))


def _ask(store: Store, question: dict[str, Any]) -> float:
    start = time.perf_counter()
    found = list_runs(store, **question)
    elapsed = time.perf_counter() - start
    if not found:
        raise BenchmarkError(f"no run was found by {question}")
    return elapsed * 1000


def _say_plan(store: Store, name: str, statement: Select[Any]) -> None:
    with store.read() as connection:
        _say(f"{name}: {'; '.join(_plan(connection, statement))}")


def _plan(connection: Connection, statement: Select[Any]) -> list[str]:
    shown = statement.compile(connection, compile_kwargs={"literal_binds": True})
    return [step for *_, step in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {shown}")]


def _say(what: str) -> None:
    print(what, file=sys.stderr)
