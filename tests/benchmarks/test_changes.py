"""Kinds of change of a project: each changes what its name says, and nothing else."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from benchmarks.changes import CHANGES, LARGE, Change, project_files
from benchmarks.tree import TreeSize, make_tree

SIZE = TreeSize(files=2000, large=4000)
"""10 files in each of 200 directories."""


class Entry(NamedTuple):
    """What a job has of a path."""

    mode: int
    mtime_ns: int
    content: bytes | None


State = dict[str, Entry]


def state(job: Path) -> State:
    found = {}
    for path in sorted(job.rglob("*")):
        status = path.stat()
        content = path.read_bytes() if path.is_file() else None
        found[str(path.relative_to(job))] = Entry(status.st_mode, status.st_mtime_ns, content)
    return found


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree with times that are long ago."""
    job = tmp_path_factory.mktemp("original") / "job"
    make_tree(job, SIZE)
    for path in job.rglob("*"):
        os.utime(path, (10**9, 10**9))
    return job


@pytest.fixture
def changed(original: Path, tmp_path: Path) -> Callable[[str], tuple[State, State]]:
    """Makes the change whose name begins so; returns the states before and after it."""

    def make(name: str) -> tuple[State, State]:
        (change,) = (change for change in CHANGES if change.name.startswith(name))
        job = tmp_path / "job"
        shutil.copytree(original, job)
        change.prepare(job)
        before = state(job)
        change.make(job)
        return before, state(job)

    return make


def contents(found: State) -> dict[str, bytes]:
    return {name: entry.content for name, entry in found.items() if entry.content is not None}


def different(before: State, after: State) -> list[str]:
    """The files that are in both, with other contents."""
    old, new = contents(before), contents(after)
    return [name for name in old if name in new and old[name] != new[name]]


def only(some: State, others: State) -> list[str]:
    """The files that are only in one."""
    return [name for name in contents(some) if name not in others]


def test_nothing_changes(changed: Callable[[str], tuple[State, State]]) -> None:
    before, after = changed("unchanged")
    assert before == after
    assert len(before) > SIZE.files


def test_one_file(changed: Callable[[str], tuple[State, State]]) -> None:
    before, after = changed("one file")
    assert different(before, after) == [name for name in before if before[name] != after[name]]
    assert len(different(before, after)) == 1
    assert list(before) == list(after)


def test_times(changed: Callable[[str], tuple[State, State]]) -> None:
    before, after = changed("all mtimes")
    assert contents(before) == contents(after)
    assert all(before[name].mtime_ns != after[name].mtime_ns for name in before)
    assert len({entry.mtime_ns for entry in after.values()}) == len(after)


def test_a_renamed_directory(changed: Callable[[str], tuple[State, State]]) -> None:
    before, after = changed("a directory renamed")
    gone, come = only(before, after), only(after, before)
    assert len(gone) == 10
    assert [before[name] for name in gone] == [after[name] for name in come]
    assert {str(Path(name).parent) for name in come} == {"project/files/renamed"}
    assert not different(before, after)


def test_a_branch(changed: Callable[[str], tuple[State, State]]) -> None:
    before, after = changed("a git branch")
    edited, gone, come = different(before, after), only(before, after), only(after, before)
    assert [len(edited), len(gone), len(come)] == [36, 12, 12]
    assert len({str(Path(name).parent) for name in (*edited, *gone, *come)}) == 60
    assert not any(name.startswith("project/.git/") for name in after)
    assert "project/.git" in before


def test_a_byte(changed: Callable[[str], tuple[State, State]]) -> None:
    before, after = changed("one byte")
    old, new = (contents(found)[f"project/{LARGE}"] for found in (before, after))
    assert sum(a != b for a, b in zip(old, new, strict=True)) == 1
    assert different(before, after) == [f"project/{LARGE}"]


def test_an_insertion(changed: Callable[[str], tuple[State, State]]) -> None:
    before, after = changed("100 bytes inserted")
    old, new = (contents(found)[f"project/{LARGE}"] for found in (before, after))
    assert len(new) == len(old) + 100
    assert new[:1000] + new[1100:] == old
    assert different(before, after) == [f"project/{LARGE}"]


@pytest.mark.parametrize(
    ("name", "directories"),
    [("1,000 new files in 10", 10), ("1,000 new files in all", 100)],
)
def test_new_files(changed: Callable[[str], tuple[State, State]], name: str, directories: int) -> None:
    before, after = changed(name)
    come = only(after, before)
    assert len(come) == SIZE.files // 20
    assert len({str(Path(path).parent) for path in come}) == directories
    assert contents(before).items() <= contents(after).items()
    assert not {after[path].content for path in come} & set(contents(before).values())


@pytest.mark.parametrize(
    ("name", "directories"),
    [("1,000 files removed, 10", 10), ("1,000 files removed in all", 100)],
)
def test_removed_files(changed: Callable[[str], tuple[State, State]], name: str, directories: int) -> None:
    before, after = changed(name)
    gone = only(before, after)
    assert len(gone) == SIZE.files // 20
    assert len({str(Path(path).parent) for path in gone}) == directories
    assert contents(after).items() <= contents(before).items()


def test_modes(changed: Callable[[str], tuple[State, State]]) -> None:
    before, after = changed("modes only")
    for name, entry in before.items():
        assert (entry.mode != after[name].mode) == (entry.content is not None)
        assert entry[1:] == after[name][1:]


def test_everything(changed: Callable[[str], tuple[State, State]]) -> None:
    before, after = changed("everything")
    small = {name for name in before if name.endswith(".txt")}
    assert small | {f"project/{LARGE}"} <= set(different(before, after))
    assert set(before) == set(after)


def test_a_project_of_few_files(tmp_path: Path) -> None:
    """As the benchmark makes it with a small --scale: each kind changes something."""
    make_tree(tmp_path / "original", TreeSize(files=20, large=3000))
    for number, change in enumerate(CHANGES[1:]):
        job = tmp_path / str(number) / "job"
        shutil.copytree(tmp_path / "original", job)
        change.prepare(job)
        before = state(job)
        change.make(job)
        assert state(job) != before, change.name


def test_names_are_different() -> None:
    assert len({change.name for change in CHANGES}) == len(CHANGES)
    assert [change.name for change in CHANGES if not change.has_target] == ["100 bytes inserted in 128 MiB"]
    assert all(isinstance(change, Change) for change in CHANGES)


def test_small_files_are_in_order(original: Path) -> None:
    found = project_files(original)
    assert found == sorted(found)
    assert len(found) == SIZE.files
