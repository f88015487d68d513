"""Sessions that offer their tree: the stream of a job whose worker has a cache."""

from __future__ import annotations

import os
import random
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from playstream.pipeline.dialect import Dialect
from playstream.pipeline.protocol import Content, Job, Record
from playstream.pipeline.protocol.order import Direction
from playstream.transmit.snapshot import NOTHING
from tests.stress.faults.sessions import PLAYBOOK, Session, pieces
from tests.worker.cache.offered import objects_of, take


@dataclass(frozen=True)
class OfferSession(Session):
    """The stream of a job that offers its tree."""

    kind: str = ""

    def __str__(self) -> str:
        return f"{super().__str__()}, {self.kind}"


def _write(root: Path, files: dict[str, bytes]) -> None:
    """Write files, with the same times whenever that is."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    for path in root.rglob("*"):
        os.utime(path, ns=(0, 1_700_000_000_000_000_000))


def _offer(size: int, kind: str, *, asks: bool, builds: bool) -> OfferSession:
    files = {"inventory/hosts": b"node1\n", "project/x.yml": PLAYBOOK}
    chance = random.Random(4)
    if size:
        files |= {f"project/data/{number}": chance.randbytes(size // 20) for number in range(20)}
        files["project/large"] = chance.randbytes(size) + bytes(1 << 20)
    with tempfile.TemporaryDirectory() as name:
        _write(Path(name), files)
        earlier = take(Path(name))
        known = earlier.objects if builds else NOTHING
        kept = objects_of(earlier) if builds else {}
        if builds:
            changed = {"project/x.yml": PLAYBOOK * 2}
            changed |= {f"project/data/{number}": chance.randbytes(size // 10 + 99) for number in range(9)}
            _write(Path(name), changed)
            files |= changed
        snapshot = take(Path(name))
        tree: list[Record] = [snapshot.offer([earlier.root] if builds else [], asks=asks), *snapshot.listings(known)]
        tree += [each for each in snapshot.contents_without(known) if isinstance(each, Content)]
    job = Job("1", tree=True, playbook="x.yml")
    data = b"".join(pieces(Dialect.PLAYSTREAM, Direction.JOB, [job, *tree, snapshot.end()]))
    return OfferSession(Dialect.PLAYSTREAM, Direction.JOB, data, 0, files, kept=kept, kind=kind)


@cache
def offer_all(size: int = 0) -> OfferSession:
    """All of a small tree, or of one with twice `size` bytes that do not compress, without a question."""
    return _offer(size, "everything without a question", asks=False, builds=False)


@cache
def offer_changes(size: int = 0) -> OfferSession:
    """What has changed in it since an earlier state that the worker has, without a question."""
    return _offer(size, "changes without a question", asks=False, builds=True)


@cache
def offer_answers(size: int = 0) -> OfferSession:
    """All of it, as answers to what the worker asks for."""
    return _offer(size, "answers", asks=True, builds=False)


OFFERS = (offer_all, offer_changes, offer_answers)
