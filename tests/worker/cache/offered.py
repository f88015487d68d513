"""An offer without a stream: the sender's half and the worker's half in one process."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from playstream.pipeline.limits import DEFAULT_LIMITS, Limits
from playstream.pipeline.protocol import Content, FileEntry, Log, Record, Want
from playstream.pipeline.tree.digests import digest
from playstream.pipeline.tree.listings import Hashed
from playstream.pipeline.tree.pack import hash_tree
from playstream.pipeline.tree.short_listings import SHORT, expand
from playstream.transmit.memory import Memory
from playstream.transmit.snapshot import NOTHING, Snapshot, TreeObjects
from playstream.worker.cache.assembly import Assembly, Objects
from playstream.worker.cache.written import Written

ALGORITHM = "blake2b"


class Kept(dict[bytes, bytes]):
    """A cache in memory. With `keeps` False it keeps nothing, as on a full disk."""

    keeps = True

    def read(self, name: bytes, /) -> bytes | None:
        data = self.get(name)
        if data is not None and digest(data, ALGORITHM) != name:
            del self[name]
            return None
        return data

    def read_ahead(self, names: Sequence[bytes], /) -> Iterator[bytes | None]:
        return map(self.read, names)

    def holds(self, name: bytes, /) -> bool:
        return name in self

    def write(self, data: bytes, name: bytes | None = None, /) -> bytes:
        name = digest(data, ALGORITHM)
        if self.keeps:
            self[name] = data
        return name

    def use_tree(self, root: bytes, /) -> None:
        self.used = root

    def is_near(self, _target: Path, /) -> bool:
        return False

    def which_ready(self, _roots: Sequence[bytes], /) -> list[bytes]:
        return []

    def take_ready(self, _roots: Sequence[bytes], _target: Path, /) -> Written | None:
        return None

    def keep_ready(self, _written: Written, _target: Path, /) -> None:
        pass


def take(root: Path, memory: Memory | None = None) -> Snapshot:
    """Return the snapshot of a directory."""
    snapshot = Snapshot(ALGORITHM)
    own = memory or Memory(Path("/dev/null"), ALGORITHM)  # which remembers nothing
    for item in hash_tree(root, own):
        if isinstance(item, (FileEntry, Hashed)):
            snapshot.add(item)
    snapshot.finish()
    if memory is None:
        own.close()
    return snapshot


def objects_of(snapshot: Snapshot) -> dict[bytes, bytes]:
    """Return what a tree consists of, by name."""
    listings = [expand(each.data, ()) if each.data[:1] == SHORT else each.data for each in snapshot.listings()]
    contents = [each.data for each in snapshot.contents_without(NOTHING) if isinstance(each, Content)]
    return {digest(data, ALGORITHM): data for data in (*listings, *contents)}


@dataclass
class Travelled:
    """What was asked for and sent."""

    wants: list[Want] = field(default_factory=list)
    listings: int = 0
    contents: list[bytes] = field(default_factory=list)
    logs: list[str] = field(default_factory=list)


def send(
    snapshot: Snapshot,
    target: Path,
    store: Objects,
    *,
    since: dict[bytes, TreeObjects] | None = None,
    limits: Limits = DEFAULT_LIMITS,
    replace: bool = False,
    before_contents: Callable[[], object] = lambda: None,
    job: Callable[[], object] = lambda: None,
) -> Travelled:
    """Offer a tree to a worker, and answer its questions.

    Args:
        snapshot: the tree.
        target: where the worker writes it.
        store: the worker's cache.
        since: earlier trees, and what they are made of.
        limits: the worker's.
        replace: whether existing files are replaced.
        before_contents: called before the contents are read.
        job: called when the tree is complete. Afterwards the worker keeps it for the next job.
    """
    earlier = since or {}
    questions: list[Record] = []
    made = Travelled()
    assembly = Assembly(snapshot.offer(earlier), target, store, questions.append, limits=limits, replace=replace)
    with closing(assembly):
        assembly.begin()
        while questions:
            want = questions.pop(0)
            assert isinstance(want, Want)
            made.wants.append(want)
            if want.listings:
                for listing in snapshot.listings(earlier.get(want.since, NOTHING)):
                    made.listings += 1
                    assembly.receive(listing)
            else:
                before_contents()
                for content in snapshot.contents(want.contents):
                    if isinstance(content, Log):
                        made.logs.append(content.message)
                    else:
                        made.contents.append(content.data)
                        assembly.receive(content)
        assembly.receive(snapshot.end())
        assert assembly.complete
    job()
    assembly.keep_ready()
    return made


def send_one_way(
    snapshot: Snapshot, target: Path, store: Objects, since: bytes = b"", known: TreeObjects = NOTHING
) -> Travelled:
    """Send what is not in an earlier tree, without being asked."""
    made = Travelled()
    offer = snapshot.offer([since] if since else [], asks=False)
    assembly = Assembly(offer, target, store, _refuse, limits=DEFAULT_LIMITS, replace=False)
    with closing(assembly):
        assembly.begin()
        for listing in snapshot.listings(known):
            made.listings += 1
            assembly.receive(listing)
        for content in snapshot.contents_without(known):
            assert isinstance(content, Content)
            made.contents.append(content.data)
            assembly.receive(content)
        assembly.receive(snapshot.end())
        assert assembly.complete
    return made


def _refuse(record: Record) -> None:
    raise AssertionError(f"nothing may be asked: {record}")
