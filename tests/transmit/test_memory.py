"""What is remembered of earlier jobs is right, or forgotten."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from playstream.pipeline.protocol import FileEntry
from playstream.pipeline.tree.digests import digest
from playstream.pipeline.tree.listings import BLOCK_SIZE, MAX_WHOLE, Hashed
from playstream.pipeline.tree.pack import hash_tree
from playstream.transmit.memory import MAX_TREES, Memory
from playstream.transmit.snapshot import NOTHING, TreeObjects

ALGORITHM = "blake2b"
OLD = 10**18
"""A time long ago, in ns: a file that was changed then does not change unnoticed."""


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with closing(Memory(tmp_path / "cache", ALGORITHM)) as made:
        yield made


class Reader:
    """Counts what is read of a file."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.count = 0

    def __call__(self, wanted: int) -> bytes:
        piece, self._data = self._data[:wanted], self._data[wanted:]
        self.count += len(piece)
        return piece


def age(path: Path) -> None:
    """Let a file look as if it had been written long ago, whose ctime no call can set: the clock is set instead."""
    os.utime(path, ns=(OLD, OLD))


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock of the memory is an hour ahead, so that no file was changed just now."""
    now = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: now() + 3600 * 10**9)


def contents(root: Path, memory: Memory) -> dict[bytes, bytes]:
    """Return the hashes of the files of a directory."""
    found, path = {}, b""
    for item in hash_tree(root, memory):
        if isinstance(item, FileEntry):
            path = item.path
        elif isinstance(item, Hashed):
            found[path] = item.digests
    return found


@pytest.mark.parametrize("size", [1, 1000, MAX_WHOLE, MAX_WHOLE + 1, 3 * MAX_WHOLE - 7])
def test_hashes(memory: Memory, tmp_path: Path, size: int) -> None:
    data = os.urandom(size)
    path = tmp_path / "file"
    path.write_bytes(data)
    hashed, found = memory.hash(Reader(data), path.stat())
    step = size if size <= MAX_WHOLE else BLOCK_SIZE
    parts = [data[start : start + step] for start in range(0, size, step)]
    assert hashed.digests == b"".join(digest(part, ALGORITHM) for part in parts)
    assert found == size


def test_a_small_file_that_shrinks_has_its_new_size(memory: Memory, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    assert memory.hash(Reader(b"123"), path.stat()) == (Hashed(digest(b"123", ALGORITHM)), 3)


def test_a_large_file_that_shrinks_ends_in_zeros(memory: Memory, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(2 * MAX_WHOLE))
    zeros = memory.hash(Reader(bytes(2 * MAX_WHOLE)), path.stat())
    assert memory.hash(Reader(bytes(5)), path.stat()) == zeros


@pytest.mark.usefixtures("later")
def test_an_unchanged_file_is_hashed_once(tmp_path: Path) -> None:
    root = tmp_path / "tree"
    root.mkdir()
    for name in ("a", "b"):
        (root / name).write_bytes(name.encode() * 100)
    with closing(Memory(tmp_path / "cache", ALGORITHM)) as first:
        found = contents(root, first)
        first.keep(root, bytes(32), NOTHING)
    (root / "a").chmod(0)  # it is not opened again; its ctime changes, so it would be
    (root / "a").chmod(0o644)
    with closing(Memory(tmp_path / "cache", ALGORITHM)) as second:
        assert second.find((root / "b").stat()) == Hashed(found[b"b"])
        assert second.find((root / "a").stat()) is None
        assert contents(root, second) == found
    with closing(Memory(tmp_path / "cache", "other")) as other:
        assert other.find((root / "b").stat()) is None


@pytest.mark.parametrize("number", [1, 2**63 - 1, 2**63, 2**64 - 1])
@pytest.mark.usefixtures("later")
def test_devices_and_inodes_have_64_bits(tmp_path: Path, number: int) -> None:
    status = os.stat_result((0o100600, number, number, 1, 0, 0, 3, 0, 0, 0), {"st_mtime_ns": OLD, "st_ctime_ns": OLD})
    with closing(Memory(tmp_path / "cache", ALGORITHM)) as memory:
        hashed, _size = memory.hash(Reader(b"abc"), status)
        memory.keep(tmp_path, bytes(32), NOTHING)
    with closing(Memory(tmp_path / "cache", ALGORITHM)) as memory:
        assert memory.find(status) == hashed


@pytest.mark.parametrize("name", ["st_mtime_ns", "st_ctime_ns"])
@pytest.mark.usefixtures("later")
def test_a_time_that_no_database_takes_is_not_remembered(tmp_path: Path, name: str) -> None:
    times = {"st_mtime_ns": OLD, "st_ctime_ns": OLD, name: -(2**63) - 1}
    status = os.stat_result((0o100600, 1, 1, 1, 0, 0, 3, 0, 0, 0), times)
    with closing(Memory(tmp_path / "cache", ALGORITHM)) as memory:
        memory.hash(Reader(b"abc"), status)
        memory.keep(tmp_path, bytes(32), NOTHING)
        assert memory.find(status) is None
        assert memory.trees(tmp_path) == [bytes(32)]


@pytest.mark.usefixtures("later")
@pytest.mark.parametrize("keeps_size", [True, False])
def test_a_changed_file_is_hashed_again(tmp_path: Path, keeps_size: bool) -> None:
    """Even if it has the same size and the same time of modification."""
    root = tmp_path / "tree"
    root.mkdir()
    (root / "a").write_bytes(b"before")
    age(root / "a")
    with closing(Memory(tmp_path / "cache", ALGORITHM)) as first:
        before = contents(root, first)
        first.keep(root, bytes(32), NOTHING)
    was = (root / "a").stat().st_ctime_ns
    while (root / "a").stat().st_ctime_ns == was:  # until the clock of the file system has moved on
        (root / "a").write_bytes(b"after!" if keeps_size else b"after")
        age(root / "a")
    with closing(Memory(tmp_path / "cache", ALGORITHM)) as second:
        assert contents(root, second) != before


def test_a_file_that_was_changed_just_now_is_not_remembered(tmp_path: Path) -> None:
    """Its next change may have the same time."""
    root = tmp_path / "tree"
    root.mkdir()
    (root / "a").write_bytes(b"before")
    with closing(Memory(tmp_path / "cache", ALGORITHM)) as memory:
        contents(root, memory)
        memory.keep(root, bytes(32), NOTHING)
        assert memory.find((root / "a").stat()) is None


def objects(root: bytes) -> TreeObjects:
    return TreeObjects(frozenset((root, bytes(32))), {bytes([number]) * 32: number for number in (0, 1, 2)})


def test_a_tree_of_a_directory_is_found_without_a_scan(memory: Memory, tmp_path: Path) -> None:
    root = digest(b"tree", ALGORITHM)
    memory.keep(tmp_path, root, objects(root))
    database = memory._database
    assert database is not None
    asked: list[str] = []
    database.set_trace_callback(asked.append)
    assert memory.objects(tmp_path, root) == objects(root)
    assert memory.objects(None, root) == objects(root)
    database.set_trace_callback(None)
    plan = database.execute(f"EXPLAIN QUERY PLAN {asked[0]}").fetchone()[3]
    assert plan.startswith("SEARCH trees USING PRIMARY KEY")


def test_trees_are_remembered_for_each_directory(memory: Memory, tmp_path: Path) -> None:
    roots = [bytes([number]) * 32 for number in range(MAX_TREES + 3)]
    for number, root in enumerate(roots):
        with closing(Memory(tmp_path / "cache", ALGORITHM)) as each:
            each._now = number
            each.keep(tmp_path / "one", root, objects(root))
    assert memory.trees(tmp_path / "one") == roots[: -MAX_TREES - 1 : -1]
    assert memory.trees(tmp_path / "two") == []
    assert memory.objects(tmp_path / "one", roots[-1]) == objects(roots[-1])
    assert memory.objects(tmp_path / "one", roots[0]) is None
    assert memory.objects(tmp_path / "two", roots[-1]) is None


def test_it_is_private(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with closing(Memory(tmp_path / "cache", ALGORITHM)) as memory:
            memory.keep(tmp_path, bytes(32), NOTHING)
            assert {oct(path.stat().st_mode & 0o777) for path in (tmp_path / "cache").iterdir()} == {"0o600"}
    finally:
        os.umask(before)
    assert (tmp_path / "cache").stat().st_mode & 0o777 == 0o700


USELESS = ["open to others", "a file", "damaged", "no database", "locked"]


@pytest.mark.parametrize("what", USELESS)
def test_a_database_that_cannot_be_used_is_no_error(tmp_path: Path, what: str) -> None:
    directory = tmp_path / "cache"
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "a").write_text("x")
    with closing(Memory(directory, ALGORITHM)) as memory:
        memory.keep(tree, bytes(32), NOTHING)
    database = directory / "hashes.sqlite"
    other = None
    if what == "open to others":
        directory.chmod(0o777)
    elif what == "a file":
        database.unlink()
        directory.rmdir()
        directory.write_text("")
    elif what == "damaged":
        database.write_bytes(os.urandom(5000))
    elif what == "no database":
        database.unlink()
        database.mkdir()
    else:
        other = sqlite3.connect(database)
        other.execute("BEGIN EXCLUSIVE")
    with closing(Memory(directory, ALGORITHM)) as memory:
        assert contents(tree, memory) == {b"a": digest(b"x", ALGORITHM)}
        assert memory.trees(tree) == []
        memory.keep(tree, bytes(32), NOTHING)
        assert memory.trees(tree) == ([bytes(32)] if what == "damaged" else [])
    if other is not None:
        other.close()


def test_many_write_at_once(tmp_path: Path) -> None:
    def write(number: int) -> None:
        with closing(Memory(tmp_path / "cache", ALGORITHM)) as memory:
            memory.keep(tmp_path / str(number), bytes([number]) * 32, NOTHING)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with closing(Memory(tmp_path / "cache", ALGORITHM)) as memory:
        kept = [number for number in range(8) if memory.trees(tmp_path / str(number))]
    assert kept, "at least one could write; the others may have given up after a second"
