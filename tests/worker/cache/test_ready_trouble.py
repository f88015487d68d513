"""Ready trees when a limit, the disk, the cache or a job is not as it should be: the next job runs as without them."""

from __future__ import annotations

import mmap
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from playstream.pipeline.errors import LimitExceeded
from playstream.pipeline.limits import Limits
from playstream.pipeline.protocol import Offer
from playstream.pipeline.tree.digests import digest
from playstream.worker.cache.assembly import Assembly
from playstream.worker.cache.inspection import measure, verify
from playstream.worker.cache.ready import READY
from tests.worker.cache.cached import ALGORITHM, LARGE, evict_to, file_of, open_store, opened
from tests.worker.cache.jobs import Jobs
from tests.worker.cache.offered import objects_of, take

BLOCK = 65536


@pytest.mark.parametrize("limits", [Limits(max_tree_entries=5), Limits(max_tree_bytes=BLOCK)])
def test_a_worker_with_lower_limits_refuses_it(limits: Limits, jobs: Jobs, source: Path) -> None:
    """An earlier worker, which had higher ones, has left the tree."""
    jobs.run(source)
    with pytest.raises(LimitExceeded):
        jobs.run(source, limits=limits)


@pytest.mark.parametrize("root", [b"", b"x", b"x" * 33])
def test_the_name_of_no_tree(root: bytes, jobs: Jobs, source: Path) -> None:
    jobs.run(source)
    ready = jobs.ready()
    with jobs.spool() as tree, open_store(jobs.cache) as store:
        offer = Offer(root, ALGORITHM, 1, 0, (), True)
        Assembly(offer, tree, store, lambda _record: None, limits=Limits(), replace=False).begin()
    assert jobs.ready() == ready


def test_the_cache_has_lost_what_is_ready(jobs: Jobs, source: Path) -> None:
    """A later tree needs one of the blocks that are lost in another file too."""
    jobs.run(source)
    large = (source / "large").read_bytes()
    (source / "again").write_bytes(b"new")
    (source / "zebra").write_bytes(large[:BLOCK] + os.urandom(1 << 20))
    for place in (0, BLOCK):
        file_of(jobs.cache, large[place : place + BLOCK]).unlink()
    assert large[:BLOCK] in jobs.run(source).travelled.contents
    jobs.run(source)


def test_the_cache_has_lost_a_listing_below_one_that_it_has(jobs: Jobs, source: Path) -> None:
    jobs.run(source)
    snapshot = take(source)
    shutil.rmtree(jobs.cache / "1" / "user" / ALGORITHM / READY)
    lost = [data for data in objects_of(snapshot).values() if b"main.yml" in data and b"page" in data]
    assert len(lost) == 1
    file_of(jobs.cache, lost[0]).unlink()
    assert digest(lost[0], ALGORITHM) != snapshot.root
    travelled = jobs.run(source).travelled
    assert travelled.listings > 0
    assert travelled.contents == []


def test_the_earlier_tree_has_lost_a_listing(jobs: Jobs, source: Path) -> None:
    """It is ready, and the next one differs from it elsewhere."""
    jobs.run(source)
    for data in objects_of(take(source)).values():
        if b"main.yml" in data and b"page" in data:
            file_of(jobs.cache, data).unlink()
    (source / "site.yml").write_bytes(b"changed")
    assert b"changed" in jobs.run(source).travelled.contents


def test_what_is_taken_gives_no_room(jobs: Jobs, source: Path) -> None:
    """The objects of a job are within the size of the cache, whatever it has taken from it."""
    size = 5 << 20
    jobs.run(source, max_bytes=size)
    assert jobs.ready()
    (source / "huge").write_bytes(os.urandom(size + (1 << 20)))
    with jobs.spool() as tree, open_store(jobs.cache, max_bytes=size) as store:
        assert store.take_ready([bytes.fromhex(name) for name in jobs.ready()], tree) is not None
        for number in range(6):
            store.write(number.to_bytes() * (1 << 20))
        assert store.trouble is not None


