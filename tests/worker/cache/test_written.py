"""What is as it was is told from what a job has changed, whatever the job does, and nothing else is touched."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playstream.worker.cache import written as module
from playstream.worker.cache.written import Written, decode, discard, examine, restore
from tests.pipeline.tree.conftest import open_arena

FILES = {"a/x": b"1", "a/y": b"22", "a/b/z": b"333", "a/b/empty": b"", "c/d/e/deep": b"4", "top": b"5"}
OLD = 10**18
"""A time long ago, in nanoseconds."""


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
    return Written(b"r" * 32, len(paths) + 1, 15, paths, examine(root, paths), [b"o" * 32])


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
    with open_arena() as root:
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
        assert left.looks == examine(root, left.paths)
        assert restore(root, left) == left


def test_what_has_not_changed_is_all_there(tmp_path: Path) -> None:
    before = make(tmp_path)
    assert before.whole
    assert restore(tmp_path, before) == before


def test_what_is_outside_is_not_touched(tmp_path: Path) -> None:
    """A job has replaced a directory by a link to another one with the same names."""
    tree, outside = tmp_path / "tree", tmp_path / "outside"
    tree.mkdir()
    before = make(tree)
    (tree / "a" / "b").rename(outside)
    (outside / "more").write_text("more")
    (tree / "a" / "b").symlink_to(outside)
    expected = what_is_in(outside)
    left = restore(tree, before)
    assert not left.whole
    assert {b"a/b", b"a/b/z", b"a/b/empty"}.isdisjoint(left.paths)
    assert what_is_in(outside) == expected


def test_a_closed_directory_of_a_job(tmp_path: Path) -> None:
    """The owner may not write to a directory that a job has changed."""
    before = make(tmp_path)
    (tmp_path / "a" / "new").write_text("new")
    (tmp_path / "a").chmod(0o500)
    left = restore(tmp_path, before)
    assert left.paths == before.paths
    assert not (tmp_path / "a" / "new").exists()
    assert (tmp_path / "a").stat().st_mode & 0o777 == before.looks[before.paths.index(b"a")][0] & 0o777


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
        b"r" * 32, len(entries) + 1, size, [path for path, _ in entries], [look for _, look in entries], objects
    )
    assert decode(made.encode()) == made


@given(st.data())
def test_damage_is_noticed(data: st.DataObject) -> None:
    whole = Written(b"r" * 32, 2, 3, [b"a"], [(1, 2, 3, 4, 5)], [b"o" * 32]).encode()
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
