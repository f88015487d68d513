"""Archives: whole trees there and back, those that ansible-runner makes, and hostile ones."""

from __future__ import annotations

import os
import stat
import struct
import tempfile
import zipfile
import zlib
from pathlib import Path

import pytest

from playstream.pipeline.errors import (
    ConfigurationError,
    LimitExceeded,
    PlaystreamError,
    RemoteProtocolError,
    UnsafePath,
)
from playstream.pipeline.protocol import (
    FileData,
    FileEntry,
    FileType,
    Heartbeat,
    Job,
    Record,
    Status,
    StatusName,
    TreeEnd,
)
from playstream.pipeline.protocol.order import Direction
from playstream.pipeline.runner_dialect import archive_reader, archive_writer
from playstream.pipeline.runner_dialect.receiver import RunnerReceiver
from playstream.pipeline.tree.pack import pack
from playstream.pipeline.tree.unpack import Unpacker
from tests.pipeline.protocol.wire import Taken
from tests.pipeline.runner_dialect.wire import END, archive, carry, drain, encode, entry, line, take
from tests.pipeline.tree.conftest import open_arena, take_snapshot

NOW = "2026-11-21T10:00:00+00:00"
STARTING = Status(StatusName.STARTING, NOW, command=("ansible",), env={}, cwd="/")
SUCCESSFUL = Status(StatusName.SUCCESSFUL, NOW, rc=0)


def _make_tree(root: Path) -> None:
    (root / "empty").mkdir(parents=True, mode=0o750)
    (root / "deep" / "er").mkdir(parents=True)
    (root / "deep.txt").write_text("sorts between deep and deep/")
    (root / "deep" / "er" / "ünï côde").write_bytes(os.urandom(700_000))
    (root / "run.sh").write_text("#!/bin/sh\n")
    (root / "run.sh").chmod(0o755)
    (root / "none").touch()
    os.link(root / "run.sh", root / "same.sh")
    os.link(root / "deep" / "er" / "ünï côde", root / "other")
    (root / "link").symlink_to("deep/er")
    (root / "dangling").symlink_to("/nowhere/ü")
    os.utime(root / "none", (1_000_000_001, 1_000_000_001))
    os.utime(root / "empty", (1_000_000_003, 1_000_000_003))


def _unpack(records: list[Record], target: Path, *, trusted: bool) -> None:
    with Unpacker(target, trusted=trusted) as unpacker:
        for record in records:
            if isinstance(record, (FileEntry, FileData, TreeEnd)):
                unpacker.receive(record)
        assert unpacker.complete


