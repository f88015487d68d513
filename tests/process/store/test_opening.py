"""Opening a store: URLs, what is refused, and what is never shown."""

from __future__ import annotations

import os
import socket
import sqlite3
import stat
import subprocess
import sys
import traceback
from pathlib import Path

import pytest

from playstream.pipeline.errors import ConfigurationError, PlaystreamError
from playstream.process.store import StoreError, hide_password, list_runs, open_store
from tests.process.store.events import deployment
from tests.process.store.postgresql import PASSWORD, QUOTED_PASSWORD, Postgresql

SECRETS = (PASSWORD, QUOTED_PASSWORD, "hunter2")


def shown_of(error: BaseException) -> str:
    """All that a traceback would show of an error."""
    return "".join(traceback.format_exception(error)) + repr(error)


@pytest.mark.parametrize("form", ["{path}", "sqlite:///{path}", "sqlite+pysqlite:///{path}"])
def test_a_file_is_made_for_its_owner_alone(form: str, tmp_path: Path) -> None:
    path = tmp_path / "odd name@%41#.db"
    before = os.umask(0)
    try:
        with open_store(form.format(path=path)) as store:
            assert deployment().save(store)
            with store.read():
                modes = {entry.name: stat.S_IMODE(entry.stat().st_mode) for entry in tmp_path.iterdir()}
    finally:
        os.umask(before)
    assert path.name in modes
    assert set(modes.values()) == {0o600}
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_a_relative_path_is_kept_when_the_directory_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with open_store("sqlite:///runs.db") as store:
        monkeypatch.chdir("/")
        assert deployment().save(store)
        assert len(list_runs(store)) == 1


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "empty"),
        ("a\0b", r"control character U\+0000"),
        ("sqlite:///runs\x1b[2J.db", r"control character U\+001B"),
        ("runs.db\n", r"control character U\+000A"),
        ("postgresql://me:hunter2@db\udcff/runs", "not UTF-8"),
        ("mysql://me:hunter2@db/runs", "of the scheme 'mysql'"),
        ("postgresql+asyncpg://me:hunter2@db/runs", "of the scheme 'postgresql\\+asyncpg'"),
        ("me:hunter2 ://db", "of the scheme 'something else'"),
        ("sqlite://", "in memory"),
        ("sqlite:///:memory:", "in memory"),
        ("sqlite:///file:x?mode=memory", "takes no options"),
        ("sqlite://me:hunter2@host/runs.db", "takes no options"),
        ("me:hunter2@db/runs", "has no scheme"),
        ("postgresql://me:hunter@hunter2@db/runs", "more than one @"),
        ("postgresql://me:hunter2/runs", "cannot be read"),
    ],
)
def test_what_is_no_url_is_refused_without_showing_it(url: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said) as refused:
        open_store(url)
    assert not [secret for secret in SECRETS if secret in shown_of(refused.value)]


CONTROLS = ("\0", "%00", "\n", "%0a", "%0D", "\x1f", "%7f", "\x7f", "\x85", "%C2%85")
PARTS = ("user", "password", "host", "port", "database", "option", "value")


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("control", CONTROLS)
def test_a_control_character_is_refused_in_every_part_of_a_url(control: str, part: str, postgresql: Postgresql) -> None:
    # Of a server that is there: what does not refuse the URL connects to it, or elsewhere.
    parts = {
        "user": "keeper",
        "password": QUOTED_PASSWORD,
        "host": "127.0.0.1",
        "port": str(postgresql.port),
        "database": "postgres",
        "option": "application_name",
        "value": "x",
    }
    parts[part] += control
    url = "postgresql://{user}:{password}@{host}:{port}/{database}?{option}={value}".format(**parts)
    for ask in (open_store, hide_password):
        with pytest.raises(ConfigurationError, match=r"control character U\+00") as refused:
            ask(url)
        assert not [secret for secret in SECRETS if secret in shown_of(refused.value)]


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://me:hunter2@db:5433/runs", "postgresql://me:***@db:5433/runs"),
        ("postgres://me:hun%40ter2@db/runs?sslmode=require", "postgresql://me:***@db/runs"),
        ("postgresql+psycopg://db/runs?user=me&password=hunter2", "postgresql://db/runs"),
        ("postgresql://me:hun/te?r2@db/runs", "postgresql://me:***@db/runs"),
        ("postgresql:///runs", "postgresql:///runs"),
        ("sqlite:///runs.db", "sqlite:///runs.db"),
        ("runs.db", "sqlite:///runs.db"),
    ],
)
def test_a_url_is_shown_without_its_password(url: str, shown: str) -> None:
    assert hide_password(url) == shown


def test_a_store_that_is_only_read_is_not_made(tmp_path: Path, postgresql: Postgresql) -> None:
    with pytest.raises(StoreError, match="there is no store"):
        open_store(str(tmp_path / "runs.db"), writable=False)
    assert not list(tmp_path.iterdir())
    (tmp_path / "empty.db").touch()
    for url in (str(tmp_path / "empty.db"), postgresql.url(postgresql.make_database())):
        with pytest.raises(StoreError, match="nothing has been written to it"):
            open_store(url, writable=False)
        with open_store(url) as store:
            deployment().save(store)
        with open_store(url, writable=False) as store:
            assert len(list_runs(store)) == 1


