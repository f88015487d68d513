"""Jobs of one sender after one another, as the tests of ready trees need them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from playstream.pipeline.io.removal import discard
from playstream.pipeline.limits import DEFAULT_LIMITS, Limits
from playstream.transmit.snapshot import TreeObjects
from playstream.worker.cache.ready import READY
from tests.pipeline.tree.conftest import take_snapshot
from tests.worker.cache.cached import ALGORITHM, LARGE, open_store
from tests.worker.cache.offered import Travelled, send, take


class Jobs:
    """Jobs of one sender after one another, each in a spool of its own, which is removed afterwards."""

    def __init__(self, base: Path) -> None:
        self.cache = base / "cache"
        self._base = base
        self.known: dict[bytes, TreeObjects] = {}
        """The earlier trees that the next job names, and what they are made of."""
        self._numbers = iter(range(1000))

    @contextmanager
    def spool(self) -> Iterator[Path]:
        spool = self._base / f"spool-{next(self._numbers)}"
        (spool / "data").mkdir(parents=True)
        try:
            yield spool / "data"
        finally:
            assert discard(spool)

    def run(
        self,
        source: Path,
        job: Callable[[Path], object] = lambda _tree: None,
        *,
        sender: str = "user",
        max_bytes: int = LARGE,
        replace: bool = False,
        limits: Limits = DEFAULT_LIMITS,
    ) -> Ran:
        """Run one; return what has travelled, and which files it had."""
        snapshot = take(source)
        files: dict[str, tuple[int, int]] = {}

        def work(tree: Path) -> None:
            assert take_snapshot(tree) == take_snapshot(source)
            for path in tree.rglob("*"):
                if path.is_file():
                    files[str(path.relative_to(tree))] = path.stat().st_ino, path.stat().st_ctime_ns
            job(tree)

        with self.spool() as tree, open_store(self.cache, sender, max_bytes) as store:
            travelled = send(
                snapshot,
                tree,
                store,
                since=dict(self.known),
                limits=limits,
                replace=replace,
                job=lambda: work(tree),
            )
        self.known = {snapshot.root: snapshot.objects, **self.known}
        return Ran(travelled, files)

    def ready(self, sender: str = "user") -> list[str]:
        """The names of the trees that are ready."""
        place = self.cache / "1" / sender / ALGORITHM / READY
        return os.listdir(place) if place.exists() else []


class Ran:
    """A job that has ended."""

    def __init__(self, travelled: Travelled, files: dict[str, tuple[int, int]]) -> None:
        self.travelled = travelled
        self.files = files
        """The inode and the time of change of each file of its tree, which together no other file has."""
