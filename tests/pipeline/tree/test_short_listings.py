"""The short form of a listing stands for the listing, and whatever else arrives is refused."""

from __future__ import annotations

import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from playstream.pipeline.errors import RemoteProtocolError
from playstream.pipeline.protocol import FileEntry, FileType
from playstream.pipeline.tree.digests import digest
from playstream.pipeline.tree.listings import Hashed, ListingWriter
from playstream.pipeline.tree.short_listings import expand, shorten

ALGORITHM = "blake2b"
HASHES = [digest(b"%d" % number, ALGORITHM) for number in range(300)]

FILES = st.tuples(
    st.sampled_from([FileType.FILE, FileType.FILE, FileType.DIRECTORY, FileType.SYMLINK]),
    st.integers(0, 299),
    st.integers(0, 0o7777),
    st.integers(-(2**63), 2**63 - 1),
)
LISTED = st.lists(FILES, max_size=40)


def listing(files: list[tuple[FileType, int, int, int]]) -> bytes:
    """Return the listing of a directory with such entries; the number is that of its content."""
    made: list[bytes] = []
    writer = ListingWriter(ALGORITHM, lambda _name, data: made.append(data))
    writer.enter(FileEntry(b"", FileType.DIRECTORY, 0o755, 0))
    for place, (kind, number, mode, mtime_ns) in enumerate(files):
        path = b"name-%d" % place
        size = number if kind is FileType.FILE else 0
        target = b"there" if kind is FileType.SYMLINK else b""
        writer.enter(FileEntry(path, kind, mode, mtime_ns, size, target=target))
        if size:
            writer.content(Hashed(HASHES[number]))
    writer.finish()
    return made[-1]


@given(LISTED, st.lists(st.integers(0, 299), unique=True))
def test_it_stands_for_the_listing(files: list[tuple[FileType, int, int, int]], known: list[int]) -> None:
    data = listing(files)
    contents = [HASHES[number] for number in known]
    short = shorten(data, {name: number for number, name in enumerate(contents)})
    assert expand(short, contents) == data
    assert len(short) <= len(data) + 4 + len(files)


@pytest.mark.parametrize("first", [b"B", b"G"])
def test_blocks_have_no_short_form(first: bytes) -> None:
    assert shorten(first + HASHES[0], {HASHES[0]: 0}) == first + HASHES[0]


@given(st.binary(max_size=200), st.integers(0, 300))
@example(b"S\xff\xff\xff\xff", 0)
@example(b"S" + bytes(4) + bytes(32), 0)
def test_whatever_arrives(data: bytes, count: int) -> None:
    for received in (data, b"S" + data):
        try:
            expand(received, HASHES[:count])
        except RemoteProtocolError:
            pass


@given(LISTED, st.data())
def test_whatever_arrives_in_place_of_one(files: list[tuple[FileType, int, int, int]], data: st.DataObject) -> None:
    short = bytearray(shorten(listing(files), {name: number for number, name in enumerate(HASHES[:100])}))
    for _ in range(data.draw(st.integers(1, 3))):
        short[data.draw(st.integers(0, len(short) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(short[: data.draw(st.integers(0, len(short)))])
    for received in (bytes(short), cut):
        try:
            found = expand(received, HASHES[:100])
        except RemoteProtocolError:
            continue
        assert len(found) <= 3 * len(received)


ENTRY = listing([(FileType.FILE, 7, 0o644, 0)])[1:-32]


@pytest.mark.parametrize(
    ("rest", "message"),
    [
        (b"", "a reference does not end"),
        (b"\x80" * 9, "a reference does not end"),
        (b"\x80" * 9 + b"\x01", "a reference does not end"),
        (b"\x02", "no content -1"),
        (b"\x15", "no content 10"),
        (b"\xff" * 8 + b"\x7f", "no content"),
        (b"\x00", "expected 1 hashes"),
        (b"\x00" + bytes(31), "expected 1 hashes"),
        (b"\x01" + bytes(32), "expected 0 hashes"),
    ],
)
def test_references_that_are_refused(rest: bytes, message: str) -> None:
    with pytest.raises(RemoteProtocolError, match=message):
        expand(b"S" + struct.pack("<I", len(ENTRY)) + ENTRY + rest, HASHES[:10])
