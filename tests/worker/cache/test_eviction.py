"""What is removed when the cache is full, and what never is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playstream.worker.cache import eviction
from playstream.worker.cache.active import ActiveJob, oldest_start
from playstream.worker.cache.eviction import evicting
from playstream.worker.cache.place import cost
from tests.stages import LIMIT_SECONDS
from tests.worker.cache.cached import ALGORITHM, DAY, LARGE, evict_to, file_of, fill, hash_of, open_store, opened

BLOCK = 4096
OBJECTS = [b"object %d" % number for number in range(10)]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A cache with ten objects of two senders; the first was used last ten days ago, the last one yesterday."""
    place = tmp_path / "cache"
    fill(place, *OBJECTS[::2])
    fill(place, *OBJECTS[1::2], sender="user-7")
    for number, data in enumerate(OBJECTS):
        moment = time.time() - (10 - number) * DAY
        os.utime(path_of(place, data), (moment, moment))
    return place


def path_of(place: Path, data: bytes) -> Path:
    number = OBJECTS.index(data)
    return file_of(place, data, "user-7" if number % 2 else "user")


def left(place: Path) -> list[int]:
    return [number for number, data in enumerate(OBJECTS) if path_of(place, data).exists()]


def test_what_was_used_last_is_kept_whoever_has_sent_it(place: Path) -> None:
    assert evict_to(place, 4 * BLOCK) == eviction.Evicted(6, 6 * BLOCK, 4 * BLOCK)
    assert left(place) == [6, 7, 8, 9]


def test_nothing_is_removed_from_a_cache_that_is_small_enough(place: Path) -> None:
    assert evict_to(place, 10 * BLOCK) == eviction.Evicted(0, 0, 10 * BLOCK)
    assert left(place) == list(range(10))


def test_shards_without_objects_are_removed(place: Path) -> None:
    evict_to(place, 0)
    assert [path for path in place.rglob("*") if len(path.name) == 2] == []
    fill(place, b"a")
    assert file_of(place, b"a").exists()


@pytest.mark.parametrize("use", ["read", "holds", "write"])
def test_a_use_counts(place: Path, use: str) -> None:
    with open_store(place) as store:
        getattr(store, use)(OBJECTS[0] if use == "write" else hash_of(OBJECTS[0]))
    evict_to(place, 4 * BLOCK)
    assert left(place) == [0, 7, 8, 9]


def test_a_job_that_ends_reduces_a_cache_that_is_too_large_and_some_more(place: Path) -> None:
    with open_store(place, max_bytes=5 * BLOCK):
        pass
    assert left(place) == [6, 7, 8, 9]  # a tenth is free, so four of five blocks are used


def test_a_job_that_ends_leaves_a_cache_that_is_small_enough(place: Path) -> None:
    with open_store(place, max_bytes=10 * BLOCK):
        pass
    assert left(place) == list(range(10))


