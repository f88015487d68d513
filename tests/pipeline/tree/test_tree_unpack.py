"""What unpacking does about existing entries, limits and a host that cannot write."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from playstream.pipeline.errors import JobError, LimitExceeded, LocalProtocolError, RemoteProtocolError, UnsafePath
from playstream.pipeline.limits import Limits
from playstream.pipeline.protocol.records import FileData, FileEntry, FileType, TreeEnd
from playstream.pipeline.tree import unpack as unpack_module
from playstream.pipeline.tree.unpack import Unpacker

ROOT = FileEntry(b"", FileType.DIRECTORY, 0o777, 0)


def directory(path: bytes, mode: int = 0o755) -> FileEntry:
    return FileEntry(path, FileType.DIRECTORY, mode, 0)


def file(path: bytes, size: int = 0, mode: int = 0o644, link: int = 0) -> FileEntry:
    return FileEntry(path, FileType.FILE, mode, 0, size, link)


def symlink(path: bytes, target: bytes) -> FileEntry:
    return FileEntry(path, FileType.SYMLINK, 0o777, 0, target=target)


def hard_link(path: bytes, link: int) -> FileEntry:
    return FileEntry(path, FileType.HARDLINK, 0o644, 0, 0, link)


Part = FileEntry | FileData | TreeEnd


def receive(unpacker: Unpacker, *parts: Part) -> None:
    for part in parts:
        unpacker.receive(part)


def unpack(target: Path, *records: Part, replace: bool = False, trusted: bool = True) -> None:
    """Receive the records after a root and before the right end."""
    entries = [ROOT, *(record for record in records if isinstance(record, FileEntry))]
    with Unpacker(target, trusted=trusted, replace=replace) as unpacker:
        receive(unpacker, ROOT, *records, TreeEnd(len(entries), sum(entry.size for entry in entries)))
        assert unpacker.complete


def test_what_an_untrusted_sender_sends_is_private(arena: Path) -> None:
    unpack(arena, directory(b"d", 0o7000), file(b"d/f", mode=0o6755), file(b"d/g", mode=0o066), trusted=False)
    assert stat.S_IMODE((arena / "d").stat().st_mode) == 0o700
    assert stat.S_IMODE((arena / "d/f").stat().st_mode) == 0o700
    assert stat.S_IMODE((arena / "d/g").stat().st_mode) == 0o600


def test_replace_writes_new_files_and_enters_directories(arena: Path) -> None:
    guarded = arena.parent / "guarded"
    (arena / "d").mkdir()
    (arena / "d/stays").write_text("stays")
    os.link(guarded / "secret", arena / "d/hard")
    (arena / "d/soft").symlink_to(guarded / "secret")
    os.mkfifo(arena / "d/fifo")
    (arena / "d/file").write_text("longer than the new one")
    (arena / "d").chmod(0o500)
    unpack(
        arena,
        directory(b"d", 0o711),
        *(
            record
            for name in (b"hard", b"soft", b"fifo", b"file")
            for record in (file(b"d/" + name, 1), FileData(b"x"))
        ),
        replace=True,
    )
    assert {path.name: path.read_text() for path in (arena / "d").iterdir()} == {
        "stays": "stays",
        "hard": "x",
        "soft": "x",
        "fifo": "x",
        "file": "x",
    }
    assert stat.S_IMODE((arena / "d").stat().st_mode) == 0o711


def test_replace_makes_links_anew(arena: Path) -> None:
    for name in ("hard", "soft"):
        (arena / name).write_text("old")
    unpack(arena, file(b"a", link=1), hard_link(b"hard", 1), symlink(b"soft", b"a"), replace=True)
    unpack(arena, file(b"a", link=1), hard_link(b"hard", 1), symlink(b"soft", b"a"), replace=True)
    assert (arena / "hard").samefile(arena / "a")
    assert os.readlink(arena / "soft") == "a"


@pytest.mark.parametrize("entry", [file(b"d"), symlink(b"d", b"x"), hard_link(b"d", 1)], ids=["file", "sym", "hard"])
def test_a_directory_never_gives_way(arena: Path, entry: FileEntry) -> None:
    (arena / "d").mkdir()
    (arena / "d/kept").touch()
    with pytest.raises(UnsafePath, match="requires no directory, but a directory is there"):
        unpack(arena, file(b"a", link=1), entry, replace=True)
    assert (arena / "d/kept").exists()


def test_a_directory_takes_no_others_place(arena: Path) -> None:
    (arena / "file").touch()
    (arena / "link").symlink_to(arena.parent / "guarded")
    for name in (b"file", b"link"):
        with pytest.raises(UnsafePath, match="requires a directory, but something else is there"):
            unpack(arena, directory(name), file(name + b"/secret"), replace=True)


@pytest.mark.parametrize(
    "entry", [file(b"x"), directory(b"x"), symlink(b"x", b"a"), hard_link(b"x", 1)], ids=["file", "dir", "sym", "hard"]
)
def test_without_replace_nothing_gives_way(arena: Path, entry: FileEntry) -> None:
    (arena / "x").write_text("old")
    with pytest.raises(RemoteProtocolError, match="'x' already exists"):
        unpack(arena, file(b"a", link=1), entry)
    assert (arena / "x").read_text() == "old"


def test_files_with_several_names_are_bounded(arena: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpack_module, "MAX_LINKS", 1)
    records: list[Part] = [ROOT, file(b"a", link=1), file(b"b", link=2)]
    with Unpacker(arena, trusted=True) as unpacker, pytest.raises(RemoteProtocolError, match="more than 1 files with"):
        receive(unpacker, *records)


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (Limits(max_tree_entries=3), "too many entries: at most 3 are accepted.*--max-tree-entries"),
        (Limits(max_tree_bytes=9), "too many bytes: at most 9 are accepted.*--max-tree-bytes"),
    ],
)
def test_limits(arena: Path, limits: Limits, message: str) -> None:
    records: list[Part] = [ROOT, file(b"a", 5, link=1), FileData(b"12345"), file(b"b", 5, link=2), FileData(b"12345")]
    records += [directory(b"c"), TreeEnd(4, 10)]
    with Unpacker(arena, trusted=True, limits=limits) as unpacker, pytest.raises(LimitExceeded, match=message):
        receive(unpacker, *records)
    (arena / "a").unlink()
    (arena / "b").unlink(missing_ok=True)
    with Unpacker(arena, trusted=True, limits=Limits(max_tree_bytes=10, max_tree_entries=4)) as unpacker:
        receive(unpacker, *records)
        assert unpacker.complete


@pytest.mark.parametrize(
    ("function", "code", "advice"),
    [
        ("write", errno.ENOSPC, "No space left on device; free space"),
        ("write", errno.EDQUOT, "free space"),
        ("open", errno.EMFILE, "ulimit -n"),
        ("open", errno.ENAMETOOLONG, "255 bytes"),
        ("mkdir", errno.EACCES, "Permission denied; check the permissions"),
        ("symlink", errno.EROFS, "choose another --private-data-dir"),
        ("link", errno.EMLINK, "more hard links"),
        ("utime", errno.EIO, "Input/output error"),
    ],
)
def test_a_host_that_cannot_write_is_explained(
    arena: Path, monkeypatch: pytest.MonkeyPatch, function: str, code: int, advice: str
) -> None:
    def fail(*_arguments: object, **_options: object) -> None:
        raise OSError(code, os.strerror(code))

    with Unpacker(arena, trusted=True) as unpacker:
        unpacker.receive(ROOT)
        unpacker.receive(directory(b"parent"))
        monkeypatch.setattr(os, function, fail)
        with pytest.raises(JobError, match=f"cannot write 'parent/.*' below {arena}: .*{advice}"):
            receive(
                unpacker,
                directory(b"parent/d"),
                symlink(b"parent/s", b"x"),
                file(b"parent/f", 1, link=1),
                FileData(b"x"),
                hard_link(b"parent/h", 1),
            )
        monkeypatch.undo()
        with pytest.raises(LocalProtocolError, match="closed"):
            unpacker.receive(file(b"parent/g"))


def test_a_short_write_is_continued(arena: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: real(fd, data[:3]))
    unpack(arena, file(b"f", 10), FileData(b"0123456789"))
    monkeypatch.undo()
    assert (arena / "f").read_bytes() == b"0123456789"


def test_without_unnamed_files_modes_are_set_afterwards(arena: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "O_TMPFILE")
    unpack(arena, file(b"f", mode=0o666))
    assert stat.S_IMODE((arena / "f").stat().st_mode) == 0o666


def test_a_target_that_is_no_directory_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(JobError, match="No such file"):
        Unpacker(tmp_path / "missing", trusted=True)


def test_a_closed_unpacker_receives_nothing(arena: Path) -> None:
    unpacker = Unpacker(arena, trusted=True)
    unpacker.receive(ROOT)
    unpacker.receive(file(b"f", 5))
    unpacker.close()
    unpacker.close()
    assert not unpacker.complete
    with pytest.raises(LocalProtocolError, match="closed"):
        unpacker.receive(FileData(b"x"))
