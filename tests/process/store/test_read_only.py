"""A store that cannot be written can be asked: a closed directory, another user's file, a read-only mount."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from playstream.process.store import StoreError, iter_results, list_runs, open_store, schema
from tests.process.store.events import deployment, many_results, save
from tests.processes import BECOMES_NOBODY, MOUNTS_ALONE

PROGRAM = f"""
BECOMES_NOBODY = {BECOMES_NOBODY!r}
import os, sys
from playstream.cli.main import main

path, own = sys.argv[1:3]
main(["show", "nightly", "--store", own, "--json"])  # so that all is loaded which only another user may read, maybe
print()
if sys.argv[3] == "user":
    exec(BECOMES_NOBODY)
codes = [
    main(["runs", "--store", path]),
    main(["show", "nightly", "--store", path, "--json"]),
    main(["process", os.path.dirname(own), "--store", path]),
]
sys.stderr.write(f"{{codes}}\\n")
"""
WRITE_REFUSED = ("readonly database", "unable to open database file")


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory of its own, which everybody can enter."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name)
        path.chmod(0o755)
        yield path
        path.chmod(0o755)


def make_store(path: Path, mode: int = 0o444) -> None:
    """A store with one run, that is only read."""
    with open_store(str(path)) as store:
        deployment().save(store)
    path.chmod(mode)


def ask(path: Path, tmp_path: Path, *before: str, user: str = "user") -> tuple[str, list[str]]:
    """What the commands print of a store, and the lines of their errors with the exit statuses at the end."""
    own = tmp_path / "own.db"
    make_store(own)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [*before, sys.executable, "-c", PROGRAM, str(path), str(own), user],
        env=environment,
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
    )
    assert not (tmp_path / "artifacts").exists()
    return done.stdout.split("\n\n", 1)[1], done.stderr.splitlines()


def check_asked(told: str, errors: list[str]) -> None:
    assert "successful" in told.splitlines()[1]
    assert '"results": [{' in told
    assert errors[-1] == "[0, 0, 69]"
    assert len(errors) == 2
    assert any(words in errors[0] for words in WRITE_REFUSED), errors


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_another_users_file_in_a_directory_that_is_closed(place: Path, tmp_path: Path, mode: str) -> None:
    path = place / "runs #1?%41.db"
    make_store(path, 0o644)
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA journal_mode = {mode}")
    connection.close()
    path.chmod(0o444)
    place.chmod(0o555)
    check_asked(*ask(path, tmp_path))
    assert [entry.name for entry in place.iterdir()] == [path.name]


def test_a_file_system_that_is_read_only(place: Path, tmp_path: Path) -> None:
    path = place / "runs.db"
    make_store(path, 0o600)
    mounts = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"'
    check_asked(*ask(path, tmp_path, *MOUNTS_ALONE, "sh", "-c", mounts, str(place), user="root"))


def leave_a_log(path: Path) -> None:
    """As a writer leaves it that is killed."""
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE runs SET ident = 'late'")
        connection.commit()
        for end in ("", "-wal"):
            shutil.copy(f"{path}{end}", path.with_name("copy.db" + end))
    connection.close()


def test_runs_that_are_in_the_log_are_not_passed_over(place: Path, tmp_path: Path) -> None:
    make_store(place / "runs.db", 0o644)
    leave_a_log(place / "runs.db")
    place.chmod(0o555)
    told, errors = ask(place / "copy.db", tmp_path)
    assert told == ""
    assert errors[-1] == "[69, 69, 69]"
    assert all("newest runs are in copy.db-wal" in line for line in errors[:2]), errors
    place.chmod(0o755)
    with open_store(str(place / "copy.db"), writable=False) as store:
        assert [run.ident for run in list_runs(store)] == ["late"]


def freeze(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make SQLite open files as it does where the directory cannot be written; root can write everywhere."""
    real = sqlite3.connect

    def connect(place: str, **options: object) -> sqlite3.Connection:
        if place.endswith("mode=rw"):
            raise sqlite3.OperationalError("unable to open database file")
        connection: sqlite3.Connection = real(place, **options)  # type: ignore[call-overload]
        return connection

    monkeypatch.setattr(sqlite3, "connect", connect)


def test_who_reads_what_nobody_changes_hears_of_a_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "runs.db"
    with open_store(str(path)) as store:
        save(store, list(many_results(10, 60, {})))
    with monkeypatch.context() as frozen:
        freeze(frozen)
        with open_store(str(path), writable=False) as store:
            found = iter_results(store, 1)
            next(found)
            frozen.undo()
            with open_store(str(path)) as other:
                deployment().save(other)
            with pytest.raises(StoreError, match=r"was written to while it was read; try again"):
                list(found)


def test_an_older_store_that_cannot_be_migrated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "runs.db"
    make_store(path)
    monkeypatch.setattr("playstream.process.store.schema.VERSION", schema.VERSION + 1)
    freeze(monkeypatch)
    with pytest.raises(StoreError, match=r"tables of an older version, and is not writable"):
        open_store(str(path), writable=False)
