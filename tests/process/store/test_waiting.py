"""Nobody waits for a store for ever: limits on locks, statements and silence, and who is asked to stop stops."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path

import pytest

import playstream
from playstream.pipeline.errors import StoreError
from playstream.pipeline.io.cancellation import Cancellation
from playstream.process.store import Patience, Store, iter_results, list_runs, open_store, show_run
from tests.cli.test_stored import RECORDED
from tests.interface.conftest import make_demo
from tests.interface.programs import debug, play
from tests.process.store.blocking import Blocked, backends, nobody_works, silent_server, stopped
from tests.process.store.events import deployment
from tests.process.store.postgresql import Postgresql
from tests.processes import wait_until
from tests.stages import Stages

SHORT = Patience(connect=2, lock=0.3, statement=0.6, silence=1.0, canceled=0.2)
ENDLESS = Patience(lock=1000, statement=1000, silence=1000, canceled=0.2)
NOT_GOT = "The run was not saved"


def idents(server: Postgresql, database: str) -> list[str]:
    """The runs that a store has, once nobody writes to it any more."""
    wait_until(lambda: backends(server, database) == 0)
    with open_store(server.url(database), writable=False) as store:
        return [run.ident for run in list_runs(store)]


def test_a_backend_that_is_silent_ends_the_wait(postgresql: Postgresql, database: str) -> None:
    patient = Patience(lock=1000, statement=1000, silence=1.0)
    store = open_store(postgresql.url(database), patience=patient)
    with store, Blocked(postgresql, database) as block, ThreadPoolExecutor() as pool:
        saving = pool.submit(deployment().save, store)
        with stopped(block.wait_for("INSERT INTO results")):
            block.release()
            with pytest.raises(StoreError, match=rf"did not respond for 1 s.*{NOT_GOT}"):
                saving.result()
    assert idents(postgresql, database) == []


@pytest.mark.parametrize("table", ["results", "runs", "playstream_store"])
def test_a_lock_that_stays_is_the_servers_to_tell(postgresql: Postgresql, database: str, table: str) -> None:
    with open_store(postgresql.url(database), patience=SHORT) as store:
        block = Blocked(postgresql, database, table, readers=True)
        with block, pytest.raises(StoreError, match=rf"lock timeout.*{NOT_GOT}"):
            deployment().save(store)
        assert deployment().save(store)
    assert idents(postgresql, database) == ["nightly"]


def test_a_limit_of_the_users_goes_before_ours(postgresql: Postgresql, database: str) -> None:
    url = postgresql.url(database) + "?options=-c%20lock_timeout%3D100ms"
    told = pytest.raises(StoreError, match="lock timeout")
    with open_store(url, patience=ENDLESS) as store, Blocked(postgresql, database), told:
        deployment().save(store)


def ask_runs(store: Store) -> object:
    return list_runs(store)


def ask_show(store: Store) -> object:
    return show_run(store, "nightly")


def ask_results(store: Store) -> object:
    return list(iter_results(store, 1))


@pytest.mark.parametrize(("ask", "table"), [(ask_runs, "runs"), (ask_show, "tasks"), (ask_results, "results")])
def test_questions_wait_for_no_lock_and_no_silence(
    postgresql: Postgresql, database: str, ask: Callable[[Store], object], table: str
) -> None:
    url = postgresql.url(database)
    with open_store(url, patience=SHORT) as store:
        deployment().save(store)
        block = Blocked(postgresql, database, table, readers=True)
        with block, pytest.raises(StoreError, match="lock timeout"):
            ask(store)
    store = open_store(url, patience=Patience(lock=1000, statement=1000, silence=1.0))
    with store, Blocked(postgresql, database, table, readers=True) as block, ThreadPoolExecutor() as pool:
        asking = pool.submit(ask, store)
        with stopped(block.wait_for("")), pytest.raises(StoreError, match="did not respond for 1 s"):
            asking.result()


def test_opening_waits_for_no_migration(postgresql: Postgresql) -> None:
    name = postgresql.make_database()
    with postgresql.connect(name) as connection:
        connection.execute("SELECT pg_advisory_lock(1886151033)")  # as who makes or migrates tables
        with pytest.raises(StoreError, match="lock timeout"):
            open_store(postgresql.url(name), patience=SHORT)
    open_store(postgresql.url(name), patience=SHORT).close()


def test_a_server_that_says_nothing() -> None:
    with silent_server() as server:
        url = f"postgresql://me:hunter2@127.0.0.1:{server.getsockname()[1]}/runs"
        with pytest.raises(StoreError, match="timeout") as refused:
            open_store(url, patience=Patience(connect=2))
        assert "hunter2" not in str(refused.value)
        with closing(Cancellation()) as cancellation:
            cancellation.request("canceled by SIGTERM")
            said = r"canceled by SIGTERM: gave up waiting for the store .*me:\*\*\*@"
            with pytest.raises(StoreError, match=said) as asked:
                open_store(url, patience=Patience(connect=1000, canceled=0.2), cancellation=cancellation)
        assert "hunter2" not in str(asked.value)
    wait_until(nobody_works)  # libpq's wait for a connection ends when the server does


def test_a_server_that_goes_away(postgresql: Postgresql, database: str) -> None:
    store = open_store(postgresql.url(database))
    with store, Blocked(postgresql, database) as block, ThreadPoolExecutor() as pool:
        saving = pool.submit(deployment().save, store)
        backend = block.wait_for("INSERT INTO results")
        with postgresql.connect() as connection:
            connection.execute("SELECT pg_terminate_backend(%s)", (backend,))
        with pytest.raises(StoreError, match=rf"(terminating|closed the) connection.*{NOT_GOT}"):
            saving.result()
        block.release()
        assert deployment().save(store)


def test_who_is_asked_to_stop_stops(postgresql: Postgresql, database: str) -> None:
    with (
        closing(Cancellation()) as cancellation,
        open_store(postgresql.url(database), patience=ENDLESS, cancellation=cancellation) as store,
        Blocked(postgresql, database) as block,
        ThreadPoolExecutor() as pool,
    ):
        saving = pool.submit(deployment().save, store)
        with stopped(block.wait_for("INSERT INTO results")):
            cancellation.request("canceled by the caller")
            with pytest.raises(StoreError, match=rf"canceled by the caller.*{NOT_GOT}"):
                saving.result()
            block.release()
    assert idents(postgresql, database) == []


def test_a_commit_whose_outcome_is_not_known_is_not_called_lost(postgresql: Postgresql, database: str) -> None:
    with postgresql.connect(database) as connection:
        connection.execute(
            "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS "
            "'BEGIN LOCK TABLE doors IN EXCLUSIVE MODE; RETURN NULL; END'"
        )
        connection.execute("CREATE TABLE doors ()")
        connection.execute(
            "CREATE CONSTRAINT TRIGGER late AFTER INSERT ON runs DEFERRABLE INITIALLY DEFERRED "
            "FOR EACH ROW EXECUTE FUNCTION wait()"
        )
    with (
        closing(Cancellation()) as cancellation,
        open_store(postgresql.url(database), patience=ENDLESS, cancellation=cancellation) as store,
        Blocked(postgresql, database, "doors") as block,
        ThreadPoolExecutor() as pool,
    ):
        saving = pool.submit(deployment().save, store)
        block.wait_for("COMMIT")
        cancellation.request("canceled by the caller")
        with pytest.raises(StoreError, match="may or may not have been saved"):
            saving.result()
    assert idents(postgresql, database) == ["nightly"]


def test_an_interrupted_wait_leaves_no_connection_and_no_thread(postgresql: Postgresql, database: str) -> None:
    def descriptors() -> int:
        return len(os.listdir("/proc/self/fd"))

    with (
        closing(Cancellation()) as cancellation,
        open_store(postgresql.url(database), patience=ENDLESS, cancellation=cancellation) as store,
    ):
        threads = threading.active_count()
        before = descriptors()
        cancellation.request("canceled by the caller")
        with Blocked(postgresql, database), pytest.raises(StoreError, match="gave up waiting for"):
            deployment().save(store)
        wait_until(lambda: (threading.active_count(), descriptors()) == (threads, before))


def test_a_sqlite_store_that_is_locked_is_let_go(tmp_path: Path) -> None:
    path = str(tmp_path / "runs.db")
    with open_store(path) as other, closing(Cancellation()) as cancellation, other.write():
        cancellation.request("canceled by the caller")
        with pytest.raises(StoreError, match="canceled by the caller"):
            open_store(path, patience=ENDLESS, cancellation=cancellation)
        store = open_store(path, patience=ENDLESS, cancellation=cancellation, writable=False)
        with store, pytest.raises(StoreError, match=NOT_GOT):
            deployment().save(store)
        wait_until(nobody_works)
    with open_store(path) as store:
        assert list_runs(store) == []


@pytest.mark.parametrize("open_first", [True, False])
def test_a_question_to_a_sqlite_store_that_is_locked_is_let_go(tmp_path: Path, open_first: bool) -> None:
    path = tmp_path / "runs.db"
    with open_store(str(path)) as store:
        deployment().save(store)
    with closing(Cancellation()) as cancellation, ExitStack() as stack:
        ask_for = partial(open_store, str(path), patience=ENDLESS, cancellation=cancellation, writable=False)
        if open_first:
            store = stack.enter_context(ask_for())
        other = stack.enter_context(closing(sqlite3.connect(path, isolation_level=None)))
        other.execute("PRAGMA journal_mode = DELETE")  # as on file systems that cannot have a log: readers wait too
        other.execute("BEGIN EXCLUSIVE")
        cancellation.request("canceled by the caller")
        with pytest.raises(StoreError, match="canceled by the caller"):
            list_runs(store if open_first else stack.enter_context(ask_for()))
        other.execute("ROLLBACK")
        wait_until(nobody_works)


def check_said(done: subprocess.Popen[bytes], command: str, artifacts: Path, reason: str) -> None:
    _, said = done.communicate(timeout=30)
    lines = said.decode().splitlines()
    assert [line for line in lines if not line.startswith(f"playstream {command}: ")] == []
    assert [line for line in lines if reason in line and NOT_GOT in line and str(artifacts) in line], lines
    assert done.returncode == 69


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_process_hears_a_signal_while_it_saves(
    stages: Stages, postgresql: Postgresql, database: str, tmp_path: Path, number: signal.Signals
) -> None:
    summary = tmp_path / "summary.json"
    with Blocked(postgresql, database) as block:
        stage = stages.start(
            "process", tmp_path, "-q", "-i", "x", "--store", postgresql.url(database), "--summary", summary
        )
        assert stage.stdin is not None
        with stage.stdin as pipe:
            pipe.write(RECORDED)
        stage.stdin = None
        with stopped(block.wait_for("INSERT INTO results")):
            block.release()
            stage.send_signal(number)
            check_said(stage, "process", tmp_path / "artifacts" / "x", f"canceled by {number.name}")
    assert (tmp_path / "artifacts" / "x" / "status").read_text() == "successful"
    assert summary.exists()
    assert idents(postgresql, database) == []


def test_run_hears_a_signal_while_it_saves(
    stages: Stages, postgresql: Postgresql, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    demo = make_demo(tmp_path / "demo")
    monkeypatch.setenv("PLAYSTREAM_STORE", postgresql.url(database))
    with Blocked(postgresql, database) as block:
        running = stages.start("run", demo, "-p", "site.yml", "-q", "-i", "x")
        with stopped(block.wait_for("INSERT INTO results")):
            running.send_signal(signal.SIGINT)
            check_said(running, "run", demo / "artifacts" / "x", "canceled by SIGINT")
            block.release()
    assert (demo / "artifacts" / "x" / "status").read_text() == "successful"


@pytest.mark.parametrize("command", [("runs",), ("show", "nightly")])
@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, -signal.SIGTERM), (signal.SIGINT, 130)])
def test_who_asks_hears_a_signal(
    stages: Stages, postgresql: Postgresql, database: str, command: tuple[str, ...], number: signal.Signals, status: int
) -> None:
    with Blocked(postgresql, database, "runs", readers=True) as block:
        asking = stages.start(*command, "--store", postgresql.url(database))
        with stopped(block.wait_for("")):
            asking.send_signal(number)
            _, said = asking.communicate(timeout=30)
    assert asking.returncode == status
    assert all(line.startswith(b"playstream ") for line in said.splitlines()), said


def test_cancel_is_heard_while_a_run_is_saved(postgresql: Postgresql, database: str) -> None:
    runner = playstream.init_runner(
        playbook=play(debug("x")), inventory="localhost", quiet=True, store=postgresql.url(database)
    )
    with Blocked(postgresql, database) as block, ThreadPoolExecutor() as pool:
        running = pool.submit(runner.run)
        with stopped(block.wait_for("INSERT INTO results")):
            runner.cancel()
            with pytest.raises(StoreError, match=rf"canceled by the caller.*{NOT_GOT}.*artifacts are kept"):
                running.result()
            block.release()
    assert (runner.status, runner.rc) == ("successful", 0)
    assert [event["event"] for event in runner.events][-1] == "playbook_on_stats"


def test_cancelling_arun_ends_the_wait(postgresql: Postgresql, database: str) -> None:
    async def run_and_cancel(block: Blocked) -> None:
        url = postgresql.url(database)
        task = asyncio.ensure_future(
            playstream.arun(playbook=play(debug("x")), inventory="localhost", quiet=True, store=url)
        )
        with stopped(await asyncio.to_thread(partial(block.wait_for, "INSERT INTO results"))):
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            block.release()

    with Blocked(postgresql, database) as block:
        asyncio.run(run_and_cancel(block))
    assert idents(postgresql, database) == []


def test_cancel_is_heard_by_a_process_stage_that_saves(postgresql: Postgresql, database: str, tmp_path: Path) -> None:
    path = tmp_path / "recorded"
    path.write_bytes(RECORDED)
    with Blocked(postgresql, database) as block, ThreadPoolExecutor() as pool, path.open("rb") as recorded:
        runner = playstream.init_runner(
            streamer="process",
            _input=recorded,
            private_data_dir=tmp_path,
            ident="x",
            quiet=True,
            store=postgresql.url(database),
        )
        running = pool.submit(runner.run)
        with stopped(block.wait_for("INSERT INTO results")):
            runner.cancel()
            with pytest.raises(StoreError, match=rf"canceled by the caller.*{NOT_GOT}"):
                running.result()
            block.release()
    assert runner.status == "successful"
