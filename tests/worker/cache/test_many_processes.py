"""Many workers at once: each reads, writes and evicts, and some are killed. No object is ever wrong."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from playstream.worker.cache.place import JOBS, LOCK, SIZE
from tests.stages import LIMIT_SECONDS
from tests.worker.cache.cached import evict_to, file_of, hash_of, open_store

OBJECTS = 150
ROUNDS = 40

JOBS_OF_A_WORKER = f"""
import random, sys
from pathlib import Path
from tests.worker.cache.cached import hash_of, open_store
from tests.worker.cache.test_many_processes import content

place, seed = Path(sys.argv[1]), int(sys.argv[2])
choose = random.Random(seed)
print("begins", flush=True)
missing = 0
for round in range({ROUNDS}):
    wanted = choose.sample(range({OBJECTS}), 30)
    with open_store(place, max_bytes=60 * 4096) as store:
        for number in wanted:
            if not store.holds(hash_of(content(number))):
                store.write(content(number))
        for number in wanted:
            data = store.read(hash_of(content(number)))
            assert data in (None, content(number)), number
            missing += data is None
        store.use_tree(hash_of(content(wanted[0])))
        assert store.trouble is None, store.trouble
print(missing)
"""


def content(number: int) -> bytes:
    """One of the objects that the workers share."""
    return number.to_bytes(2, "big") * (number * 13 + 1)


def start(place: Path, seed: int) -> subprocess.Popen[str]:
    words = [sys.executable, "-c", JOBS_OF_A_WORKER, str(place), str(seed)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "begins\n", process.communicate()[1]
    return process


def check_place(place: Path) -> None:
    """Every object is what its name says, and after an eviction nothing else is left."""
    assert evict_to(place, 60 * 4096).left <= 60 * 4096
    names = {hash_of(content(number)).hex() for number in range(OBJECTS)}
    inner = place / "1"
    assert {path.name for path in inner.glob(".*")} == {JOBS, LOCK, SIZE}
    assert list((inner / JOBS).iterdir()) == []
    for path in (inner / "user").glob("*/??/*"):
        assert path.parent.name + path.name in names
    with open_store(place) as store:
        for number in range(OBJECTS):
            there = file_of(place, content(number)).exists()
            assert store.read(hash_of(content(number))) == (content(number) if there else None)


def test_workers_share_the_cache(tmp_path: Path) -> None:
    place = tmp_path / "cache"
    workers = [start(place, seed) for seed in range(6)]
    missing = 0
    for worker in workers:
        out, err = worker.communicate(timeout=LIMIT_SECONDS)
        assert worker.returncode == 0, err
        missing += int(out)
    # Only an object that is evicted in the instant of its first use may be missing.
    assert missing <= 2
    check_place(place)


@pytest.mark.parametrize("seed", range(3))
def test_killed_workers_do_no_harm(tmp_path: Path, seed: int) -> None:
    place = tmp_path / "cache"
    choose = random.Random(seed)
    workers = [start(place, number) for number in range(5)]
    for worker in workers[1:]:
        directory = next(iter(sorted((place / "1").glob("user/*/*"))), place)
        for _ in range(choose.randrange(200)):
            os.listdir(directory if directory.is_dir() else place)  # a moment that differs each time
        worker.send_signal(signal.SIGKILL)
    for worker in workers:
        _, err = worker.communicate(timeout=LIMIT_SECONDS)
        assert worker.returncode in {0, -signal.SIGKILL}, err
    assert workers[0].returncode == 0
    check_place(place)
