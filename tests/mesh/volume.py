"""A job with much to send and many results, and the memory of each process that carries them."""

from __future__ import annotations

import hashlib
import os
import time
from dataclasses import dataclass
from pathlib import Path

from playstream.mesh.streams import Sizes
from tests.mesh.meshes import Mesh
from tests.mesh.nodes import World
from tests.mesh.servers import CURRENT
from tests.processes import Repeating, children, command_line
from tests.stages import Stages
from tests.stress.load.measure import MIB, peak_of

FAKES = Path(__file__).parent / "fakes"
MOST_MEMORY = 100 * MIB
"""What each process of playstream may hold."""
_SIZES = Sizes(queue_bytes=1 << 20, input_bytes=1 << 26, output_bytes=3 << 30, state_bytes=1 << 22)
_PAUSE = 0.05
_PIECE = 1 << 22


@dataclass(frozen=True)
class Carried:
    """What it took to carry a job and its results."""

    peaks: dict[str, int]
    """The most memory of each process, in bytes: of playstream's ones, and of the server."""
    seconds: float


class _Watch(Repeating):
    """Asks again and again for the peaks of a submitter, a node, its children, and a server."""

    def __init__(self, submitter: int, node: int, server: int) -> None:
        self.peaks: dict[str, int] = {}
        self._named = {submitter: "submitter", node: "node", server: "nats-server"}
        self._node = node
        super().__init__(self._look, pause=_PAUSE)

    def _look(self) -> None:
        for pid in children(self._node):
            words = command_line(pid)
            if b"\0worker\0" in words:
                self._named.setdefault(pid, "worker")
                for below in children(pid):
                    if b"guard_program.py" in command_line(below):
                        self._named.setdefault(below, "guard")
        for pid, name in self._named.items():
            self.peaks[name] = max(self.peaks.get(name, 0), peak_of(pid))


def carry(stages: Stages, folder: Path, size: int, *flags: str) -> Carried:
    """Run a job of so many bytes that do not compress, with as many bytes of output, on a mesh of its own.

    Args:
        stages: start the processes.
        folder: where all of it goes.
        size: bytes in each direction.
        flags: further flags of the submitter.

    Raises:
        AssertionError: something has arrived otherwise than it was sent, or a process has held too much.
    """
    stages.path_before.append(FAKES)
    demo, place = folder / "demo", folder / "place"
    for path in (demo / "project", demo / "inventory", place):
        path.mkdir(parents=True)
    (demo / "project" / "volume.yml").write_text("[]\n")
    sent = _write_random(demo / "project" / "large", size)
    ask_for(demo, place, size)
    mesh = Mesh(CURRENT, folder / "mesh", lost_after=30.0).start()
    try:
        world = World(mesh, stages, folder, sizes=_SIZES)
        try:
            node = world.node("node1")
            began = time.monotonic()
            job = world.start(demo, "volume.yml", "-q", "-i", "one", *flags)
            with _Watch(job.pid, node.process.pid, mesh.pid) as watch:
                status, _stdout, stderr = world.finish(job, seconds=None)
            seconds = time.monotonic() - began
        finally:
            world.close()
    finally:
        mesh.kill()
    assert status == 0, stderr
    assert (place / "in").read_text() == sent
    assert (place / "out").read_text() == _digest(demo / "artifacts" / "one" / "stdout")
    for name in ("submitter", "node", "worker", "guard"):
        peak = watch.peaks.get(name, 0)
        assert 0 < peak < MOST_MEMORY, f"{name} held {peak / MIB:.0f} MiB"
    return Carried(watch.peaks, seconds)


def ask_for(directory: Path, place: Path, size: int) -> None:
    """Let the stand-in print so many bytes in a job, and write what it has done into another directory."""
    (directory / "env").mkdir()
    (directory / "env" / "envvars").write_text(f"VOLUME_PLACE: {place}\nVOLUME_BYTES: '{size}'\n")


def _write_random(path: Path, size: int) -> str:
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for _ in range(size // _PIECE):
            data = os.urandom(_PIECE)
            digest.update(data)
            file.write(data)
    return digest.hexdigest()


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
