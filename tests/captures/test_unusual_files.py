"""What people pass by mistake: each command that reads captures says in one line what is wrong."""

from __future__ import annotations

import gzip
import io
import os
import re
import socket
import sqlite3
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from playstream.captures.finding import find_place
from playstream.pipeline.errors import ConfigurationError, ProtocolError
from tests.captures.reading import a_run, an_event, read
from tests.stages import Stages

RUN = a_run(an_event(1))


def in_a_database(path: Path) -> bytes:
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE x (y)")
    database.close()
    return path.read_bytes()


def in_a_zip() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("run.playstream", RUN)
    return file.getvalue()


def in_a_tar() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("run.playstream"))
    return file.getvalue()


def test_other_files_are_named(tmp_path: Path) -> None:
    for data, message in (
        (gzip.compress(RUN), "a file compressed by gzip: decompress it with gunzip"),
        (zstandard.compress(RUN), "a file compressed by zstd"),
        (in_a_zip(), "a zip archive"),
        (in_a_database(tmp_path / "x.db"), "an SQLite database"),
        (in_a_tar(), "bytes of other output"),
        (b"hello\n", "6 bytes of other output"),
        (b"", "the file is empty"),
    ):
        for sizes in (1, len(data) or 1):
            error = read(data, [sizes] * len(data)).error
            assert isinstance(error, ProtocolError)
            assert message in str(error)


def a_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


def a_loop(path: Path) -> None:
    path.symlink_to(path.name)


def nothing_else(path: Path) -> None:
    path.mkdir()


def a_dangling_link(path: Path) -> None:
    path.symlink_to("nowhere")


def zeros(path: Path) -> None:
    """A link to a device that never ends."""
    path.symlink_to("/dev/zero")


def a_vast_file(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 40)


def events_behind_a_link(path: Path) -> None:
    path.mkdir()
    (path / "status").write_text("successful")
    (path / "job_events").symlink_to("/etc")


def an_event_that_is_a_fifo(path: Path) -> None:
    (path / "job_events").mkdir(parents=True)
    os.mkfifo(path / "job_events" / "1-x.json")


UNUSUAL: dict[Callable[[Path], None], str] = {
    a_socket: "No such device or address. Check its path: it is a socket",
    a_loop: "Check its path: a link in it leads back to itself",
    a_dangling_link: "No such file or directory",
    zeros: "bytes that are not part of a stream",
    a_vast_file: "bytes that are not part of a stream",
    nothing_else: "is a directory: expected a file|has no run",
    events_behind_a_link: "is a directory: expected a file|the events in .* cannot be read: Not a directory",
    an_event_that_is_a_fifo: "is a directory: expected a file|event 1 in .* cannot be read",
}


@pytest.mark.parametrize("make", UNUSUAL, ids=lambda make: make.__name__)
def test_other_things_than_files(stages: Stages, tmp_path: Path, make: Callable[[Path], None]) -> None:
    path = tmp_path / "x"
    make(path)
    whole = tmp_path / "whole"
    whole.write_bytes(RUN)
    for words in (
        ("inspect", path),
        ("replay", path, "--speed", "max"),
        ("extract", path, tmp_path / "target"),
        ("diff", whole, path),
        ("diff", path, whole, "--html"),
    ):
        done = stages.call(*words)
        (said,) = done.stderr.decode().splitlines()
        assert done.returncode in {1, 75, 76}, said
        assert re.search(UNUSUAL[make], said), said
    assert not (tmp_path / "target").exists()


def test_a_path_in_a_directory_without_rights(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be there; a name without a slash may still be that of a run in a store."""

    def deny(path: object) -> os.stat_result:
        raise PermissionError(13, os.strerror(13))

    monkeypatch.setattr(os, "lstat", deny)
    with pytest.raises(ConfigurationError, match="'other/run' cannot be read: Permission denied"):
        find_place("other/run", "sqlite:///x.db")
    assert find_place("run", "sqlite:///x.db") is None
