"""A place for a stage to work in, watched from all sides, and the stages called in it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playstream.pipeline.errors import PlaystreamError
from playstream.pipeline.io.stdio import Connection
from playstream.pipeline.limits import DEFAULT_LIMITS, Limits
from playstream.process import Observer, Result
from playstream.process.receiving import process
from playstream.worker import WorkerOptions
from playstream.worker.serving import work
from tests.pipeline.tree.conftest import Snapshot, take_snapshot


@dataclass(frozen=True)
class Place:
    """Directories for one call of a stage; nothing but `target` may be changed by it."""

    outer: Path

    @property
    def target(self) -> Path:
        """The worker's private data directory, or the artifact directory of process."""
        return self.outer / "above" / "target"

    @property
    def guarded(self) -> Path:
        """What hostile paths aim at."""
        return self.outer / "guarded"

    @property
    def temporary(self) -> Path:
        """TMPDIR of the stage."""
        return self.outer / "temporary"

    def kept(self) -> set[str]:
        """Paths below the target. Directories that their owner may not enter are opened for that."""
        for directory, names, _ in os.walk(self.target):
            for name in names:
                path = Path(directory, name)
                if not path.is_symlink() and not os.access(path, os.R_OK | os.X_OK):
                    path.chmod(0o700)
        return {os.fsdecode(path) for path in take_snapshot(self.target)}


@contextmanager
def open_place() -> Iterator[Place]:
    """A new place. At the end nothing outside its target has changed, and nothing is left among temporary files."""
    with tempfile.TemporaryDirectory() as name:
        place = Place(Path(name))
        for directory in (place.guarded / "directory", place.temporary, place.target):
            directory.mkdir(parents=True, mode=0o700)
        (place.guarded / "secret").write_bytes(b"secret")
        (place.guarded / "s1_host").write_text('{"__payload__": "{}"}')
        before = _outside(place)
        usual, tempfile.tempdir = tempfile.tempdir, str(place.temporary)
        try:
            yield place
        finally:
            tempfile.tempdir = usual
        assert _outside(place) == before


def _outside(place: Place) -> Snapshot:
    """All but what lies in the target, and the times of the directories that a stage makes and removes entries in."""
    inside, worked_in = b"above/target/", {b"temporary", b"above/target"}
    found = take_snapshot(place.outer)
    return {
        path: entry[:2] if path in worked_in else entry for path, entry in found.items() if not path.startswith(inside)
    }


@dataclass(frozen=True)
class Answer:
    """What a stage made of a stream."""

    error: type[PlaystreamError] | None
    """None when it took the stream for a whole and honest one."""
    message: str
    kept: set[str]
    """Paths below the target."""


def call_worker(
    place: Place, stream: bytes, *, own_directory: bool, limits: Limits = DEFAULT_LIMITS, cache: Path | None = None
) -> Answer:
    """The worker stage on descriptors. `own_directory` is --private-data-dir, where files give way to a tree's."""
    options = WorkerOptions(private_data_dir=place.target if own_directory else None, limits=limits, cache=cache)
    error: PlaystreamError | None = None
    with tempfile.TemporaryFile() as incoming, tempfile.TemporaryFile() as outgoing:
        incoming.write(stream)
        incoming.seek(0)
        try:
            work(Connection(incoming.fileno(), outgoing.fileno()), options=options)
        except PlaystreamError as caught:
            error = caught
        outgoing.seek(0)
        answered = outgoing.read()
    assert answered, "the other side was told nothing"
    return Answer(None if error is None else type(error), str(error or ""), place.kept())


def call_process(place: Place, stream: bytes, *, limits: Limits = DEFAULT_LIMITS) -> Answer:
    """The process stage on a descriptor."""
    with tempfile.TemporaryFile() as incoming:
        incoming.write(stream)
        incoming.seek(0)
        result = process(Connection(incoming.fileno()), place.target, Observer(), limits=limits)
    return Answer(_error_of(result), result.explanation or "", place.kept())


def _error_of(result: Result) -> type[PlaystreamError] | None:
    classes = {cls.exit_status: cls for cls in _classes()}
    return classes.get(result.exit_status) if result.status.value == "error" else None


def _classes(base: type[PlaystreamError] = PlaystreamError) -> Iterator[type[PlaystreamError]]:
    yield base
    for cls in base.__subclasses__():
        yield from _classes(cls)


Side = Callable[[Place, bytes], Answer]
SIDES: dict[str, Side] = {
    "worker": lambda place, stream: call_worker(place, stream, own_directory=False),
    "worker in a directory": lambda place, stream: call_worker(place, stream, own_directory=True),
    "process": call_process,
}
"""The stages that take a tree: the worker trusts its sender, in the spool and in a directory of the user's; process
does not."""
