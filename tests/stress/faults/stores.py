"""Workers that die while they store a tree, and many that store trees at once: what the cache is afterwards."""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from playstream.pipeline.protocol import Content, Record
from playstream.pipeline.protocol.order import Direction
from playstream.pipeline.tree.digests import digest
from playstream.transmit.snapshot import NOTHING, Snapshot
from playstream.worker.cache.inspection import verify
from playstream.worker.cache.place import JOBS, LOCK, SIZE
from tests.pipeline.tree.conftest import take_snapshot
from tests.stages import LIMIT_SECONDS, Stages
from tests.stress.faults.report import Report
from tests.stress.hostile.streams import JOB, native
from tests.worker.cache.cached import LARGE, evict_to, open_store, opened
from tests.worker.cache.offered import ALGORITHM, objects_of, send, take

_REPOSITORY = Path(__file__).parents[3]
_RACERS = 6
_ROUNDS = 40
_KILLED_SECONDS = 4.0


@dataclass(frozen=True)
class Stored:
    """A tree, and the stream of a job that brings all of it without a question."""

    source: Path
    snapshot: Snapshot
    stream: bytes

    @property
    def contents(self) -> dict[bytes, bytes]:
        """The contents by their names."""
        records = self.snapshot.contents_without(NOTHING)
        return {digest(each.data, ALGORITHM): each.data for each in records if isinstance(each, Content)}


def make_tree(source: Path, seed: int = 0) -> Stored:
    """Make a project of files of every size. Of two with different seeds about half is the same."""
    chance = random.Random(seed)
    for number in range(12):
        path = source / "project" / f"directory-{number % 3}" / str(number)
        path.parent.mkdir(parents=True, exist_ok=True)
        kept = number % 2 == 0
        path.write_bytes((random.Random(number) if kept else chance).randbytes(1000 * number + 1))
    large = source / "project" / "large"
    large.write_bytes(random.Random(99).randbytes(1 << 20) + chance.randbytes(70_000))
    (source / "project" / "link").symlink_to("large")
    return stored_of(source)


def stored_of(source: Path) -> Stored:
    """Return a directory as it is now, with its stream."""
    snapshot = take(source)
    tree: list[Record] = [replace(JOB, tree=True), snapshot.offer(asks=False), *snapshot.listings()]
    tree += [each for each in snapshot.contents_without(NOTHING) if isinstance(each, Content)]
    return Stored(source, snapshot, native([*tree, snapshot.end()], Direction.JOB))


def serve(stages: Stages, cache: Path, stream: bytes, step: int) -> tuple[int, list[str], str]:
    """Let a worker serve a job that kills itself at a step; 0 for never.

    Returns:
        Its exit status, the kinds of its steps, none if it was killed, and what it has said.
    """
    note = stages.temporary.parent / f"note-{step}"
    words = [sys.executable, "-m", "tests.stress.faults.dying", str(step), str(note), "worker", f"--cache={cache}"]
    done = subprocess.run(
        words,
        input=stream,
        check=False,
        capture_output=True,
        env=stages.env,
        cwd=_REPOSITORY,
        timeout=LIMIT_SECONDS,
    )
    return done.returncode, note.read_text().split() if note.exists() else [], done.stderr.decode()


def names_in(cache: Path) -> set[bytes]:
    """The names of the objects that a cache has, of all senders."""
    return {bytes.fromhex(path.parent.name + path.name) for path in cache.glob("1/*/*/??/[0-9a-f]*")}


def check_intact(cache: Path) -> None:
    """Check that every object is what its name says.

    Raises:
        AssertionError: one is not.
    """
    with opened(cache) as place:
        done = verify(place)
    assert (done.removed, done.stuck) == (0, []), done


