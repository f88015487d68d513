"""A directory that is packed and unpacked again is the same."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playstream.pipeline.protocol.records import FileData, FileEntry, FileType, Log, TreeEnd
from playstream.pipeline.tree.pack import DATA_SIZE, pack
from playstream.pipeline.tree.paths import MAX_DEPTH
from playstream.pipeline.tree.unpack import Unpacker

Snapshot = dict[bytes, tuple[int, int, int, bytes, bytes]]
TakeSnapshot = Callable[[Path], Snapshot]


def unpack(
    records: Iterable[FileEntry | FileData | Log | TreeEnd],
    target: Path,
    *,
    trusted: bool = True,
    replace: bool = False,
) -> None:
    with Unpacker(target, trusted=trusted, replace=replace) as unpacker:
        for record in records:
            assert not isinstance(record, Log)
            assert not unpacker.complete
            unpacker.receive(record)
        assert unpacker.complete


def private(found: Snapshot) -> Snapshot:
    """As an untrusted sender's tree arrives: everything is its receiver's alone."""
    modes: dict[object, Callable[[int], int]] = {
        stat.S_IFDIR: lambda _mode: 0o700,
        stat.S_IFREG: lambda mode: mode & 0o100 | 0o600,
    }
    return {
        path: (kind, modes[kind](mode) if kind in modes else mode, mtime_ns, content, first)
        for path, (kind, mode, mtime_ns, content, first) in found.items()
    }


@pytest.mark.parametrize("replace", [False, True])
@pytest.mark.parametrize("trusted", [False, True])
def test_all_that_is_kept(tmp_path: Path, arena: Path, snapshot: TakeSnapshot, trusted: bool, replace: bool) -> None:
    source = tmp_path / "source"
    (source / "empty").mkdir(parents=True)
    (source / "a/b/c").mkdir(parents=True)
    (source / "a/file").write_bytes(b"content")
    (source / "a/nothing").touch()
    (source / "large").write_bytes(os.urandom(DATA_SIZE * 2 + 17))
    with (source / "sparse").open("wb") as file:
        file.truncate(DATA_SIZE + 1)
    for mode in (0o400, 0o444, 0o600, 0o666, 0o755, 0o777):
        (source / f"mode{mode:o}").write_bytes(b"x")
        (source / f"mode{mode:o}").chmod(mode)
    (source / "a/b/dangling").symlink_to("nowhere")
    (source / "a/b/relative").symlink_to("../../large")
    os.link(source / "large", source / "a/another name")
    os.link(source / "mode400", source / "zz")
    for number, name in enumerate((b"\xff\xfe", b"new\nline", b" ", b"-rf", b"n" * 255, b"\x1b[31m")):
        path = os.path.join(os.fsencode(source), name)
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY))
        os.utime(path, ns=(0, (-1_000_000_001, -1, 0, 1, 1_234_567_890_123_456_789, 4_102_444_800_999_999_999)[number]))
    (source / "a/b").chmod(0o555 if trusted else 0o755)
    (source / "a").chmod(0o700)
    os.utime(source / "a/b", ns=(0, 987_654_321))
    os.utime(source / "a", ns=(0, -5))
    os.utime(source / "a/b/dangling", ns=(0, 77), follow_symlinks=False)
    unpack(pack(source), arena, trusted=trusted, replace=replace)
    assert snapshot(arena) == (snapshot(source) if trusted else private(snapshot(source)))


def test_special_bits_and_absolute_links_are_kept_for_the_trusted(
    tmp_path: Path, arena: Path, snapshot: TakeSnapshot
) -> None:
    (tmp_path / "program").write_bytes(b"x")
    (tmp_path / "program").chmod(0o6755)
    (tmp_path / "directory").mkdir()
    (tmp_path / "directory").chmod(0o3770)
    (tmp_path / "absolute").symlink_to("/etc/passwd")
    (tmp_path / "up").symlink_to("../../x")
    unpack(pack(tmp_path), arena)
    assert snapshot(arena) == snapshot(tmp_path)


@pytest.mark.parametrize("umask", [0o000, 0o027, 0o077, 0o777])
def test_the_umask_does_not_matter(tmp_path: Path, arena: Path, snapshot: TakeSnapshot, umask: int) -> None:
    for mode in (0o777, 0o640, 0o604, 0o402):
        (tmp_path / f"{mode:o}").touch()
        (tmp_path / f"{mode:o}").chmod(mode)
    before = os.umask(umask)
    try:
        unpack(pack(tmp_path), arena)
    finally:
        os.umask(before)
    assert snapshot(arena) == snapshot(tmp_path)


def test_the_deepest_tree_and_the_longest_path(tmp_path: Path, arena: Path) -> None:
    deepest = tmp_path.joinpath(*["d"] * (MAX_DEPTH - 1))
    deepest.mkdir(parents=True)
    (deepest / "file").write_text("x")
    records = list(pack(tmp_path))
    unpack(records, arena)
    assert list(pack(arena))[1:] == records[1:]

    long = [b"/".join([b"n" * 240] * depth) for depth in range(1, 18)]
    long[-1] = long[-1][:4096].ljust(4096, b"m")
    records = [FileEntry(path, FileType.DIRECTORY, 0o700, 5) for path in (b"", *long)]
    unpack([*records, TreeEnd(18, 0)], arena, replace=True)
    assert [record for record in pack(arena) if isinstance(record, FileEntry)][-17:] == records[1:]


def test_the_roots_own_mode_and_time_are_not_applied(tmp_path: Path, arena: Path) -> None:
    tmp_path.chmod(0o777)
    os.utime(tmp_path, ns=(0, 5))
    unpack(pack(tmp_path), arena)  # the arena checks the mode
    assert arena.stat().st_mtime_ns != 5


MODES = st.integers(0, 0o777)
TIMES = st.integers(-(10**18), 5 * 10**18)
NAMES = st.binary(min_size=1, max_size=6).filter(lambda name: not {0, 47} & set(name) and name not in {b".", b".."})
File = tuple[bytes, int, int]
Node = File | bytes | dict[bytes, "Node"]
"""A file's content, mode and time; a symlink's target; or a directory."""
TREES: st.SearchStrategy[dict[bytes, Node]] = st.recursive(
    st.dictionaries(NAMES, st.one_of(st.tuples(st.binary(max_size=30), MODES, TIMES), NAMES), max_size=4),
    lambda below: st.dictionaries(NAMES, below, max_size=4),
    max_leaves=6,
)


def grow(directory: bytes, tree: dict[bytes, Node]) -> None:
    for name, node in tree.items():
        path = os.path.join(directory, name)
        if isinstance(node, dict):
            os.mkdir(path)
            grow(path, node)
        elif isinstance(node, bytes):
            os.symlink(node, path)
        else:
            content, mode, time = node
            fd = os.open(path, os.O_CREAT | os.O_WRONLY)
            os.write(fd, content)
            os.fchmod(fd, mode | 0o400)
            os.utime(fd, ns=(time, time))
            os.close(fd)


@given(tree=TREES, trusted=st.booleans())
def test_any_tree(
    make_arena: Callable[[], AbstractContextManager[Path]],
    snapshot: TakeSnapshot,
    tree: dict[bytes, Node],
    trusted: bool,
) -> None:
    with make_arena() as source, make_arena() as target:
        grow(os.fsencode(source), tree)
        unpack(pack(source), target, trusted=trusted)
        assert snapshot(target) == (snapshot(source) if trusted else private(snapshot(source)))
