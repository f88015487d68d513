"""Jobs over `exec:` whose worker has a cache, with a fault between: both questions are asked, and answers travel."""

from __future__ import annotations

import random
import shlex
import shutil
import sys
from pathlib import Path

from playstream.pipeline.protocol import Content, Listing, Want
from playstream.pipeline.protocol.order import Direction
from tests.links.workers import records_in
from tests.stages import Stages
from tests.stress.faults.faulty import DOWN, UP
from tests.stress.faults.link import Fault, Kind
from tests.stress.faults.over_links import LinkFault, Outcome, check, run
from tests.stress.faults.stores import check_intact, check_nothing_left

_FILES = 30
_BYTES = 6000
_NEVER = LinkFault(Fault(Kind.DRIBBLE, 1 << 30), UP)


class CachedLink:
    """A Connect whose worker has a cache with an earlier state of the tree, which has lost things since.

    Each job has a copy of the cache, and of what this side remembers, so that the same bytes travel each time.

    Args:
        stages: what starts the jobs.
        directory: the private data directory, to which files are added.
    """

    def __init__(self, stages: Stages, directory: Path) -> None:
        self._prepared = directory.parent / "prepared"
        self._prepared.mkdir(mode=0o700)
        chance = random.Random(5)
        data = directory / "project" / "data"
        data.mkdir()
        for number in range(_FILES):
            (data / str(number)).write_bytes(chance.randbytes(_BYTES))
        (directory / "project" / "large").write_bytes(chance.randbytes((1 << 20) + 5))
        self._fresh = True
        first = run(stages, directory, "first", self, _NEVER)
        check(first, _NEVER, (first.artifacts / "stdout").read_bytes())
        self._fresh = False
        for name in ("cache", "remembered"):
            (first.notes / name).rename(self._prepared / name)
        objects = sorted(self._prepared.glob("cache/1/*/*/??/*"))
        contents = [path for path in objects if path.stat().st_size == _BYTES]
        contents[0].unlink()
        contents[1].write_bytes(b"damaged")
        for number in range(5):
            (data / str(number)).write_bytes(chance.randbytes(_BYTES))
        with (directory / "project" / "large").open("r+b") as file:
            file.seek(200_000)
            file.write(b"changed")

    def __call__(self, fault: LinkFault, notes: Path) -> tuple[str, list[str]]:
        """Return `exec:` with a fault, and words before `run`."""
        if not self._fresh:
            for name in ("cache", "remembered"):
                shutil.copytree(self._prepared / name, notes / name)
        worker = (sys.executable, "-m", "playstream", "worker", f"--cache={notes / 'cache'}", *fault.limits)
        return "exec:" + shlex.join(fault.words(notes, *worker)), ["env", f"XDG_CACHE_HOME={notes / 'remembered'}"]

    def check(self, outcome: Outcome) -> None:
        """Check what a job has left in the cache.

        Raises:
            AssertionError: a promise is broken.
        """
        cache = outcome.notes / "cache"
        left = [path for path in cache.glob("1/*/*/??/*") if path.read_bytes() == b"damaged"]
        for path in left:
            path.unlink()  # the job has ended before it was read
        check_intact(cache)
        check_nothing_left(cache)

    def check_exchange(self, outcome: Outcome) -> None:
        """Check that a job without a fault has asked for listings and contents.

        Raises:
            AssertionError: it has not.
        """
        wants = [each.listings for each in records_in(outcome.notes / DOWN, Direction.RESULT) if isinstance(each, Want)]
        assert wants == [True, False]
        sent = records_in(outcome.notes / UP, Direction.JOB)
        assert sum(isinstance(each, Listing) for each in sent) == 5, "the root, two directories, a file, its blocks"
        assert sum(isinstance(each, Content) for each in sent) == 8
