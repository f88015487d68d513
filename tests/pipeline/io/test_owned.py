"""What belongs to a process is not its forked children's: neither locks nor the ends of pipes."""

from __future__ import annotations

import io
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyrage
import pytest

from playstream.pipeline.io.age import encrypting
from playstream.pipeline.io.files import writing
from playstream.pipeline.io.locks import try_lock
from playstream.pipeline.io.owned import close_owned, own_descriptor
from playstream.process.write_behind import start
from tests.processes import is_running


@contextmanager
def forked(tell: Callable[[], bytes] = lambda: b"ready") -> Iterator[bytes]:
    """What a child says that is forked here, and lives on."""
    reading, writing_end = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writing_end, tell())
            time.sleep(600)
        finally:
            os._exit(1)
    try:
        os.close(writing_end)
        yield os.read(reading, 4096)
        assert is_running(child)
    finally:
        os.close(reading)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_a_lock_is_not_the_childs(tmp_path: Path) -> None:
    fd, other = (os.open(tmp_path, os.O_RDONLY) for _ in range(2))
    assert try_lock(own_descriptor(fd))
    with forked() as said:
        assert said == b"ready"
        assert not try_lock(other)
        close_owned(fd)
        assert try_lock(other)
    os.close(other)


def test_its_number_stays_in_use(tmp_path: Path) -> None:
    """The child ends with code of its parent's, which closes what it has opened."""
    fd = own_descriptor(os.open(tmp_path, os.O_RDONLY))

    def tell() -> bytes:
        new = os.open(tmp_path, os.O_RDONLY)
        close_owned(fd)
        return str(os.path.samestat(os.fstat(new), tmp_path.stat()) and new != fd).encode()

    with forked(lambda: os.readlink(f"/proc/self/fd/{fd}").encode()) as said:
        assert said == os.devnull.encode()
    with forked(tell) as said:
        assert said == b"True"
    close_owned(fd)


@pytest.mark.parametrize("closed_by_itself", [False, True])
def test_what_the_parent_has_closed_is_not_closed_again(tmp_path: Path, closed_by_itself: bool) -> None:
    fd = own_descriptor(os.open(tmp_path, os.O_RDONLY))
    (os.close if closed_by_itself else close_owned)(fd)
    try:
        with forked() as said:
            assert said == b"ready"
    finally:
        own_descriptor(os.open(tmp_path, os.O_RDONLY))
        close_owned(fd)


def test_a_reader_comes_to_its_end(tmp_path: Path) -> None:
    """Threads and processes that read a pipe to its end: of a file object, an encrypted link, and event files."""
    target = io.BytesIO()
    key = pyrage.x25519.Identity.generate()
    link = os.open(tmp_path / "link", os.O_WRONLY | os.O_CREAT)
    (tmp_path / "events").mkdir()
    directory = os.open(tmp_path / "events", os.O_RDONLY)
    files = start(directory)
    assert files is not None
    with writing(target) as plain, encrypting(link, [key.to_public()]) as secret:
        os.write(plain, b"plain")
        os.write(secret, b"secret")
        files.write("event", b"{}")
        child = forked()
        child.__enter__()
    files.finish()
    child.__exit__(None, None, None)
    os.close(link)
    os.close(directory)
    assert target.getvalue() == b"plain"
    assert pyrage.decrypt((tmp_path / "link").read_bytes(), [key]) == b"secret"
    assert (tmp_path / "events/event").read_text() == "{}"
