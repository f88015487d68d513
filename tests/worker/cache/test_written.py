"""What is as it was is told from what a job has changed, whatever the job does, and nothing else is touched."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playstream.worker.cache import written as module
from playstream.worker.cache.written import Written, decode, discard, examine, restore
from tests.pipeline.tree.conftest import open_arena

FILES = {"a/x": b"1", "a/y": b"22", "a/b/z": b"333", "a/b/empty": b"", "c/d/e/deep": b"4", "top": b"5"}
OLD = 10**18
"""A time long ago, in nanoseconds."""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "tree").mkdir()
    return tmp_path / "tree"


def make(root: Path) -> Written:
    """Make a tree; return what was written."""
    for name, data in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    (root / "a" / "link").symlink_to("b")
    paths = []
    for path in sorted(root.rglob("*"), key=lambda each: each.parts):
        os.utime(path, ns=(OLD, OLD), follow_symlinks=False)
        paths.append(os.fsencode(path.relative_to(root)))
    top, looks = examine(root, paths)
    return Written(b"r" * 32, len(paths) + 1, 15, paths, looks, [b"o" * 32], top)


def what_is_in(root: Path) -> dict[str, tuple[int, int, bytes | str | None]]:
    """The entries of a directory, each with its mode, its time, and its bytes or target."""
    found = {}
    for path in root.rglob("*"):
        look = path.lstat()
        content: bytes | str | None = None
        if path.is_symlink():
            content = os.readlink(path)
        elif path.is_file():
            content = path.read_bytes()
        found[str(path.relative_to(root))] = look.st_mode, look.st_mtime_ns, content
    return found


def rewrite(path: Path) -> None:
    """Write other bytes of the same number into a file, and give it its old time."""
    if path.is_file() and not path.is_symlink():
        path.write_bytes(bytes(path.stat().st_size))
        os.utime(path, ns=(OLD, OLD))


def swap(path: Path) -> None:
    """Replace an entry by a copy of itself, which looks alike."""
    if path.is_file() and not path.is_symlink():
        shutil.copy2(path, path.with_name("copy"))
        path.with_name("copy").replace(path)
        os.utime(path.parent, ns=(OLD, OLD))


def change_mode(path: Path) -> None:
    if not path.is_symlink():
        path.chmod(0o751)


def remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def link_out(path: Path) -> None:
    """Replace an entry by a link to a directory outside that has the same names."""
    remove(path)
    path.symlink_to("/proc/self/cwd")


def become_directory(path: Path) -> None:
    remove(path)
    path.mkdir()
    (path / "z").write_text("other")


CHANGES: list[Callable[[Path], object]] = [rewrite, swap, change_mode, remove, link_out, become_directory]


@given(
    st.lists(st.tuples(st.sampled_from(sorted([*FILES, "a", "a/b", "a/link", "c", "c/d"])), st.sampled_from(CHANGES)))
)
def test_any_changes(changes: list[tuple[str, Callable[[Path], object]]]) -> None:
    with open_arena() as base:
        root = base / "tree"
        root.mkdir()
        before = make(root)
        was = what_is_in(root)
        for name, change in changes:
            path = root / name
            if os.path.lexists(path) and not any(parent.is_symlink() for parent in path.parents):
                change(path)
        (root / "a").is_dir() and not (root / "a").is_symlink() and (root / "a" / "new").write_text("new")
        left = restore(root, before)
        now = what_is_in(root)
        assert sorted(os.fsencode(name) for name in now) == sorted(left.paths)
        for name, found in now.items():
            assert found == was[name], name
        assert (left.top, left.looks) == examine(root, left.paths)
        assert restore(root, left) == left


def test_what_has_not_changed_is_all_there(tree: Path) -> None:
    before = make(tree)
    assert before.whole
    assert restore(tree, before) == before


def test_what_is_outside_is_not_touched(tree: Path, tmp_path: Path) -> None:
    """A job has replaced a directory by a link to another one with the same names."""
    outside = tmp_path / "outside"
    before = make(tree)
    (tree / "a" / "b").rename(outside)
    (outside / "more").write_text("more")
    (tree / "a" / "b").symlink_to(outside)
    expected = what_is_in(outside)
    left = restore(tree, before)
    assert not left.whole
    assert {b"a/b", b"a/b/z", b"a/b/empty"}.isdisjoint(left.paths)
    assert what_is_in(outside) == expected


def test_a_closed_directory_of_a_job(tree: Path) -> None:
    """The owner may not write to a directory that a job has changed."""
    before = make(tree)
    (tree / "a" / "new").write_text("new")
    (tree / "a").chmod(0o500)
    left = restore(tree, before)
    assert left.paths == before.paths
    assert not (tree / "a" / "new").exists()
    assert (tree / "a").stat().st_mode & 0o777 == before.looks[before.paths.index(b"a")][0] & 0o777


def become_link(tree: Path) -> None:
    tree.rename(tree.with_name("moved"))
    tree.symlink_to("outside")


def become_other(tree: Path) -> None:
    tree.rename(tree.with_name("moved"))
    (tree.parent / "outside").rename(tree)
    (tree.parent / "outside").symlink_to(tree)


@pytest.mark.parametrize("change", [become_link, become_other])
def test_another_directory_in_its_place_is_not_touched(
    change: Callable[[Path], object], tree: Path, tmp_path: Path
) -> None:
    before = make(tree)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("precious")
    change(tree)
    with pytest.raises(OSError, match="tree"):
        restore(tree, before)
    assert (outside / "precious").read_text() == "precious"


def test_the_directory_itself_gets_its_mode_back(tree: Path) -> None:
    before = make(tree)
    tree.chmod(0o555)
    assert restore(tree, before) == before
    assert stat.S_IMODE(tree.stat().st_mode) == 0o700


def test_a_directory_keeps_no_attribute_of_a_job(tree: Path) -> None:
    """Such as an ACL, which new files in it would get."""
    before = make(tree)
    os.setxattr(tree / "a" / "b", "user.job", b"was here")
    left = restore(tree, before)
    assert {b"a/b", b"a/b/z", b"a/b/empty"}.isdisjoint(left.paths)
    assert {b"a", b"a/x", b"c/d/e/deep"} <= set(left.paths)
    assert not (tree / "a" / "b").exists()


def test_the_directory_itself_with_an_attribute_of_a_job(tree: Path) -> None:
    before = make(tree)
    os.setxattr(tree, "user.job", b"was here")
    with pytest.raises(OSError, match="tree"):
        restore(tree, before)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_directory_keeps_no_owner_that_a_job_has_given_it(tree: Path) -> None:
    before = make(tree)
    os.chown(tree / "c", 65534, -1)
    assert {b"c", b"c/d", b"c/d/e", b"c/d/e/deep"}.isdisjoint(restore(tree, before).paths)
    os.chown(tree, -1, 65534)
    with pytest.raises(OSError, match="tree"):
        restore(tree, before)


def test_any_inode_can_be_written_down(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some file systems use all of its 64 bits."""
    real = os.stat

    def large(*args: Any, **options: Any) -> os.stat_result:
        found = real(*args, **options)
        return os.stat_result((found[0], 2**64 - 1, *found[2:]), {"st_mtime_ns": 5, "st_ctime_ns": 6})

    (tree / "file").touch()
    monkeypatch.setattr(os, "stat", large)
    top, looks = examine(tree, [b"file"])
    made = Written(b"r" * 32, 2, 0, [b"file"], looks, [], top)
    assert decode(made.encode()) == made