def test_a_place_that_cannot_be_written_is_refused_before_anything_runs(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("This is no database, it is a text that is long enough to be taken for one." * 20)
    for place, said in (
        (tmp_path, "not a file"),
        (tmp_path / "none" / "runs.db", "its directory does not exist"),
        (tmp_path / "text" / "runs.db", "Not a directory"),
        (tmp_path / "text", "not a database"),
        (tmp_path / ("x" * 300), "File name too long"),
    ):
        with pytest.raises(StoreError, match=said) as refused:
            open_store(f"sqlite:///{place}")
        assert refused.value.exit_status == 69


def test_a_server_that_does_not_answer(postgresql: Postgresql) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"postgresql://me:hunter2@127.0.0.1:{unused.getsockname()[1]}/runs"
        with pytest.raises(StoreError, match="refused") as refused:
            open_store(url)
    assert "me:***@127.0.0.1" in str(refused.value)
    assert not [secret for secret in SECRETS if secret in shown_of(refused.value)]


def test_a_wrong_password_a_missing_database_a_wrong_option(postgresql: Postgresql) -> None:
    database = postgresql.make_database()
    wrong = postgresql.url(database, "hunter2")
    for url, said in (
        (wrong, "authentication failed"),
        (postgresql.url("none"), "does not exist"),
        (postgresql.url(database) + "?sslmode=hunter2", "sslmode"),
        (postgresql.url(database) + "?hunter2=1", "cannot be used"),
    ):
        with pytest.raises(PlaystreamError, match=said) as refused:
            open_store(url)
        assert refused.value.exit_status == 69
        assert PASSWORD not in shown_of(refused.value)
        assert QUOTED_PASSWORD not in shown_of(refused.value)


def test_a_user_who_may_not_make_tables(postgresql: Postgresql) -> None:
    database = postgresql.make_database()
    with postgresql.connect(database) as connection:
        connection.execute(f"CREATE ROLE reader_{database} LOGIN PASSWORD 'hunter2'")
        connection.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    url = f"postgresql://reader_{database}:hunter2@127.0.0.1:{postgresql.port}/{database}"
    with pytest.raises(StoreError, match="permission denied") as refused:
        open_store(url)
    assert "hunter2" not in shown_of(refused.value)


def test_a_store_s_words_hold_no_password(postgresql: Postgresql) -> None:
    with open_store(postgresql.url(postgresql.make_database())) as store:
        words = repr(store) + store.shown + repr(vars(store))
    assert not [secret for secret in SECRETS if secret in words]


@pytest.mark.parametrize(
    ("missing", "url", "said"),
    [
        ("sqlalchemy", "sqlite:///x.db", f"{sys.executable} -m pip install 'playstream[store]'"),
        ("psycopg", "postgresql://me:hunter2@db/runs", f"{sys.executable} -m pip install 'playstream[postgresql]'"),
    ],
)
def test_a_missing_package_is_named_with_what_brings_it(missing: str, url: str, said: str, tmp_path: Path) -> None:
    program = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        "from playstream.pipeline.errors import ConfigurationError\n"
        "import playstream.process.store as room\n"
        "try: room.open_store(sys.argv[1])\n"
        "except ConfigurationError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, url], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert said in done.stdout
    assert "hunter2" not in done.stdout
    assert not list(tmp_path.iterdir())


def test_the_room_itself_loads_no_database() -> None:
    program = (
        "import sys, playstream.process.store as room; room.StoreError; room.parse_since; print(sorted(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "sqlalchemy" not in done.stdout
    assert "sqlite3" not in done.stdout


@pytest.mark.parametrize("configured", ["", "logging.basicConfig(format='%(name)s %(message)s')"])
def test_what_the_drivers_log_is_the_programs_to_show(configured: str) -> None:
    program = (
        f"import logging; {configured}\n"
        "import playstream.process.store.engine\n"
        "for name in ('psycopg.pq', 'psycopg', 'sqlalchemy.pool'): logging.getLogger(name).error('it rains')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    shown = ["psycopg.pq it rains", "psycopg it rains", "sqlalchemy.pool it rains"]
    assert done.stderr.splitlines() == (shown if configured else [])


def test_a_server_that_only_reads_is_refused_for_writing_and_can_be_asked(postgresql: Postgresql) -> None:
    database = postgresql.make_database()
    with open_store(postgresql.url(database)) as store:
        deployment().save(store)
    url = postgresql.url(database) + "?options=-c%20default_transaction_read_only%3Don"
    with open_store(url, writable=False) as store:
        assert len(list_runs(store)) == 1
    with pytest.raises(StoreError, match="read-only transaction"):
        open_store(url)