def check_nothing_left(cache: Path) -> None:
    """Check that nothing is left of jobs that were killed, after the cache was pruned.

    Raises:
        AssertionError: there is.
    """
    evict_to(cache, LARGE)
    hidden = {str(path.relative_to(cache)) for path in cache.rglob(".*")}
    assert hidden == {f"1/{name}" for name in (JOBS, LOCK, SIZE)}, hidden
    assert os.listdir(cache / "1" / JOBS) == []


def check_next_job(stored: Stored, cache: Path, target: Path) -> int:
    """Offer the tree to a worker with this cache; it arrives, and only what was not kept is sent.

    Returns:
        How many contents were sent.

    Raises:
        AssertionError: that is not so.
    """
    check_intact(cache)
    before = names_in(cache)
    target.mkdir()

    def look() -> None:
        assert take_snapshot(target) == take_snapshot(stored.source)

    with open_store(cache) as store:
        made = send(stored.snapshot, target, store, job=look)
    sent = [digest(data, ALGORITHM) for data in made.contents]
    assert sorted(sent) == sorted(set(stored.contents) - before)
    assert names_in(cache) == before | set(objects_of(stored.snapshot))
    check_intact(cache)
    check_nothing_left(cache)
    return len(sent)


def die_at(directory: Path, stored: Stored, step: int) -> int | None:
    """Let a worker die at a step, and look at what it leaves.

    Returns:
        How many contents the next job had to bring; None if the worker had ended before that step.

    Raises:
        AssertionError: a promise is broken.
    """
    cache, temporary = directory / "cache", directory / "tmp"
    temporary.mkdir(parents=True)
    stages = Stages(temporary)
    status, _, said = serve(stages, cache, stored.stream, step)
    if status == 0:
        return None
    assert status == -signal.SIGKILL, said
    if stages.leftovers():
        stages.call("worker")  # which removes what others have left
    assert stages.leftovers() == []
    return check_next_job(stored, cache, directory / "target")


RACER = """
import random, shutil, signal, sys, tempfile
from pathlib import Path
from playstream.pipeline.errors import JobError
from tests.stress.faults.stores import make_tree
from tests.worker.cache.cached import open_store
from tests.worker.cache.offered import send, send_one_way, take

place, sender, seed, rounds = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
chance = random.Random(seed)
outer = Path(tempfile.mkdtemp(dir=sys.argv[5]))
trees = [make_tree(outer / f"source-{number}", (seed + number) % 4) for number in range(2)]
known = {each.snapshot.root: each.snapshot.objects for each in trees}
print("begins", flush=True)
for number in range(rounds):
    stored, other = chance.sample(trees, 2)
    target = outer / "spool" / "target"
    target.mkdir(parents=True)

    def work():
        assert take(target).root == stored.snapshot.root, "another tree has arrived"
        for path in list(target.rglob("*")):
            if path.is_file() and not path.is_symlink() and chance.random() < 0.1:
                path.write_bytes(b"job")

    with open_store(place, sender) as store:
        if chance.random() < 0.3:
            send_one_way(stored.snapshot, target, store)
            work()
        else:
            send(stored.snapshot, target, store, since={other.snapshot.root: known[other.snapshot.root]}, job=work)
        assert store.trouble is None, store.trouble
    shutil.rmtree(outer / "spool")
print("ends")
"""
"""A sender and its worker, again and again. The trees of all have parts in common."""

TENDER = """
import signal, sys
from pathlib import Path
from playstream.worker.cache.eviction import evict, evicting
from playstream.worker.cache.inspection import verify
from tests.worker.cache.cached import opened

done = False
def stop(*_):
    global done
    done = True
signal.signal(signal.SIGTERM, stop)
place = Path(sys.argv[1])
print("begins", flush=True)
count = 0
while not done:
    with opened(place) as fd:
        if sys.argv[2] == "verify":
            found = verify(fd)
            assert (found.removed, found.stuck) == (0, []), found
        else:
            with evicting(fd) as alone:
                if alone:
                    evict(fd, 0)
    count += 1
print(count)
"""
"""What `cache verify` or `cache prune --all` does, again and again."""