def test_memory_does_not_notice_each_change(tmp_path: Path) -> None:
    assert module.notices_changes(tmp_path) == (kind_of(tmp_path) != "tmpfs")
    assert kind_of(Path("/dev/shm")) == "tmpfs"
    assert not module.notices_changes(Path("/dev/shm"))


def kind_of(path: Path) -> str:
    """The type of the file system of a path."""
    return subprocess.check_output(["stat", "-f", "-c", "%T", path], text=True).strip()


def test_discard(tmp_path: Path) -> None:
    make(tmp_path)
    discard(tmp_path, [b"a/b", b"a/missing/x", b"c/d/e/deep", b"top"])
    assert sorted(what_is_in(tmp_path)) == ["a", "a/link", "a/x", "a/y", "c", "c/d", "c/d/e"]


looks = st.tuples(*[st.integers(-(2**63), 2**63 - 1)] * 5)
paths = st.binary(min_size=1).filter(lambda path: b"\0" not in path)


@given(
    entries=st.lists(st.tuples(paths, looks)),
    objects=st.lists(st.binary(min_size=32, max_size=32)),
    size=st.integers(0, 2**64 - 1),
)
def test_it_is_read_as_it_was_made(entries: list[tuple[bytes, module.Look]], objects: list[bytes], size: int) -> None:
    made = Written(
        b"r" * 32, len(entries) + 1, size, [path for path, _ in entries], [look for _, look in entries], objects, -3
    )
    assert decode(made.encode()) == made


@given(st.data())
def test_damage_is_noticed(data: st.DataObject) -> None:
    whole = Written(b"r" * 32, 2, 3, [b"a"], [(1, 2, 3, 4, 5)], [b"o" * 32], 7).encode()
    place = data.draw(st.integers(0, len(whole) - 1))
    assert decode(whole[:place]) is None
    assert decode(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :]) is None
    assert decode(data.draw(st.binary())) is None


def test_after_a_restart_of_the_host_it_is_of_no_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was not on the disk then may be missing in files that look as before."""
    data = make(tmp_path).encode()
    assert decode(data) is not None
    (tmp_path / "boot").write_text("0f5d6e4c-1111-4222-8333-944445555666\n")
    monkeypatch.setattr(module, "_BOOT", tmp_path / "boot")
    assert decode(data) is None
