"""Streams that no honest sender produces: refused with the right error, and nothing outside the target is touched."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from itertools import chain, product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playstream.pipeline.errors import PlaystreamError, RemoteProtocolError, UnsafePath
from playstream.pipeline.protocol.records import FileData, FileEntry, FileType, TreeEnd
from playstream.pipeline.tree.paths import check_target_stays
from playstream.pipeline.tree.unpack import Unpacker

MakeArena = Callable[[], AbstractContextManager[Path]]
Part = FileEntry | FileData | TreeEnd


def directory(path: bytes) -> FileEntry:
    return FileEntry(path, FileType.DIRECTORY, 0o755, 0)


def file(path: bytes, size: int = 0, link: int = 0) -> FileEntry:
    return FileEntry(path, FileType.FILE, 0o644, 0, size, link)


def symlink(path: bytes, target: bytes) -> FileEntry:
    return FileEntry(path, FileType.SYMLINK, 0o777, 0, target=target)


def hard_link(path: bytes, link: int) -> FileEntry:
    return FileEntry(path, FileType.HARDLINK, 0o644, 0, 0, link)


ROOT = directory(b"")
GUARDED = b"../guarded"

REFUSED: dict[str, tuple[type[PlaystreamError], list[Part]]] = {
    "absolute": (UnsafePath, [ROOT, file(b"/tmp/x")]),
    "absolute at the root": (UnsafePath, [ROOT, file(b"/x")]),
    "up": (UnsafePath, [ROOT, file(b"../guarded/secret")]),
    "up, as a name": (UnsafePath, [ROOT, directory(b"..")]),
    "up, as a file": (UnsafePath, [ROOT, file(b"..")]),
    "up from a directory": (UnsafePath, [ROOT, directory(b"d"), file(b"d/../../guarded/secret")]),
    "up in a directory": (UnsafePath, [ROOT, directory(b"d"), directory(b"d/..")]),
    "dot": (UnsafePath, [ROOT, directory(b".")]),
    "empty component": (UnsafePath, [ROOT, directory(b"d"), file(b"d//x")]),
    "trailing slash": (UnsafePath, [ROOT, directory(b"d/")]),
    "empty name in a directory": (UnsafePath, [ROOT, directory(b"d"), file(b"d/")]),
    "NUL": (UnsafePath, [ROOT, file(b"a\0b")]),
    "NUL in a directory": (UnsafePath, [ROOT, directory(b"d"), file(b"d/a\0b")]),
    "long name": (UnsafePath, [ROOT, file(b"n" * 256)]),
    "long path": (UnsafePath, [ROOT, file(b"d/" * 2500 + b"x")]),
    "256 deep": (UnsafePath, [ROOT, *(directory(b"/".join([b"d"] * depth)) for depth in range(1, 257))]),
    "1001 deep": (UnsafePath, [ROOT, file(b"d/" * 1000 + b"x")]),
    "NUL in a target": (UnsafePath, [ROOT, symlink(b"l", b"a\0b")]),
    "empty target": (UnsafePath, [ROOT, symlink(b"l", b"")]),
    "through a link": (RemoteProtocolError, [ROOT, symlink(b"l", b"d"), file(b"l/secret")]),
    "directory replaced by a link": (
        RemoteProtocolError,
        [ROOT, directory(b"d"), symlink(b"d", b"x")],
    ),
    "link replaced by a directory": (RemoteProtocolError, [ROOT, symlink(b"l", b"d"), directory(b"l")]),
    "file through a link": (RemoteProtocolError, [ROOT, symlink(b"l", b"d"), file(b"l")]),
    "file as a directory": (RemoteProtocolError, [ROOT, file(b"f"), file(b"f/x")]),
    "two files": (RemoteProtocolError, [ROOT, file(b"f"), file(b"f")]),
    "two directories": (RemoteProtocolError, [ROOT, directory(b"d"), directory(b"d")]),
    "two roots": (RemoteProtocolError, [ROOT, ROOT]),
    "two roots, the second a file": (RemoteProtocolError, [ROOT, file(b"")]),
    "no root": (RemoteProtocolError, [file(b"f")]),
    "root is a file": (RemoteProtocolError, [file(b"", 5)]),
    "root is a link": (RemoteProtocolError, [symlink(b"", GUARDED)]),
    "no directory": (RemoteProtocolError, [ROOT, file(b"d/f")]),
    "directory left": (RemoteProtocolError, [ROOT, directory(b"d"), directory(b"e"), file(b"d/f")]),
    "unknown hard link": (RemoteProtocolError, [ROOT, hard_link(b"h", 1)]),
    "hard link to number 0": (RemoteProtocolError, [ROOT, file(b"f"), hard_link(b"h", 0)]),
    "hard link to itself": (RemoteProtocolError, [ROOT, file(b"f", link=1), hard_link(b"f", 1)]),
    "link number twice": (RemoteProtocolError, [ROOT, file(b"f", link=1), file(b"g", link=1)]),
    "hard link out": (UnsafePath, [ROOT, file(b"f", link=1), hard_link(b"../guarded/new", 1)]),
    "too much data": (RemoteProtocolError, [ROOT, file(b"f", 3), FileData(b"1234")]),
    "more data": (RemoteProtocolError, [ROOT, file(b"f", 3), FileData(b"123"), FileData(b"4")]),
    "data for nothing": (RemoteProtocolError, [FileData(b"x")]),
    "data for an empty file": (RemoteProtocolError, [ROOT, file(b"f"), FileData(b"x")]),
    "data for a directory": (RemoteProtocolError, [ROOT, FileData(b"")]),
    "too little data": (RemoteProtocolError, [ROOT, file(b"f", 3), FileData(b"12"), file(b"g")]),
    "end in a file": (RemoteProtocolError, [ROOT, file(b"f", 3), FileData(b"12"), TreeEnd(2, 3)]),
    "negative size": (RemoteProtocolError, [ROOT, file(b"f", -1)]),
    "impossible time": (RemoteProtocolError, [ROOT, FileEntry(b"f", FileType.FILE, 0o644, 2**200)]),
    "end without a root": (RemoteProtocolError, [TreeEnd(0, 0)]),
    "wrong number of entries": (RemoteProtocolError, [ROOT, file(b"f"), TreeEnd(1, 0)]),
    "wrong size": (RemoteProtocolError, [ROOT, TreeEnd(1, 1)]),
    "two ends": (RemoteProtocolError, [ROOT, TreeEnd(1, 0), TreeEnd(1, 0)]),
    "entry after the end": (RemoteProtocolError, [ROOT, TreeEnd(1, 0), file(b"f")]),
    "data after the end": (RemoteProtocolError, [ROOT, TreeEnd(1, 0), FileData(b"x")]),
}


def receive(unpacker: Unpacker, *parts: Part) -> None:
    for part in parts:
        unpacker.receive(part)


@pytest.mark.parametrize("trusted", [False, True], ids=["untrusted", "trusted"])
@pytest.mark.parametrize(("error", "parts"), REFUSED.values(), ids=REFUSED)
def test_refused(arena: Path, error: type[PlaystreamError], parts: list[Part], trusted: bool) -> None:
    with Unpacker(arena, trusted=trusted) as unpacker:
        receive(unpacker, *parts[:-1])
        with pytest.raises(error) as caught:
            unpacker.receive(parts[-1])
    assert type(caught.value) is error
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("target", [b"/etc/passwd", GUARDED, b"../../guarded", b"d/../../guarded", b"d/../x"])
def test_links_out_of_the_tree(arena: Path, target: bytes) -> None:
    with Unpacker(arena, trusted=False) as unpacker:
        unpacker.receive(ROOT)
        with pytest.raises(UnsafePath):
            unpacker.receive(symlink(b"l", target))
    assert not os.listdir(arena)


@pytest.mark.parametrize("link", [b"l", b"f"])
def test_nothing_is_written_through_a_link_of_the_trusted(arena: Path, link: bytes) -> None:
    with Unpacker(arena, trusted=True, replace=True) as unpacker:
        receive(unpacker, ROOT, symlink(link, GUARDED + b"/secret"), file(link, 3), FileData(b"new"))
    assert (arena / os.fsdecode(link)).read_bytes() == b"new"


def test_a_link_gets_no_second_name(arena: Path) -> None:
    """One that stays in the tree where it is would leave it from a directory further up."""
    parts: list[Part] = [
        ROOT,
        directory(b"d"),
        file(b"d/f", link=1),
        symlink(b"d/f", b"../x"),
        hard_link(b"h", 1),
    ]
    with Unpacker(arena, trusted=False, replace=True) as unpacker, pytest.raises(RemoteProtocolError, match="replaced"):
        receive(unpacker, *parts)
    assert os.listdir(arena) == ["d"]


NAMES = st.sampled_from([b"a", b"b", b"l", b"..", b".", b"", b"a\0", b"n" * 256, b"\xff\n"])
PATHS = st.lists(NAMES, max_size=4).map(b"/".join) | st.sampled_from([b"a", b"a/a", b"a/b", b"a/a/a", b"l", b"a/l"])
TARGETS = st.lists(st.sampled_from([b"a", b"l", b"..", b".", b"", b"guarded"]), max_size=5).map(b"/".join)
DATA = st.binary(max_size=4)
ENTRIES = st.builds(
    FileEntry,
    PATHS,
    st.sampled_from(FileType),
    st.sampled_from([0o700, 0o755, 0o7777, 2**40 | 0o700]),
    st.integers(-(2**70), 2**70) | st.just(0),
    st.integers(-1, 3) | st.just(0),
    st.integers(0, 3),
    TARGETS,
)


def alone(part: Part) -> list[Part]:
    return [part]


def full_file(path: bytes, data: bytes, link: int) -> list[Part]:
    return [file(path, len(data), link), FileData(data)]


COUNTS = st.integers(0, 9)
GROUPS: st.SearchStrategy[list[Part]] = st.one_of(
    ENTRIES.map(alone),
    st.builds(full_file, PATHS, DATA, st.integers(0, 3)),
    st.builds(FileData, DATA).map(alone),
    st.builds(TreeEnd, COUNTS, COUNTS).map(alone),
)
PARTS = st.lists(GROUPS, max_size=12).map(lambda groups: list(chain.from_iterable(groups)))


def leads_out(target: Path, link: str) -> bool:
    """True if the kernel resolves the link to something outside the target."""
    try:
        fd = os.open(link, os.O_PATH)
    except OSError:
        return False
    try:
        real = os.readlink(f"/proc/self/fd/{fd}")
    finally:
        os.close(fd)
    return not f"{real}/".startswith(f"{target.resolve()}/")


def links_out(target: Path) -> list[str]:
    """The symlinks below the target that lead out of it."""
    walked = [os.path.join(below, name) for below, names, files in os.walk(target) for name in names + files]
    return [path for path in walked if leads_out(target, path)]


@given(parts=PARTS, trusted=st.booleans(), replace=st.booleans(), occupied=st.booleans())
def test_any_records(make_arena: MakeArena, parts: list[Part], trusted: bool, replace: bool, occupied: bool) -> None:
    with make_arena() as target:
        if occupied:
            (target / "a").mkdir()
            (target / "a/b").symlink_to("../../guarded")
            (target / "l").symlink_to("../guarded/secret")
        with Unpacker(target, trusted=trusted, replace=replace) as unpacker:
            try:
                receive(unpacker, ROOT, *parts)
            except (UnsafePath, RemoteProtocolError):
                assert not unpacker.complete
        assert trusted or occupied or not links_out(target)


@given(parts=PARTS)
def test_any_beginning(make_arena: MakeArena, parts: list[Part]) -> None:
    with make_arena() as target, Unpacker(target, trusted=False) as unpacker:
        try:
            receive(unpacker, *parts)
        except (UnsafePath, RemoteProtocolError):
            assert not unpacker.complete


def test_links_that_pass_never_lead_out(arena: Path) -> None:
    """Every target of up to four components, from every directory, also through links that lead up and down."""
    words = (b"..", b"a", b"up", b"down")
    targets = [b"/".join(target) for length in range(1, 5) for target in product(words, repeat=length)]
    parts: list[Part] = []
    for parent in (b"", b"a", b"a/a"):
        prefix = parent + b"/" if parent else b""
        parts += [
            directory(parent),
            symlink(prefix + b"up", b".." if parent else b"."),
            symlink(prefix + b"down", b"a"),
        ]
        for number, target in enumerate(targets):
            with suppress(UnsafePath):
                check_target_stays(prefix + b"%d" % number, target)
                parts.append(symlink(prefix + b"%d" % number, target))
    with Unpacker(arena, trusted=False) as unpacker:
        receive(unpacker, *parts, TreeEnd(len(parts), 0))
        assert unpacker.complete
    assert len(parts) > 300
    assert links_out(arena) == []
