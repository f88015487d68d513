"""What the tests of trees share: looking at a directory, an arena with a guarded outside."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

Snapshot = dict[bytes, tuple[object, ...]]


def take_snapshot(root: Path) -> Snapshot:
    """Path to (type, mode, mtime in ns, content or target, first name of the same inode), without the root itself.

    Of a file whose mode keeps its owner from reading it, the content is left out.
    """
    found: Snapshot = {}
    first_names: dict[int, bytes] = {}
    top = os.fsencode(root)
    for directory, directories, files in os.walk(top):
        directories.sort()
        for name in sorted(directories + files):
            full = os.path.join(directory, name)  # names are bytes
            status = os.lstat(full)
            kind = stat.S_IFMT(status.st_mode)
            content = b""
            if stat.S_ISREG(kind) and os.access(full, os.R_OK):
                fd = os.open(full, os.O_RDONLY)
                content = os.read(fd, max(status.st_size, 1))
                os.close(fd)
            elif stat.S_ISLNK(kind):
                content = os.readlink(full)
            path = full[len(top) + 1 :]
            first = first_names.setdefault(status.st_ino, path)
            found[path] = (kind, stat.S_IMODE(status.st_mode), status.st_mtime_ns, content, first)
    return found


@contextmanager
def open_arena() -> Iterator[Path]:
    """An empty directory `target` to unpack into. Whatever happens there, what is around it must stay as it is."""
    with tempfile.TemporaryDirectory() as name:
        outer = Path(name)
        guarded = outer / "guarded"
        (guarded / "directory").mkdir(parents=True)
        (guarded / "secret").write_bytes(b"secret")
        (guarded / "link").symlink_to("secret")
        target = outer / "target"
        target.mkdir(mode=0o700)
        before = take_snapshot(guarded)
        yield target
        assert take_snapshot(guarded) == before
        assert sorted(os.listdir(outer)) == ["guarded", "target"]
        assert stat.S_IMODE(target.stat().st_mode) == 0o700


@pytest.fixture(scope="session")
def snapshot() -> Callable[[Path], Snapshot]:
    """See `take_snapshot`."""
    return take_snapshot


@pytest.fixture(scope="session")
def make_arena() -> Callable[[], AbstractContextManager[Path]]:
    """See `open_arena`; for hypothesis, which needs a new one for each example."""
    return open_arena


@pytest.fixture
def arena() -> Iterator[Path]:
    """See `open_arena`."""
    with open_arena() as target:
        yield target