def test_a_tree_there_and_back(tmp_path: Path) -> None:
    source = tmp_path / "source"
    _make_tree(source)
    taken = take(encode([Job("1", tree=True, playbook="x"), *pack(source)], Direction.JOB), Direction.JOB, [65_536])
    assert taken.error is None
    with open_arena() as target:
        _unpack(taken.records, target, trusted=True)
        sent, got = take_snapshot(source), take_snapshot(target)
        assert sent.keys() == got.keys()
        for path, (kind, mode, mtime, content, _first) in sent.items():
            assert isinstance(mtime, int)
            assert got[path][:4] == (kind, mode, mtime // 10**9 * 10**9, content), path


def test_an_inventory_that_is_no_file_joins_the_tree(tmp_path: Path) -> None:
    job = Job("1", tree=True, playbook="x", inventory=("inventory/a", "h1,h2"), inventory_contents=("[all]\nü",))
    taken = take(encode([job, *pack(tmp_path)], Direction.JOB), Direction.JOB)
    made = next(item for item in taken.records if isinstance(item, Job))
    assert made.extravars["inventory"] == []
    assert made.extravars["cmdline"] == "-i ../inventory/a -i h1,h2 -i ../.playstream/inventory-1"
    assert b"".join(item.data for item in taken.records if isinstance(item, FileData)) == "[all]\nü".encode()


def test_a_name_that_is_not_utf8_is_refused_with_advice(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff")).touch()
    with pytest.raises(ConfigurationError, match=r"\\udcff.* is not valid UTF-8.*--exclude"):
        encode([Job("1", tree=True, playbook="x"), *pack(tmp_path)], Direction.JOB)


def test_artifacts_whose_names_are_not_utf8_are_left_out(tmp_path: Path) -> None:
    bad = Path(os.fsdecode(os.fsencode(tmp_path) + b"/a\xff"))
    (bad / "below").mkdir(parents=True)
    (bad / "below" / "file").write_text("x")
    (bad / "first").write_text("of two names")
    os.link(bad / "first", tmp_path / "second")
    os.link(bad / "first", tmp_path / "third")
    taken = take(encode([STARTING, SUCCESSFUL, *pack(tmp_path)], Direction.RESULT), Direction.RESULT)
    assert taken.error is None
    with open_arena() as target:
        _unpack(taken.records, target, trusted=False)
        assert {path.name: path.read_text() for path in target.iterdir() if path.name != "command"} == {
            "second": "of two names",
            "third": "of two names",
        }


@pytest.mark.parametrize("kind", ["file", "link", "directory"])
def test_what_the_dialect_adds_stands_above_the_tree(tmp_path: Path, kind: str) -> None:
    """A job may leave a `command` of its own, and a directory that was sent once has `.playstream`."""
    job = Job("1", tree=True, playbook="x", inventory=("h1,h2",), inventory_contents=("[all]",))
    ways: list[tuple[Direction, str, list[Record]]] = [
        (Direction.RESULT, "command", [STARTING, SUCCESSFUL]),
        (Direction.JOB, ".playstream/inventory-1", [job]),
    ]
    for direction, name, first in ways:
        root = tmp_path / direction.value
        place = root / name
        place.parent.mkdir(parents=True)
        if kind == "file":
            place.write_text("old")
            os.link(place, root / "z")
        elif kind == "link":
            place.symlink_to("z")
        else:
            (place / "below").mkdir(parents=True)
        taken = take(encode([*first, *pack(root)], direction), direction)
        assert taken.error is None
        with open_arena() as target:
            _unpack(taken.records, target, trusted=True)
            assert not (target / name).is_symlink()
            assert (target / name).read_text() != "old"
            assert (target / "z").exists() is (kind == "file")


def test_what_ansible_runner_writes() -> None:
    """Symlinks at the top are `./name`, directories follow files, and there is no entry for some directories."""
    link = entry("./link", 0xA000 | 0o777)
    zipped = archive(
        (link, b"b/c"), (entry("z/y/x"), b"1"), (entry("b/", stat.S_IFDIR | 0o750), b""), (entry("b/c"), b"2")
    )
    records = take(carry(zipped) + END, Direction.RESULT).records
    entries = [item for item in records if isinstance(item, FileEntry)]
    assert [(item.path, item.type) for item in entries] == [
        (b"", FileType.DIRECTORY),
        (b"b", FileType.DIRECTORY),
        (b"b/c", FileType.FILE),
        (b"link", FileType.SYMLINK),
        (b"z", FileType.DIRECTORY),
        (b"z/y", FileType.DIRECTORY),
        (b"z/y/x", FileType.FILE),
    ]
    assert entries[1].mode == 0o750
    assert entries[3].target == b"b/c"


def test_what_is_no_result_is_left_out_of_results_only() -> None:
    zipped = archive((entry("env.list"), b"SECRET=1"), (entry("job_events/1-u.json"), b"{}"), (entry("rc"), b"0"))
    for direction, wanted in (
        (Direction.RESULT, [b"", b"rc"]),
        (Direction.JOB, [b"", b"env.list", b"job_events", b"job_events/1-u.json", b"rc"]),
    ):
        records = take(line(kwargs={}) * (direction is Direction.JOB) + carry(zipped) + END, direction).records
        assert [item.path for item in records if isinstance(item, FileEntry)] == wanted


def _bzip2(name: str) -> zipfile.ZipInfo:
    info = entry(name)
    info.compress_type = zipfile.ZIP_BZIP2
    return info


def _lying(zipped: bytes, content_size: int) -> bytes:
    """A table of entries that tells another size."""
    at = zipped.rindex(b"PK\1\2")
    return zipped[: at + 24] + struct.pack("<I", content_size) + zipped[at + 28 :]


def _bloated(name: bytes, mode: int = 0o100644) -> bytes:
    """A megabyte of empty blocks of deflate, which give nothing, and one letter."""
    content = b"\0\0\0\xff\xff" * 200_000 + b"\x4b\x04\x00"
    header = (20, 0, 8, 0, 0x21, zlib.crc32(b"a"), len(content), 1, len(name))
    packed = struct.pack("<4s5H3L2H", b"PK\3\4", *header, 0) + name + content
    table = struct.pack("<4s6H3L5H2L", b"PK\1\2", 20, *header, 0, 0, 0, 0, mode << 16, 0) + name
    return packed + table + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, len(table), len(packed), 0)


@pytest.mark.parametrize(
    ("zipped", "message"),
    [
        (_bloated(b"rc"), "its 1 bytes are compressed to 1000003"),
        (_bloated(b"a", 0xA000 | 0o777), "its 1 bytes are compressed to 1000003"),
        (archive((entry("a", stat.S_IFCHR | 0o600), b"")), "neither a file, a directory nor a symlink"),
        (archive((entry("a", stat.S_IFIFO | 0o600), b"")), "neither a file"),
        (archive((_bzip2("a"), b"1")), "compressed with a method other than deflate"),
        (archive((entry("a", 0xA000 | 0o777), b"t" * 5000)), "target of 5000 bytes"),
        (_lying(archive((entry("a"), b"12345")), 4), "damaged"),
        (_lying(archive((entry("a"), b"12345")), 6_000_000), "shorter than its stated size"),
        (archive((entry("a"), b"12345"))[:-30], "not a valid zip"),
        (b"PK\5\6" + bytes(10), "not a valid zip"),
    ],
)
def test_hostile_archives(zipped: bytes, message: str) -> None:
    taken = take(line(status="successful") + carry(zipped) + END, Direction.RESULT)
    assert isinstance(taken.error, RemoteProtocolError), taken.records
    assert message in taken.message


@pytest.mark.parametrize("name", ["../a", "/a", "a/../b", "a//b", "a/./b", "x/" * 300 + "y"])
def test_names_that_are_no_paths(name: str) -> None:
    taken = take(carry(archive((entry(name), b"1"))) + END, Direction.RESULT)
    assert isinstance(taken.error, UnsafePath), taken.error


def test_names_twice_and_links_out_are_refused_when_unpacked() -> None:
    for zipped in (
        archive((entry("a"), b"1"), (entry("b"), b"1")).replace(b"b", b"a"),
        archive((entry("a", 0xA000 | 0o777), b"../../etc")),
        archive((entry("a"), b"1"), (entry("a/b"), b"1")),
    ):
        records = take(carry(zipped) + END, Direction.RESULT).records
        with open_arena() as target, pytest.raises(PlaystreamError):
            _unpack(records, target, trusted=False)


def test_entries_are_counted_before_anything_comes_of_them() -> None:
    zipped = archive(*((entry(f"{number}"), b"") for number in range(100)))
    for limit, error in ((101, None), (100, LimitExceeded)):
        receiver = RunnerReceiver(Direction.RESULT, max_entries=limit)
        taken = Taken(receiver)
        try:
            receiver.receive_data(carry(zipped) + END)
            drain(taken)
        except PlaystreamError as caught:
            taken.error = caught
        assert type(taken.error) is (error or type(None))
        assert len(taken.records) == (102 if error is None else 0)


def test_entries_over_one_another_are_refused() -> None:
    """A small archive of large content: each entry stands for the same packed bytes."""
    zipped = archive((entry("a"), bytes(1000)))
    table, end = zipped.index(b"PK\1\2"), zipped.index(b"PK\5\6")
    doubled = (
        zipped[:end] + zipped[table:end] + zipped[end : end + 12] + struct.pack("<LLH", 2 * (end - table), table, 0)
    )
    assert "overlap" in take(carry(doubled) + END, Direction.RESULT).message


def test_a_large_table_lets_others_look_in_between(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever takes the records gets one now and then, and can see whether it is time to stop."""
    monkeypatch.setattr(archive_reader, "_AT_ONCE", 10)
    zipped = archive(*((entry(f"{number:03}"), b"") for number in range(100)))
    records = take(carry(zipped) + END, Direction.RESULT).records
    assert records[:10] == [Heartbeat()] * 10
    assert len(records) == 10 + 102


def test_what_is_left_out_of_results_lets_others_look_in_between(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_reader, "_AT_ONCE", 10)
    zipped = archive(*((entry(f"job_events/{number:03}"), b"") for number in range(100)))
    records = take(carry(zipped) + END, Direction.RESULT).records
    assert records[10:21] == [FileEntry(b"", FileType.DIRECTORY, 0o700, 0), *[Heartbeat()] * 10]


def test_packed_bytes_that_give_nothing() -> None:
    """Each piece of them is a look at what else there is."""
    records = take(carry(_bloated(b"f")) + END, Direction.RESULT).records
    assert FileData(b"a") in records
    assert records.count(Heartbeat()) >= 3


def test_implied_directories_are_told_once_each() -> None:
    zipped = archive(*((entry(name), b"") for name in ("a/b/c/1", "a/b/c/2", "a/b.c/1", "a/b/1", "a/b-c/1", "ab/1")))
    paths = [item.path for item in take(carry(zipped) + END, Direction.RESULT).records if isinstance(item, FileEntry)]
    assert paths == [
        b"",
        b"a",
        b"a/b",
        b"a/b/1",
        b"a/b/c",
        b"a/b/c/1",
        b"a/b/c/2",
        b"a/b-c",
        b"a/b-c/1",
        b"a/b.c",
        b"a/b.c/1",
        b"ab",
        b"ab/1",
    ]


@pytest.mark.parametrize(
    ("start", "size", "position", "count"),
    [
        (0, 0, 0, 3),
        (0, 5, 7, 70_000),
        (5 << 30, 6 << 30, 9 << 29, 1),
        (5 << 30, 0, 0, 2),
        (0, 1 << 32, 0, 1),
    ],
)
def test_the_table_is_as_zipfile_reads_it(start: int, size: int, position: int, count: int) -> None:
    """With numbers of 64 bits where 32 have no room: the bytes before the table are a hole in the file."""
    info = zipfile.ZipInfo("ü", (2026, 11, 29, 10, 20, 30))
    info.header_offset, info.file_size, info.compress_size, info.extra = position, size, size // 2, b"UT\1\0x"
    info.external_attr, info.CRC = 0o100644 << 16, 0
    with tempfile.TemporaryFile() as file:
        file.seek(start)
        entry = archive_writer._describe_in_table(info)
        file.write(entry * count + archive_writer._end(count, len(entry) * count, start))
        with zipfile.ZipFile(file) as packed:
            found = packed.infolist()
    assert len(found) == count
    for item in found[:3]:
        assert item.filename == "ü"
        assert (item.header_offset, item.file_size, item.compress_size) == (position, size, size // 2)
        assert (item.date_time, item.external_attr) == (info.date_time, info.external_attr)
        assert item.extra.endswith(info.extra)
