"""The table of a zip is the one that zipfile finds, entry for entry."""

from __future__ import annotations

import io
import struct
import tempfile
import zipfile
import zlib
from typing import IO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playstream.pipeline.runner_dialect.zip_table import BadZip, ZipEntry, find_table, read_entries
from tests.pipeline.protocol.strategies import mutations
from tests.pipeline.runner_dialect.wire import archive, entry

_ZIPFILE_REFUSES = (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error, EOFError, OverflowError)


def _file(data: bytes) -> IO[bytes]:
    file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by its collector
    file.write(data)
    return file


def _ours(data: bytes) -> list[ZipEntry] | None:
    with _file(data) as file:
        try:
            return list(read_entries(file, find_table(file)))
        except BadZip:
            return None


def _theirs(data: bytes) -> list[tuple[bytes, int, int, int, int, int, int, int]] | None:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            return [
                (
                    info.orig_filename.encode("utf-8" if info.flag_bits & 0x800 else "cp437"),
                    info.external_attr >> 16,
                    info.flag_bits,
                    info.compress_type,
                    info.CRC,
                    info.compress_size,
                    info.file_size,
                    info.header_offset,
                )
                for info in packed.infolist()
            ]
    except _ZIPFILE_REFUSES:
        return None


def _check_same(data: bytes) -> None:
    """What is taken here is what zipfile takes.

    Less may be taken: zipfile lets entries run out of their table, and its releases differ.
    """
    ours = _ours(data)
    if ours is not None:
        assert [(*item[:4], *item[5:]) for item in ours] == _theirs(data)


def _end(size: int, position: int, comment: bytes = b"") -> bytes:
    return struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, size, position, len(comment)) + comment


def _end_64(size: int, position: int, *, place: int | None = None, disks: int = 1, room: int = 44) -> bytes:
    """The record of 64 bits and its locator, which says that it follows the table unless `place` says otherwise."""
    place = min(size + position, (1 << 64) - 1) if place is None else place
    return struct.pack("<4sQ2H2L4Q", b"PK\6\6", room, 45, 45, 0, 0, 1, 1, size, position) + struct.pack(
        "<4sLQL", b"PK\6\7", 0, place, disks
    )


def _parts() -> tuple[bytes, bytes, bytes]:
    """Content, table and end record of an archive with one file."""
    packed = archive((entry("the-file"), b"content"))
    table, end = packed.index(b"PK\1\2"), packed.index(b"PK\5\6")
    return packed[:table], packed[table:end], packed[end:]


_CONTENT, _TABLE, _LAST = _parts()
_ZIPS = {
    "plain": _CONTENT + _TABLE + _LAST,
    "with a comment": _CONTENT + _TABLE + _end(len(_TABLE), len(_CONTENT), b"a comment"),
    "with a comment that ends in zeros": _CONTENT + _TABLE + _end(len(_TABLE), len(_CONTENT), bytes(30)),
    "something before it": b"#!/bin/sh\n" + _CONTENT + _TABLE + _LAST,
    "64 bits": _CONTENT + _TABLE + _end_64(len(_TABLE), len(_CONTENT)) + _end(0xFFFFFFFF, 0xFFFFFFFF),
    "64 bits count although 32 say otherwise": _CONTENT + _TABLE + _end_64(len(_TABLE), len(_CONTENT)) + _end(100, 7),
    "64 bits say less": _CONTENT + 2 * _TABLE + _end_64(len(_TABLE), len(_CONTENT)) + _end(2 * len(_TABLE), 0),
    "64 bits, something before it": b"#!/bin/sh\n"
    + _CONTENT
    + _TABLE
    + _end_64(len(_TABLE), len(_CONTENT))
    + _end(1, 7),
    "two end records": _CONTENT + _TABLE + _LAST + _end(0, 0),
    "an end record in the comment": _CONTENT + _TABLE + _end(len(_TABLE), len(_CONTENT), b"PK\5\6" + bytes(40)),
    "no entries": _end(0, 0),
}
"""Archives that zipfile takes."""
_NONE = {
    "a place without a record": _CONTENT + _TABLE + _end_64(0, 0)[-20:] + _end(len(_TABLE), len(_CONTENT)),
    "of several parts": _CONTENT + _TABLE + _end_64(len(_TABLE), len(_CONTENT), disks=2) + _end(100, 7),
    "a table before the archive": _TABLE + _end(len(_TABLE) + 1, 0),
    "a table of 64 bits before the archive": _CONTENT + _TABLE + _end_64(1 << 62, 0) + _end(1, 0),
    "cut in its last record": (_CONTENT + _TABLE + _LAST)[:-1],
    "nothing": b"",
    "no record": b"PK" * 100,
}


