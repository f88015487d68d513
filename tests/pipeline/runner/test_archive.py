"""Archives: whole trees there and back, those that ansible-runner makes, and hostile ones."""

from __future__ import annotations

import os
import stat
import struct
import zipfile
from pathlib import Path

import pytest

from playstream.pipeline.errors import ConfigurationError, PlaystreamError, RemoteProtocolError, UnsafePath
from playstream.pipeline.protocol import FileData, FileEntry, FileType, Job, Record, TreeEnd
from playstream.pipeline.protocol.order import Direction
from playstream.pipeline.runner import archive_reader
from playstream.pipeline.tree.pack import pack
from playstream.pipeline.tree.unpack import Unpacker
from tests.pipeline.runner.wire import END, archive, carry, encode, entry, line, take
from tests.pipeline.tree.conftest import open_arena, take_snapshot


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
    with pytest.raises(ConfigurationError, match=r"\\udcff.* is not UTF-8.*--exclude"):
        encode([Job("1", tree=True, playbook="x"), *pack(tmp_path)], Direction.JOB)


def test_what_ansible_runner_writes() -> None:
    """Symlinks at the top are `./name`, directories follow files, and there is no entry for some directories."""
    link = entry("./link", 0xA000 | 0o777)
    zipped = archive((link, b"b/c"), (entry("z/y/x"), b"1"), (entry("b/", stat.S_IFDIR | 0o750), b""),
                     (entry("b/c"), b"2"))
    records = take(carry(zipped) + END, Direction.RESULT).records
    entries = [item for item in records if isinstance(item, FileEntry)]
    assert [(item.path, item.type) for item in entries] == [
        (b"", FileType.DIRECTORY), (b"b", FileType.DIRECTORY), (b"b/c", FileType.FILE), (b"link", FileType.SYMLINK),
        (b"z", FileType.DIRECTORY), (b"z/y", FileType.DIRECTORY), (b"z/y/x", FileType.FILE),
    ]
    assert entries[1].mode == 0o750
    assert entries[3].target == b"b/c"


def test_what_is_no_result_is_left_out_of_results_only() -> None:
    zipped = archive((entry("env.list"), b"SECRET=1"), (entry("job_events/1-u.json"), b"{}"), (entry("rc"), b"0"))
    for direction, wanted in ((Direction.RESULT, [b"", b"rc"]), (Direction.JOB, [b"", b"env.list", b"job_events",
                                                                                 b"job_events/1-u.json", b"rc"])):
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


@pytest.mark.parametrize(
    ("zipped", "message"),
    [
        (archive((entry("a", stat.S_IFCHR | 0o600), b"")), "neither a file, a directory nor a symlink"),
        (archive((entry("a", stat.S_IFIFO | 0o600), b"")), "neither a file"),
        (archive((_bzip2("a"), b"1")), "not packed by deflate"),
        (archive((entry("a", 0xA000 | 0o777), b"t" * 5000)), "target of 5000 bytes"),
        (_lying(archive((entry("a"), b"12345")), 4), "damaged"),
        (_lying(archive((entry("a"), b"12345")), 6_000_000), "short of its size"),
        (archive((entry("a"), b"12345"))[:-30], "no zip"),
        (b"PK\5\6" + bytes(10), "no zip"),
    ],
)
def test_hostile_archives(zipped: bytes, message: str) -> None:
    taken = take(carry(zipped) + END, Direction.RESULT)
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


def test_a_table_of_entries_is_not_read_when_it_is_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    zipped = archive(*((entry(f"{number}"), b"") for number in range(100)))
    monkeypatch.setattr(archive_reader, "MAX_DIRECTORY", 1000)
    taken = take(carry(zipped) + END, Direction.RESULT)
    assert "table of entries has" in taken.message
    assert taken.records == []
