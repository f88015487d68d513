"""Killed in the middle, nothing is half-written; many may write at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from playstream.process.store import Patience, Store, StoreError, iter_results, list_runs, open_store, schema
from tests.process.store.events import FIRST, deployment
from tests.process.store.postgresql import Postgresql
from tests.processes import wait_until

LIMIT_SECONDS = 100
ROOT = Path(__file__).parents[3]
STOPS_IN_THE_MIDDLE = """
import sys, time
from sqlalchemy import Engine, event
from playstream.process.store import open_store
from tests.process.store.events import many_results, save

seen = 0

@event.listens_for(Engine, "after_cursor_execute")
def stop(connection, cursor, statement, parameters, context, executemany):
    global seen
    if statement.startswith("INSERT INTO results"):
        seen += 1
        if seen == 3:
            print("middle", flush=True)
            time.sleep(1000)

with open_store(sys.argv[1]) as store:
    save(store, list(many_results(100, 50, {"stdout": "x" * 2000})), "killed")
"""
WRITES_ON_AND_ON = """
import sys
from datetime import timedelta
from playstream.process.store import open_store
from tests.process.store.events import FIRST, deployment

with open_store(sys.argv[1]) as store:
    for number in range(1, 100_000):
        assert deployment("job", FIRST + timedelta(hours=number)).save(store)
        print(number, flush=True)
"""
WRITES = """
import sys
from playstream.process.store import open_store
from tests.process.store.events import deployment, many_results, save
from datetime import timedelta
from tests.process.store.events import FIRST

url, name, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
print("ready", flush=True)
sys.stdin.readline()
written = 0
with open_store(url) as store:
    for number in range(count):
        written += deployment(name, FIRST + timedelta(days=number)).save(store)
    written += save(store, many_results(50, 20, {"stdout": "x" * 300}, f"large-{name}"), f"large-{name}")
print(written)
"""


def start(program: str, *words: str) -> subprocess.Popen[str]:
    """A process of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", program, *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )


def end(process: subprocess.Popen[str]) -> str:
    """What it wrote; it has to succeed."""
    stdout, _ = process.communicate("go\n", timeout=LIMIT_SECONDS)
    assert process.returncode == 0
    return stdout


def counts(store: Store) -> dict[str, int]:
    """How many rows each table has."""
    with store.read() as connection:
        return {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in schema.metadata.sorted_tables
        }


def test_killed_in_the_middle_nothing_is_half_written(store_url: str) -> None:
    with open_store(store_url) as store:
        deployment().save(store)
        before = counts(store)
        process = start(STOPS_IN_THE_MIDDLE, store_url)
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == "middle\n"
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait(LIMIT_SECONDS) == -signal.SIGKILL
        process.stdout.close()
        process.stdin.close()
        assert counts(store) == before
        # Nothing of it is in the way: no lock, no row.
        assert deployment("next").save(store)
        assert [run.ident for run in list_runs(store)] == ["next", "nightly"]
    if store_url.startswith("sqlite"):
        with open_store(store_url) as store, store.read() as connection:
            assert connection.exec_driver_sql("PRAGMA integrity_check").scalar_one() == "ok"
            assert not connection.exec_driver_sql("PRAGMA foreign_key_check").all()


@pytest.mark.parametrize("written", [1, 5, 12])
def test_killed_at_any_time_all_that_was_said_to_be_written_is_there(store_url: str, written: int) -> None:
    process = start(WRITES_ON_AND_ON, store_url)
    assert process.stdout is not None
    for _ in range(written):
        last = int(process.stdout.readline())
    process.kill()
    rest, _ = process.communicate(timeout=LIMIT_SECONDS)
    last = max([last, *map(int, rest.split())])
    with open_store(store_url) as store:
        runs = list_runs(store)
        assert last <= len(runs) <= last + 1
        assert [len(list(iter_results(store, run.id))) for run in runs] == [7] * len(runs)
        assert deployment("next").save(store)


def test_a_reader_sees_all_of_a_run_or_nothing(store_url: str) -> None:
    with open_store(store_url) as store:
        process = start(STOPS_IN_THE_MIDDLE, store_url)
        assert process.stdout is not None
        assert process.stdout.readline() == "middle\n"
        try:
            assert set(counts(store).values()) == {0, 1}
        finally:
            process.kill()
            process.communicate()


def test_an_error_in_the_middle_leaves_nothing(store: Store) -> None:
    class Trouble(Exception):
        pass

    def write() -> None:
        with store.write() as connection:
            connection.execute(
                schema.runs.insert().values(
                    ident="x",
                    digest="x",
                    status="x",
                    started=FIRST,
                    ended=FIRST,
                    events=0,
                    results=0,
                    hosts=0,
                    **dict.fromkeys(schema.HOST_COUNTS, 0),
                )
            )
            raise Trouble

    before = counts(store)
    with pytest.raises(Trouble):
        write()
    assert counts(store) == before


def test_a_run_that_is_deleted_takes_its_parts_with_it(store: Store) -> None:
    empty = counts(store)
    deployment().save(store)
    with store.write() as connection:
        connection.execute(schema.runs.delete().where(schema.runs.c.ident == "nightly"))
    assert counts(store) == empty


@pytest.mark.parametrize("writers", [2, 8])
def test_many_processes_write_at_once(store_url: str, writers: int) -> None:
    # They make the store at once, too.
    processes = [start(WRITES, store_url, f"job{number}", "5") for number in range(writers)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    with ThreadPoolExecutor(writers) as pool:
        assert [text.strip() for text in pool.map(end, processes)] == ["6"] * writers
    with open_store(store_url, writable=False) as store:
        runs = list_runs(store)
        assert len(runs) == 6 * writers
        for run in runs:
            assert run.results == len(list(iter_results(store, run.id)))
        found = counts(store)
        assert found["playstream_store"] == 1
        assert found["results"] == writers * (5 * 7 + 1000)


def test_many_threads_write_the_same_run(store_url: str) -> None:
    with open_store(store_url) as store, ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(lambda _: deployment().save(store), range(8))) == [False] * 7 + [True]
        [run] = list_runs(store)
        assert len(list(iter_results(store, run.id))) == run.results == 7


def test_a_reader_does_not_stop_a_writer(store: Store) -> None:
    deployment().save(store)
    with store.read() as connection:
        assert connection.execute(select(func.count()).select_from(schema.runs)).scalar_one() == 1
        assert deployment(start=FIRST + timedelta(days=1)).save(store)


def test_a_store_that_stays_locked_says_so(tmp_path: Path) -> None:
    said = pytest.raises(StoreError, match=r"is locked.*for 0\.1 s.*The run was not saved")
    with open_store(str(tmp_path / "runs.db"), patience=Patience(lock=0.1)) as store, store.write(), said:
        deployment().save(store)


def test_no_connection_is_held_between_transactions(postgresql: Postgresql) -> None:
    with open_store(postgresql.url(postgresql.make_database())) as store:
        deployment().save(store)
        with store.read() as connection:
            statement = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            wait_until(lambda: connection.exec_driver_sql(statement).scalar_one() == 1)