_OTHERWISE = {
    "the record of 64 bits is said to be elsewhere": _CONTENT
    + _TABLE
    + _end_64(len(_TABLE), len(_CONTENT), place=0)
    + _end(100, 7),
    "the record of 64 bits is said to be behind itself": _CONTENT
    + _TABLE
    + _end_64(len(_TABLE), len(_CONTENT) + 1)
    + _end(100, 7),
    "the record of 64 bits says that it is longer": _CONTENT
    + _TABLE
    + _end_64(len(_TABLE), len(_CONTENT), room=45)
    + _end(100, 7),
    "the place of a record of 64 bits, without the record": _CONTENT
    + _TABLE[:32]
    + struct.pack("<H", 20)
    + _TABLE[34:]
    + _end_64(0, 0)[-20:]
    + _end(len(_TABLE) + 20, len(_CONTENT)),
    "two records of 64 bits": _CONTENT
    + _TABLE
    + _end_64(len(_TABLE), len(_CONTENT), room=44 + 56)[:56]
    + _end_64(len(_TABLE), len(_CONTENT))
    + _end(100, 7),
}
"""Archives that some releases of zipfile take."""


@pytest.mark.parametrize("name", [name for name in _ZIPS if name != "an end record in the comment"])
def test_the_end_record_that_counts_is_zipfiles(name: str) -> None:
    ours, theirs = _ours(_ZIPS[name]), _theirs(_ZIPS[name])
    assert ours is not None
    assert [(*item[:4], *item[5:]) for item in ours] == theirs


@pytest.mark.parametrize("name", _NONE)
def test_what_is_none(name: str) -> None:
    assert _ours(_NONE[name]) is None
    assert _theirs(_NONE[name]) is None


@pytest.mark.parametrize("name", _OTHERWISE)
def test_what_releases_of_python_read_otherwise_is_none(name: str) -> None:
    assert _ours(_OTHERWISE[name]) is None


@given(st.sampled_from(sorted([*_ZIPS.values(), *_OTHERWISE.values()])).flatmap(mutations))
def test_what_is_taken_is_what_zipfile_takes(data: bytes) -> None:
    _check_same(data)


_SIZES = st.sampled_from([0, 1, len(_TABLE), 2 * len(_TABLE), 1 << 31, 0xFFFFFFFF]) | st.integers(0, 200)
_WIDE = _SIZES | st.sampled_from([1 << 32, 1 << 62, (1 << 64) - 1])


@given(
    st.sampled_from([_TABLE, 2 * _TABLE, b"", _TABLE + b"x", b"x" + _TABLE]),
    _SIZES,
    _SIZES,
    st.none() | st.tuples(_WIDE, _WIDE, st.none() | _WIDE, st.integers(0, 2)),
    st.sampled_from([b"", b"a comment", bytes(30)]),
)
def test_end_records_that_disagree(
    table: bytes, size: int, position: int, wide: tuple[int, int, int | None, int] | None, comment: bytes
) -> None:
    """Of the table's size and place, in the ordinary record and that of 64 bits, any two may be told."""
    records = b""
    if wide is not None:
        records = _end_64(wide[0], wide[1], place=wide[2], disks=wide[3])
    _check_same(_CONTENT + table + records + _end(size, position, comment))


def test_numbers_of_64_bits() -> None:
    """Only those of which 32 bits say that they stand there."""
    extra = struct.pack("<HHQQ", 1, 16, 5, 0)
    at = _TABLE.index(b"the-file") + len(b"the-file")
    table = bytearray(_TABLE[:at] + extra + _TABLE[at:])
    struct.pack_into("<L", table, 24, 0xFFFFFFFF)
    struct.pack_into("<H", table, 30, len(extra))
    struct.pack_into("<L", table, 42, 0xFFFFFFFF)
    data = _CONTENT + bytes(table) + _end(len(table), len(_CONTENT))
    ours = _ours(data)
    assert ours is not None
    assert ours[0].size == 5
    _check_same(data)


def _named_again(second: bytes, *, crc: int = zlib.crc32(b"the-file")) -> bytes:
    """An archive whose entry has one more name."""
    value = struct.pack("<BL", 1, crc) + second
    extra = struct.pack("<HH", 0x7075, len(value)) + value
    at = _TABLE.index(b"the-file") + len(b"the-file")
    table = bytearray(_TABLE[:at] + extra + _TABLE[at:])
    struct.pack_into("<H", table, 30, len(extra))
    return _CONTENT + bytes(table) + _end(len(table), len(_CONTENT))


@pytest.mark.parametrize(
    "data",
    [
        _named_again(b"the-file"),
        _named_again(b"other", crc=0),
    ],
    ids=["the same", "not of this name"],
)
def test_a_second_name_that_changes_nothing(data: bytes) -> None:
    ours = _ours(data)
    assert ours is not None
    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        assert packed.namelist() == [item.name.decode() for item in ours] == ["the-file"]


@pytest.mark.parametrize("second", [b"other", b"the-file\0", b"\xff"])
def test_a_second_name_is_refused(second: bytes) -> None:
    """To zipfile it is the name since Python 3.13, and nothing before."""
    assert _ours(_named_again(second)) is None
