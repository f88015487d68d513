"""What packing yields, and what it does about entries that cannot be sent or change meanwhile."""

from __future__ import annotations

import importlib
import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from playstream.pipeline.errors import ConfigurationError
from playstream.pipeline.protocol.records import FileData, FileEntry, FileType, Log, LogLevel, TreeEnd
from playstream.pipeline.tree.ignore import Ignore
from playstream.pipeline.tree.pack import DATA_SIZE, pack
from playstream.pipeline.tree.paths import MAX_DEPTH
from playstream.pipeline.tree.readable import check_readable

pack_module = importlib.import_module("playstream.pipeline.tree.pack")  # "from … import pack" is its function


def entries(root: Path) -> list[FileEntry]:
    return [record for record in pack(root) if isinstance(record, FileEntry)]


def logs(records: list[FileEntry | FileData | Log | TreeEnd]) -> list[str]:
    found = [record for record in records if isinstance(record, Log)]
    assert all(record.level is LogLevel.WARNING for record in found)
    return [record.message for record in found]


def test_entries_come_depth_first_in_the_order_of_their_bytes(tmp_path: Path) -> None:
    for path in ("b/x", "b.c", "a/z/y", "a/B", "\u00e9", "\U0001f600"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("12345")
    names = [b"", b"a", b"a/B", b"a/z", b"a/z/y", b"b", b"b/x", b"b.c", "\u00e9".encode(), "\U0001f600".encode()]
    assert [entry.path for entry in entries(tmp_path)] == names
    assert list(pack(tmp_path))[-1] == TreeEnd(len(names), 6 * 5)
    assert list(pack(tmp_path)) == list(pack(tmp_path))


def test_a_very_large_directory_comes_whole_without_being_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pack_module, "SORTED_ENTRIES", 10)
    (tmp_path / "d").mkdir()
    for number in range(25):
        (tmp_path / "d" / str(number)).touch()
    (tmp_path / "d" / "below").mkdir()
    (tmp_path / "d" / "below" / "file").touch()
    found = [entry.path for entry in entries(tmp_path)]
    assert sorted(found[2:]) == sorted([*(b"d/%d" % number for number in range(25)), b"d/below", b"d/below/file"])


def test_a_file_comes_in_pieces(tmp_path: Path) -> None:
    content = os.urandom(DATA_SIZE * 2 + 1)
    (tmp_path / "file").write_bytes(content)
    records = list(pack(tmp_path))
    pieces = [record.data for record in records if isinstance(record, FileData)]
    assert [len(piece) for piece in pieces] == [DATA_SIZE, DATA_SIZE, 1]
    assert b"".join(pieces) == content