def test_a_job_leaves_a_link_where_its_tree_is_moved(jobs: Jobs, source: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    jobs.run(source, lambda tree: (tree.parent / READY).symlink_to(outside))
    assert list(outside.iterdir()) == []
    assert jobs.ready() == []


def test_a_file_with_several_names_keeps_nothing_of_a_job(jobs: Jobs, source: Path) -> None:
    os.link(source / "site.yml", source / "roles" / "same")
    jobs.run(source, lambda tree: (tree / "roles" / "same").write_bytes(b"secret of a job"))
    assert jobs.ready()
    assert [path for path in jobs.cache.rglob("same") if b"secret" in path.read_bytes()] == []
    jobs.run(source)


def test_one_more_of_a_tree_that_is_ready_removes_no_other(jobs: Jobs, source: Path, tmp_path: Path) -> None:
    def both(_tree: Path) -> None:
        jobs.run(source)

    for number in range(3):
        jobs.known = {}
        other = tmp_path / f"other {number}"
        shutil.copytree(source, other, symlinks=True)
        (other / "own").write_text(str(number))
        jobs.run(other)
    jobs.known = {}
    jobs.run(source, both)
    assert len(jobs.ready()) == 4


@pytest.fixture
def memory() -> Iterator[Path]:
    """A directory on a file system that does not notice what is written through a mapping."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as directory:
        yield Path(directory)


def test_a_file_is_changed_unnoticed(memory: Path, source: Path) -> None:
    """As a database does that maps its file."""
    jobs = Jobs(memory)

    def change(tree: Path) -> None:
        with (tree / "site.yml").open("r+b") as file, mmap.mmap(file.fileno(), 0) as mapping:
            mapping[0] ^= 1

    jobs.run(source, change)
    jobs.run(source)


def test_an_acl_of_a_job(jobs: Jobs, source: Path) -> None:
    """Files of the next job would get it."""

    def change(tree: Path) -> None:
        os.setxattr(tree / "roles", "user.job", b"")
        os.setxattr(tree, "user.job", b"")

    found: list[str] = []
    jobs.run(source, change)
    jobs.run(source, lambda tree: found.extend(os.listxattr(tree) + os.listxattr(tree / "roles")))
    assert found == []


@pytest.mark.parametrize("size", [0, LARGE])
def test_a_job_closes_its_directory(size: int, jobs: Jobs, source: Path) -> None:
    for _ in range(2):
        jobs.run(source, lambda tree: tree.chmod(0o500), max_bytes=size)


def replace_record(ready: Path, kind: Callable[[Path], object]) -> None:
    (ready / "written").unlink()
    kind(ready / "written")


def become_file(ready: Path) -> None:
    shutil.rmtree(ready)
    ready.write_bytes(b"")


def link_to_nothing(path: Path) -> None:
    path.symlink_to("nothing")


@pytest.mark.parametrize(
    "damage",
    [
        become_file,
        *(partial(replace_record, kind=kind) for kind in (Path.mkdir, os.mkfifo, link_to_nothing, lambda _path: None)),
    ],
)
def test_a_damaged_ready_tree_is_removed(damage: Callable[[Path], object], jobs: Jobs, source: Path) -> None:
    jobs.run(source)
    (ready,) = (jobs.cache / "1" / "user" / ALGORITHM / READY).iterdir()
    damage(ready)
    with opened(jobs.cache) as place:
        assert [division.objects > 0 for division in measure(place)] == [True]
    evict_to(jobs.cache, LARGE)
    assert jobs.ready() == []
    jobs.run(source)
    assert len(jobs.ready()) == 1


def test_verifying_removes_a_damaged_ready_tree(jobs: Jobs, source: Path) -> None:
    jobs.run(source)
    (ready,) = (jobs.cache / "1" / "user" / ALGORITHM / READY).iterdir()
    replace_record(ready, Path.mkdir)
    with opened(jobs.cache) as place:
        assert verify(place).stuck == []
    assert jobs.ready() == []
