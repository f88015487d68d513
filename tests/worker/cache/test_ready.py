"""The directory of an earlier job becomes that of the next one, and is then what the sender has."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playstream.worker.cache.inspection import measure, verify
from playstream.worker.cache.ready import MAX_READY, READY, list_ready
from playstream.worker.cache.store import Store
from tests.pipeline.tree.conftest import open_arena, take_snapshot
from tests.pipeline.tree.test_tree_round_trip import TREES, Node, grow
from tests.worker.cache.cached import ALGORITHM, LARGE, evict_to, file_of, opened
from tests.worker.cache.jobs import Jobs, Ran
from tests.worker.cache.offered import send, take


def test_the_next_job_has_the_same_files(jobs: Jobs, source: Path) -> None:
    first, second, third = (jobs.run(source) for _ in range(3))
    assert first.files == second.files == third.files
    assert second.travelled.contents == []
    assert second.travelled.listings == 0
    assert len(second.travelled.wants) == 1


def test_only_what_has_changed_is_written(jobs: Jobs, source: Path) -> None:
    first = jobs.run(source)
    (source / "roles/web/page").write_bytes(b"changed")
    (source / "roles/db/main.yml").unlink()
    (source / "roles/db/new").write_bytes(b"new")
    (source / "site.yml").chmod(0o600)
    second = jobs.run(source)
    same = {name for name, inode in second.files.items() if first.files.get(name) == inode}
    assert same == {"roles/web/main.yml", "large"}
    assert sorted(second.travelled.contents) == [b"changed", b"new"]


def spoil(tree: Path) -> None:
    """What a job may do to its directory."""
    page = tree / "roles/web/page"
    old = page.stat()
    page.write_bytes(bytes(old.st_size))
    os.utime(page, ns=(old.st_mtime_ns, old.st_mtime_ns))
    (tree / "artifacts" / "x").mkdir(parents=True)
    (tree / "artifacts" / "x" / "stdout").write_text("secret")
    (tree / "roles" / "web" / "password").write_text("secret")
    (tree / "site.yml").unlink()
    shutil.rmtree(tree / "roles" / "db")
    (tree / "roles" / "db").symlink_to("/etc")
    (tree / "large").chmod(0o444)


def test_what_a_job_has_changed_is_not_seen_by_the_next(jobs: Jobs, source: Path) -> None:
    first = jobs.run(source, spoil)
    found = [path for path in jobs.cache.rglob("*") if path.is_file() and b"secret" in path.read_bytes()]
    assert found == []
    second = jobs.run(source)
    assert second.travelled.contents == []
    assert first.files["roles/web/main.yml"] == second.files["roles/web/main.yml"]


@given(trees=st.lists(TREES, min_size=2, max_size=4), chance=st.randoms(use_true_random=False))
def test_any_trees_one_after_another(trees: list[dict[bytes, Node]], chance: object) -> None:
    """Each job changes some of its files; the next ones have some earlier tree, or another one, or the same."""

    def damage(tree: Path) -> None:
        for path in sorted(tree.rglob("*")):
            if path.is_file() and not path.is_symlink() and chance.random() < 0.3:  # type: ignore[attr-defined]
                path.unlink()
                path.write_bytes(b"job")

    with open_arena() as base:
        jobs = Jobs(base)
        for number, tree in enumerate([*trees, trees[0], trees[0]]):
            source = base / f"source {number}"
            source.mkdir()
            grow(os.fsencode(source), tree)
            jobs.run(source, damage)


def test_two_jobs_at_once(jobs: Jobs, source: Path) -> None:
    """One gets the directory, the other a new one, and one of both is ready afterwards."""
    first = jobs.run(source)
    inner: list[Ran] = []
    outer = jobs.run(source, lambda _tree: inner.append(jobs.run(source)))
    assert outer.files == first.files
    assert set(inner[0].files.values()).isdisjoint(first.files.values())
    assert len(jobs.ready()) == 1
    assert jobs.run(source).files == inner[0].files


def test_another_sender_has_none_of_it(jobs: Jobs, source: Path) -> None:
    first = jobs.run(source)
    other = jobs.run(source, sender="user-7")
    assert set(first.files.values()).isdisjoint(other.files.values())
    assert len(jobs.ready()) == len(jobs.ready("user-7")) == 1


def test_a_directory_of_the_user_is_neither_taken_nor_kept(jobs: Jobs, source: Path) -> None:
    jobs.run(source, replace=True)
    assert jobs.ready() == []


def test_several_projects(jobs: Jobs, source: Path, tmp_path: Path) -> None:
    """As many as are kept, those that were used last."""
    sources = []
    for number in range(MAX_READY + 1):
        sources.append(tmp_path / f"project {number}")
        shutil.copytree(source, sources[-1], symlinks=True)
        (sources[-1] / "own").write_text(str(number))
    ran = []
    for number, each in enumerate(sources):
        jobs.known = {}  # another project has other earlier trees
        ran.append(jobs.run(each))
        assert len(jobs.ready()) == min(number + 1, MAX_READY)
    assert jobs.run(sources[-1]).files == ran[-1].files
    assert jobs.run(sources[1]).files == ran[1].files


@pytest.mark.parametrize("lost", ["large", "site.yml"])
def test_it_is_not_kept_if_the_cache_has_lost_something(lost: str, jobs: Jobs, source: Path) -> None:
    """Otherwise the ready tree would be the only copy, and the next change would need what is not there."""
    jobs.run(source)
    data = (source / lost).read_bytes()
    data = data if lost == "site.yml" else data[:65536]
    jobs.run(source, lambda _tree: file_of(jobs.cache, data).unlink())
    assert jobs.ready() == []
    assert jobs.run(source).travelled.contents == [data]


def test_it_counts_for_the_size_of_the_cache(jobs: Jobs, source: Path) -> None:
    jobs.run(source)
    with opened(jobs.cache) as place:
        (tree,) = list_ready(place)
        (division,) = measure(place)
    assert (2 << 20) < tree.bytes < (2 << 20) + 100_000
    assert division.ready == 1
    assert division.bytes > (4 << 20)


@pytest.mark.parametrize("size", [3 << 20, 1 << 20, 0])
def test_it_is_evicted_before_any_object(size: int, jobs: Jobs, source: Path) -> None:
    jobs.run(source)
    with opened(jobs.cache) as place:
        (division,) = measure(place)
        done = evict_to(jobs.cache, size)
        after = [(each.objects, each.ready) for each in measure(place)]
    assert jobs.ready() == []
    assert done.left <= size
    assert done.bytes == division.bytes - done.left
    assert (after == [(division.objects, 0)]) == (size > 2 << 20)
    assert jobs.run(source).files


def test_in_a_small_cache_nothing_is_kept(jobs: Jobs, source: Path) -> None:
    for _ in range(2):
        jobs.run(source, max_bytes=3 << 20)
        assert jobs.ready() == []
    with opened(jobs.cache) as place:
        assert [division.objects > 0 for division in measure(place)] == [True]


def test_verifying_removes_it(jobs: Jobs, source: Path) -> None:
    """Its files are not what is read; they are written again from what was."""
    first = jobs.run(source)
    with opened(jobs.cache) as place:
        assert verify(place).removed == 0
    assert jobs.ready() == []
    second = jobs.run(source)
    assert second.travelled.contents == []
    assert set(first.files.values()).isdisjoint(second.files.values())


def test_leftovers_are_removed(jobs: Jobs, source: Path) -> None:
    jobs.run(source)
    (ready,) = (jobs.cache / "1" / "user" / ALGORITHM / READY).iterdir()
    shutil.copytree(ready, ready.with_name(".0123456789abcdef"))
    shutil.copytree(ready, ready.with_name("00" * 32))
    (ready.with_name("00" * 32) / "written").write_bytes(b"damaged")
    evict_to(jobs.cache, LARGE)
    assert jobs.ready() == [ready.name]


def test_a_damaged_record_is_not_used(jobs: Jobs, source: Path) -> None:
    first = jobs.run(source)
    (ready,) = (jobs.cache / "1" / "user" / ALGORITHM / READY).iterdir()
    (ready / "written").write_bytes((ready / "written").read_bytes()[:-1])
    second = jobs.run(source)
    assert set(first.files.values()).isdisjoint(second.files.values())
    assert jobs.run(source).files == second.files


def test_what_was_changed_in_the_cache_is_not_used(jobs: Jobs, source: Path) -> None:
    """A process of an earlier job may live on, and write to files of the directory that it knows."""
    jobs.run(source)
    (ready,) = (jobs.cache / "1" / "user" / ALGORITHM / READY).iterdir()
    spoil(ready / "tree")
    jobs.run(source)


def test_a_spool_on_another_file_system(jobs: Jobs, source: Path, other_file_system: Path) -> None:
    snapshot = take(source)
    for _ in range(2):
        (other_file_system / "data").mkdir()
        with Store(jobs.cache, "user", ALGORITHM, LARGE) as store:
            send(snapshot, other_file_system / "data", store)
        assert take_snapshot(other_file_system / "data") == take_snapshot(source)
        assert jobs.ready() == []
        shutil.rmtree(other_file_system / "data")


@pytest.fixture
def other_file_system(tmp_path: Path) -> Iterator[Path]:
    """An empty directory on another file system than tmp_path."""
    for place in ("/dev/shm", "/run/user/" + str(os.geteuid()), "/var/tmp", str(Path.home())):
        if os.access(place, os.W_OK) and os.stat(place).st_dev != tmp_path.stat().st_dev:
            with tempfile.TemporaryDirectory(dir=place) as directory:
                yield Path(directory)
            return
    raise AssertionError("this host has one file system only")