def test_hard_links_share_the_number_of_the_first(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    (tmp_path / "alone").write_text("")
    os.link(tmp_path / "a", tmp_path / "b")
    os.link(tmp_path / "a", tmp_path / "c")
    (tmp_path / "x").write_text("x")
    os.link(tmp_path / "x", tmp_path / "y")
    found = [(entry.path, entry.type, entry.link, entry.size) for entry in entries(tmp_path)[1:]]
    assert found == [
        (b"a", FileType.FILE, 1, 1),
        (b"alone", FileType.FILE, 0, 0),
        (b"b", FileType.HARDLINK, 1, 0),
        (b"c", FileType.HARDLINK, 1, 0),
        (b"x", FileType.FILE, 2, 1),
        (b"y", FileType.HARDLINK, 2, 0),
    ]


def test_a_root_that_is_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real/file").write_text("")
    (tmp_path / "root").symlink_to("real")
    assert [entry.path for entry in entries(tmp_path / "root")] == [b"", b"file"]


def test_sockets_fifos_and_devices_are_left_out(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo\x1b")
    os.mknod(tmp_path / "socket", stat.S_IFSOCK | 0o600)
    expected = ["'fifo\\x1b' is not sent", "'socket' is not sent"]
    if os.geteuid() == 0:  # nobody else can make devices
        os.mknod(tmp_path / "device", stat.S_IFCHR | 0o600, os.makedev(1, 3))
        expected.insert(0, "'device' is not sent")
    records = list(pack(tmp_path))
    assert [message.partition(":")[0] for message in logs(records)] == expected
    assert records[-1] == TreeEnd(1, 0)


MAKE: dict[str, Callable[[Path], object]] = {
    "nothing": Path.exists,
    "directory": Path.mkdir,
    "file": Path.touch,
    "link": lambda path: path.symlink_to("/etc"),
    "fifo": os.mkfifo,
    "socket": lambda path: os.mknod(path, stat.S_IFSOCK | 0o600),
}


def remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


@pytest.mark.parametrize("name", ["directory", "file", "link"])
@pytest.mark.parametrize("other", ["nothing", "directory", "file", "link", "fifo", "socket"])
def test_what_changes_before_its_turn_is_left_out(tmp_path: Path, name: str, other: str) -> None:
    (tmp_path / "directory/below").mkdir(parents=True)
    (tmp_path / "file").write_text("old")
    (tmp_path / "link").symlink_to("old")
    packing = pack(tmp_path)
    records = [next(packing)]
    remove(tmp_path / name)
    MAKE[other](tmp_path / name)
    records += packing
    paths = {record.path for record in records if isinstance(record, FileEntry)}
    # The same kind of entry in its place is packed as it is now.
    assert (name.encode() in paths) == (name == other)
    reason = "it was removed" if other == "nothing" else "its type has"
    assert [message.startswith(f"'{name}' is not sent: {reason}") for message in logs(records)] == [True] * (
        name != other
    )


def test_a_file_that_shrinks_is_filled_up(tmp_path: Path) -> None:
    size = DATA_SIZE * 3
    (tmp_path / "file").write_bytes(b"x" * size)
    packing = pack(tmp_path)
    records = [next(packing), next(packing)]
    os.truncate(tmp_path / "file", DATA_SIZE + 10)
    records += packing
    content = b"".join(record.data for record in records if isinstance(record, FileData))
    assert content == b"x" * (DATA_SIZE + 10) + bytes(size - DATA_SIZE - 10)
    assert logs(records) == [
        f"'file' shrank while it was sent: its last {size - DATA_SIZE - 10} bytes are sent as zeros"
    ]
    assert records[-1] == TreeEnd(2, size)


@pytest.mark.parametrize("size", [10, DATA_SIZE, DATA_SIZE + 10])
def test_a_file_that_grows_is_sent_as_it_was(tmp_path: Path, size: int) -> None:
    (tmp_path / "file").write_bytes(b"x" * size)
    packing = pack(tmp_path)
    records = [next(packing), next(packing)]
    with (tmp_path / "file").open("ab") as file:
        file.write(b"more" * DATA_SIZE)
    records += packing
    content = b"".join(record.data for record in records if isinstance(record, FileData))
    assert content == b"x" * size
    assert logs(records) == []


def test_a_small_file_that_shrinks_has_its_true_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(b"12345678")
    real = os.fstat

    def then_truncate(fd: int) -> os.stat_result:
        status = real(fd)
        if stat.S_ISREG(status.st_mode):
            os.truncate(tmp_path / "file", 3)
        return status

    monkeypatch.setattr(os, "fstat", then_truncate)
    records = list(pack(tmp_path))
    monkeypatch.undo()
    assert records[2:] == [FileData(b"123"), TreeEnd(2, 3)]


def test_packing_can_be_given_up(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/file").write_bytes(bytes(DATA_SIZE * 2))
    packing = pack(tmp_path)
    for _ in range(5):
        next(packing)
    del packing  # the count of descriptors says whether all were closed


def test_what_is_too_deep_is_named(tmp_path: Path) -> None:
    deepest = tmp_path.joinpath(*["d"] * MAX_DEPTH)
    deepest.mkdir(parents=True)
    assert len(entries(tmp_path)) == MAX_DEPTH + 1
    (deepest / "file").write_text("")
    with pytest.raises(ConfigurationError, match="too long or too deep"):
        entries(tmp_path)
    assert len(list(pack(tmp_path, ignore=Ignore.for_directory(tmp_path, ["file"])))) == MAX_DEPTH + 2


@pytest.mark.parametrize("name", ["missing", "file", "missing/directory"])
def test_a_root_that_is_no_directory_is_an_error(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="cannot read the directory"):
        list(pack(tmp_path / name))
    with pytest.raises(ConfigurationError, match="cannot read the directory"):
        check_readable(tmp_path / name)