@contextmanager
def started(program: str, *words: object) -> Iterator[subprocess.Popen[str]]:
    """A Python program that has said that it begins; killed at the end if it still runs."""
    process = subprocess.Popen(
        [sys.executable, "-c", program, *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=_REPOSITORY,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "begins\n", process.communicate()[1]
        yield process
    finally:
        process.kill()
        process.communicate()


def race(directory: Path, senders: list[str], rounds: int, before_each: Callable[[], object] | None = None) -> int:
    """Let senders bring the same trees, and such that have much in common, while the cache is verified and pruned.

    Args:
        directory: an empty one.
        senders: the division of each.
        rounds: how many jobs each has.
        before_each: if it is given, all but the first are killed one after another, and it is called before each.

    Returns:
        How often the cache was verified or pruned meanwhile.

    Raises:
        AssertionError: a promise is broken.
    """
    cache = directory / "cache"
    cache.mkdir(mode=0o700)
    beside = 0
    with (
        started(TENDER, cache, "verify") as verifying,
        started(TENDER, cache, "prune") as pruning,
        _all_started([(RACER, cache, sender, n, rounds, directory) for n, sender in enumerate(senders)]) as racers,
    ):
        if before_each is not None:
            for racer in racers[1:]:
                before_each()
                racer.kill()
        for number, racer in enumerate(racers):
            said, wrong = racer.communicate(timeout=10 * LIMIT_SECONDS)
            if before_each is None or number == 0:
                assert (racer.returncode, said) == (0, "ends\n"), wrong
        for tender in (verifying, pruning):
            tender.terminate()
            said, wrong = tender.communicate(timeout=LIMIT_SECONDS)
            assert tender.returncode == 0, wrong
            beside += int(said)
    check_intact(cache)
    check_nothing_left(cache)
    return beside


@contextmanager
def _all_started(programs: list[tuple[object, ...]]) -> Iterator[list[subprocess.Popen[str]]]:
    if not programs:
        yield []
        return
    (program, *words), *rest = programs
    with started(str(program), *words) as first, _all_started(rest) as others:
        yield [first, *others]


def _sleep(chance: random.Random) -> None:
    time.sleep(chance.random() * _KILLED_SECONDS / _RACERS)


def measure(flags: argparse.Namespace, report: Report) -> None:
    """Kill a worker at each of its steps; let senders race, with and without deaths."""
    row = "SIGKILL to a worker at each step of storing a tree: contents that the next job brings"
    with tempfile.TemporaryDirectory() as name:
        outer = Path(name)
        stored = make_tree(outer / "source")
        (outer / "whole" / "tmp").mkdir(parents=True)
        _, steps, _ = serve(Stages(outer / "whole" / "tmp"), outer / "whole" / "cache", stored.stream, 0)

        def die(step: int) -> None:
            try:
                report.add(row, die_at(outer / f"step-{step}", stored, step), "contents")
            except Exception as error:  # noqa: BLE001 - whatever it is, it is a broken promise
                report.fail(row, f"step {step} of {len(steps)}: {error!r}")

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(die, range(1, len(steps) + 1)))
    for what, senders in (("one sender", ["user"] * _RACERS), ("six senders", [f"user-{n}" for n in range(_RACERS)])):
        for killed in (False, True):
            row = f"{_RACERS} jobs at once of {what}{', some killed' if killed else ''}: the cache verified or pruned"
            for number in range(max(1, flags.moments // 10)):
                chance = random.Random(f"{flags.seed} {row} {number}")
                wait = partial(_sleep, chance) if killed else None
                with tempfile.TemporaryDirectory() as name:
                    try:
                        count = race(Path(name), senders, _ROUNDS, wait)
                        report.add(row, count, "times")
                    except Exception as error:  # noqa: BLE001 - whatever it is, it is a broken promise
                        report.fail(row, f"{number}: {error!r}")