def test_what_is_added_counts_without_counting_everything_again(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    evict_to(place, LARGE)
    with monkeypatch.context() as patched:
        patched.setattr(eviction, "evict", None)
        with open_store(place, max_bytes=12 * BLOCK) as store:
            store.write(b"new")
            store.write(b"new too")
    with open_store(place, max_bytes=12 * BLOCK) as store:
        store.write(b"one too many")
    assert left(place) == [3, 4, 5, 6, 7, 8, 9]


@pytest.mark.parametrize("content", [b"", b"nonsense", b"1\n1\n", b"99999999999999\n1\n", b"-1"])
def test_without_a_recent_count_everything_is_counted(place: Path, content: bytes) -> None:
    (place / "1" / ".size").write_bytes(content)
    with open_store(place, max_bytes=5 * BLOCK):
        pass
    assert left(place) == [6, 7, 8, 9]


def test_what_an_active_job_uses_is_kept(place: Path) -> None:
    with open_store(place) as job:
        assert job.holds(hash_of(OBJECTS[0]))
        job.write(b"new")
        done = evict_to(place, 0)
        assert left(place) == [0]
        assert done.left == 2 * BLOCK
        assert job.read(hash_of(OBJECTS[0])) == OBJECTS[0]
        assert job.read(hash_of(b"new")) == b"new"
    evict_to(place, 0)
    assert left(place) == []


def test_a_job_that_needs_nothing_more_keeps_nothing(place: Path) -> None:
    with open_store(place) as job:
        assert job.holds(hash_of(OBJECTS[0]))
        job.release()
        evict_to(place, 0)
        assert left(place) == []


def test_the_oldest_active_job_counts(place: Path) -> None:
    with opened(place) as fd:
        first = ActiveJob(fd)
        second = ActiveJob(fd)
        assert oldest_start(fd) == first.started <= second.started
        first.release()
        assert oldest_start(fd) == second.started
        second.release()
        assert oldest_start(fd) is None
    assert list((place / "1" / ".jobs").iterdir()) == []


HOLDS = """
import sys, time
from pathlib import Path
from tests.worker.cache.cached import hash_of, open_store

store = open_store(Path(sys.argv[1]))
store.holds(bytes.fromhex(sys.argv[2]))
if sys.argv[3] == "writes":
    import os
    rename = os.rename
    def stop(*args, **words):
        print("writes", flush=True)
        time.sleep(1000)
    os.rename = stop
    store.write(b"half")
print("holds", flush=True)
time.sleep(1000)
"""


@contextmanager
def another_job(place: Path, data: bytes, what: str) -> Iterator[subprocess.Popen[str]]:
    """A job in a process of its own that holds an object, and perhaps is about to complete another one."""
    words = [sys.executable, "-c", HOLDS, str(place), hash_of(data).hex(), what]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == f"{what}\n"
            yield process
        finally:
            process.kill()


def test_a_killed_job_protects_nothing_and_leaves_nothing(place: Path) -> None:
    shard = place / "1" / "user" / ALGORITHM / hash_of(b"half").hex()[:2]
    with another_job(place, OBJECTS[0], "writes") as job:
        evict_to(place, 0)
        assert left(place) == [0]
        (half,) = shard.iterdir()
        assert half.name.startswith(".")
        os.kill(job.pid, signal.SIGKILL)
        job.wait(LIMIT_SECONDS)
    evict_to(place, LARGE)
    assert left(place) == [0]
    assert [path for path in place.rglob(".*") if path.name not in {".size", ".lock", ".jobs"}] == []
    evict_to(place, 0)
    assert left(place) == []
    assert list((place / "1" / ".jobs").iterdir()) == []


def test_nobody_waits_for_another_eviction(place: Path) -> None:
    with opened(place) as fd, evicting(fd):
        with open_store(place, max_bytes=1) as store:
            store.holds(hash_of(OBJECTS[0]))
        with opened(place) as other, evicting(other) as alone:
            assert not alone
    assert left(place) == list(range(10))


def test_with_little_time_a_part_is_evicted_and_the_rest_inferred(place: Path) -> None:
    objects = [b"%d" % number for number in range(3000)]
    fill(place, *objects)
    whole = evict_to(place, LARGE)
    part = evict_to(place, whole.left // 2, seconds=0)
    assert part.objects < 200  # of one shard of several hundred, which may have few
    for _ in range(1000):  # of 256 shards, each takes one at random
        evict_to(place, whole.left // 2, seconds=0)
    assert whole.left // 3 < evict_to(place, LARGE).left < whole.left * 2 // 3


def test_trees_are_forgotten_with_their_roots(place: Path) -> None:
    with open_store(place) as store:
        store.use_tree(hash_of(OBJECTS[0]))
        store.use_tree(hash_of(OBJECTS[8]))
    trees = place / "1" / "user" / ALGORITHM / "trees"
    assert len(list(trees.iterdir())) == 2
    evict_to(place, 3 * BLOCK)
    assert [path.name for path in trees.iterdir()] == [hash_of(OBJECTS[8]).hex()]


def test_what_is_no_object_stays_in_the_way_of_nothing(place: Path) -> None:
    path = path_of(place, OBJECTS[0])
    path.unlink()
    path.mkdir()
    os.utime(path, (1, 1))
    (path.parent / "stranger").write_text("")
    (place / "1" / "user" / "file").write_text("")
    (place / "1" / "stranger").write_text("")
    evict_to(place, 0)
    assert left(place) == [0]


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 3 * BLOCK)), max_size=12), st.integers(0, 12 * BLOCK))
def test_no_evicted_object_is_younger_than_one_that_is_kept(
    tmp_path_factory: pytest.TempPathFactory, objects: list[tuple[int, int]], size: int
) -> None:
    place = tmp_path_factory.mktemp("cache")
    contents = [number.to_bytes(4, "big") + bytes(length) for number, (_, length) in enumerate(objects)]
    fill(place, *contents)
    for data, (age, _) in zip(contents, objects, strict=True):
        os.utime(file_of(place, data), (age, age))
    evict_to(place, size)
    there = {data: file_of(place, data).exists() for data in contents}
    kept = [cost(len(data)) for data in contents if there[data]]
    assert sum(kept) <= size
    gone = [age for data, (age, _) in zip(contents, objects, strict=True) if not there[data]]
    stay = [age for data, (age, _) in zip(contents, objects, strict=True) if there[data]]
    assert not gone or not stay or max(gone) <= min(stay)
