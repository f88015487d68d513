"""A tree that is offered, for what is done to it on its way, and the parts that hostile listings are made of."""

from __future__ import annotations

import atexit
import os
import shutil
import struct
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from hypothesis import strategies as st
from hypothesis.strategies import DataObject, DrawFn

from playstream.pipeline.errors import PlaystreamError, RemoteProtocolError
from playstream.pipeline.limits import Limits
from playstream.pipeline.protocol import Content, FileType, Listing, Offer, Record, TreeEnd, Want
from playstream.pipeline.protocol.order import Direction
from playstream.pipeline.tree.digests import DIGEST_SIZE, digest
from playstream.pipeline.tree.listings import Hashed, read_directory, references, walk
from playstream.pipeline.tree.short_listings import shorten
from playstream.transmit.snapshot import NOTHING, Snapshot, TreeObjects
from playstream.worker.cache.assembly import Assembly
from tests.pipeline.protocol.strategies import mutations
from tests.stress.hostile.streams import JOB, native
from tests.worker.cache.offered import ALGORITHM, Kept, objects_of, take

Sent = Listing | Content | TreeEnd
ENTRY = struct.Struct("<BHqQIHH")
"""The fixed part of an entry, as docs/protocol.md has it."""
LARGE = (1 << 20) + 5
"""Size of the file that is sent in blocks. All but the last are the same."""


@cache
def source() -> Path:
    """A directory with files of every kind, which nobody changes."""
    root = Path(mkdtemp(prefix="playstream-offered-"))
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    for name, data in {"a": b"hello", "d/b": b"hello", "d/c": b"world" * 9, "d/e/f": b"x", "empty": b""}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    (root / "large").write_bytes(bytes(LARGE))
    (root / "link").symlink_to("d/e")
    os.link(root / "a", root / "d" / "second")
    return root


@cache
def offered() -> Snapshot:
    """The snapshot of that directory."""
    return take(source())


@cache
def objects() -> dict[bytes, bytes]:
    """What it consists of, by name."""
    return objects_of(offered())


def answer(want: Want, earlier: TreeObjects) -> list[Sent]:
    """What a sender answers."""
    snapshot = offered()
    if want.listings:
        return list(snapshot.listings(earlier if want.since else NOTHING))
    contents = [record for record in snapshot.contents(want.contents) if isinstance(record, Content)]
    return [*contents, snapshot.end()]


@st.composite
def disturbed(draw: DrawFn, records: Sequence[Sent]) -> list[Sent]:
    """The records with up to two things wrong with them."""
    found = list(records)
    for _ in range(draw(st.integers(0, 2))):
        place = draw(st.integers(0, len(found)))
        kind = draw(st.sampled_from(["change", "drop", "double", "swap", "insert", "turn", "cut"]))
        if kind == "insert":
            found.insert(place, draw(FOREIGN))
        elif place == len(found):
            continue
        elif kind == "drop":
            del found[place]
        elif kind == "cut":
            del found[place:]
        elif kind == "double":
            found.insert(draw(st.integers(0, len(found))), found[place])
        elif kind == "swap":
            other = draw(st.integers(0, len(found) - 1))
            found[place], found[other] = found[other], found[place]
        elif kind == "turn":
            data = getattr(found[place], "data", b"")
            turned: list[Sent] = [Listing(data), Content(data), Content(data, changed=True)]
            found[place] = draw(st.sampled_from(turned))
        else:
            found[place] = draw(_changed(found[place]))
    return found


def _changed(record: Sent) -> st.SearchStrategy[Sent]:
    """The record with other bytes, or other numbers, in it."""
    if isinstance(record, TreeEnd):
        return st.builds(TreeEnd, st.integers(-1, 12), st.integers(-1, LARGE * 2))
    rest = record.data[2000:]
    return mutations(record.data[:2000]).map(lambda data: replace(record, data=data + rest))


FOREIGN: st.SearchStrategy[Sent] = st.one_of(
    st.binary(max_size=60).map(Listing),
    st.builds(Content, st.binary(max_size=20) | st.just(b"hello"), st.booleans()),
    st.builds(TreeEnd, st.integers(-1, 12), st.integers(-1, LARGE * 2)),
    st.sampled_from([Listing(b"D"), Listing(b"G"), Listing(b"B" + bytes(32)), Listing(b"S" + bytes(4))]),
)


class Lossy(Kept):
    """A cache that has lost things, or keeps nothing, and checks that nothing wrong comes into it or out of it."""

    def read(self, name: bytes, /) -> bytes | None:
        data = super().read(name)
        assert data is None or digest(data, ALGORITHM) == name
        return data

    def check(self, damaged: frozenset[bytes]) -> None:
        """Only what was damaged before may be wrong.

        Raises:
            AssertionError: something else is.
        """
        assert {name for name, data in self.items() if digest(data, ALGORITHM) != name} <= damaged


@dataclass(frozen=True)
class Assembled:
    """How a worker's half has ended."""

    error: PlaystreamError | None
    complete: bool
    name: str | None
    wants: list[Want]


def assemble(
    data: DataObject, offer: Offer, target: Path, store: Kept, limits: Limits, earlier: TreeObjects
) -> Assembled:
    """Offer the tree, and disturb whatever is answered or follows."""
    asked: list[Record] = []
    wants: list[Want] = []
    assembly = Assembly(offer, target, store, asked.append, limits=limits, replace=data.draw(st.booleans()))
    error = None
    with closing(assembly):
        try:
            assembly.begin()
            if not offer.asks:
                known = earlier if offer.since else NOTHING
                unasked: list[Sent] = [*offered().listings(known)]
                unasked += [each for each in offered().contents_without(known) if isinstance(each, Content)]
                _receive(assembly, data.draw(disturbed([*unasked, offered().end()])))
            while len(asked) > len(wants):
                want = asked[len(wants)]
                assert isinstance(want, Want)
                wants.append(want)
                _receive(assembly, data.draw(disturbed(answer(want, earlier))))
        except PlaystreamError as caught:
            error = caught
    return Assembled(error, assembly.complete, assembly.name, wants)


def _receive(assembly: Assembly, records: Sequence[Sent]) -> None:
    """Give it records, as far as the order of a stream allows them."""
    for record in records:
        if assembly.complete:
            return
        assembly.receive(record)


NAMES = st.sampled_from([b"a", b"b", b"c", b"..", b".", b"", b"a/b", b"a\0", b"n" * 256, b"\xff"]) | st.binary(
    max_size=4
)
KINDS = st.sampled_from([int(kind) for kind in FileType]) | st.integers(0, 255)
SIZES = st.sampled_from([0, 0, 1, 5, 65536, 1 << 20, LARGE, 1 << 36, 2**63, 2**64 - 1])


@st.composite
def entries(draw: DrawFn, hashes: Sequence[bytes]) -> bytes:
    """An entry of a listing. It is often valid."""
    kind, size, name, target = int(FileType.FILE), 0, draw(NAMES), b""
    tail = b""
    form = draw(st.sampled_from(["file", "file", "directory", "directory", "link", "large", "any"]))
    if form == "file":
        size, tail = 5, draw(st.sampled_from(hashes))
    elif form == "directory":
        kind, tail = int(FileType.DIRECTORY), draw(st.sampled_from(hashes))
    elif form == "link":
        kind, target = draw(st.sampled_from([(int(FileType.SYMLINK), b"../guarded"), (int(FileType.HARDLINK), b"")]))
    elif form == "large":
        size, tail = draw(SIZES), draw(st.sampled_from(hashes))
    else:
        kind, size, target = draw(KINDS), draw(SIZES), draw(st.binary(max_size=3))
        tail = draw(st.sampled_from(hashes) | st.just(b"") | st.binary(max_size=40))
    mode = draw(st.sampled_from([0o755, 0o644, 0, 0o6755, 0o10000]))
    mtime = draw(st.sampled_from([0, 1_700_000_000_000_000_000, -1, -(2**63), 2**63 - 1]))
    link = draw(st.integers(0, 2))
    return ENTRY.pack(kind, mode, mtime, size, link, len(name), len(target)) + name + target + tail


@st.composite
def hostile_objects(draw: DrawFn) -> list[bytes]:
    """Objects of which each may name those before it, as anything, and the root comes last."""
    made = [b"hello", b"D", b"x"]
    for _ in range(draw(st.integers(1, 7))):
        hashes = [digest(data, ALGORITHM) for data in made] + [bytes(32)]
        kind = draw(st.sampled_from([b"D", b"D", b"D", b"G", b"B", b"X"]))
        count = draw(st.integers(0, 4))
        if kind == b"D":
            body = b"".join(draw(entries(hashes)) for _ in range(count))
        else:
            body = b"".join(draw(st.sampled_from(hashes)) for _ in range(count)) * draw(st.sampled_from([1, 1, 17]))
        made.append(kind + body)
    return made


def order_of(root: bytes, found: Mapping[bytes, bytes], limits: Limits) -> tuple[list[bytes], list[bytes], int, int]:
    """What a sender would send of a tree of any objects: its listings, and the names of its contents.

    Args:
        root: the name of the root.
        found: the objects by their names.
        limits: where the sender stops.

    Returns:
        Both in their order, and the numbers of entries and bytes.
    """
    listings: dict[bytes, bytes] = {}
    open_ = [root]
    while open_:
        name = open_.pop()
        if name in found and name not in listings:
            listings[name] = found[name]
            try:
                open_.extend(references(found[name]))
            except RemoteProtocolError:
                break
    contents: dict[bytes, None] = {}
    count, size = 1, 0
    try:
        for item in walk(root, lambda name: found.get(name, b""), limits.max_tree_entries):
            if isinstance(item, Hashed):
                step = DIGEST_SIZE
                contents.update((item.digests[at : at + step], None) for at in range(0, len(item.digests), step))
            else:
                count, size = count + 1, size + item.size
                if size > limits.max_tree_bytes:
                    break
    except PlaystreamError:
        pass
    return list(listings.values()), list(contents), count, size


def shortened(data: bytes) -> bytes:
    """The short form of these bytes, if they are the listing of a directory."""
    try:
        is_directory = bool(data) and sum(1 for _ in read_directory(data)) >= 0
    except RemoteProtocolError:
        return data
    return shorten(data, {}) if is_directory else data


@cache
def offer_streams() -> list[bytes]:
    """Whole streams of the job with an offer: with a question that nobody waits for, and without one."""
    snapshot = offered()
    job = replace(JOB, tree=True)
    contents = [record for record in snapshot.contents_without(NOTHING) if isinstance(record, Content)]
    tree: list[Record] = [*snapshot.listings(), *contents, snapshot.end()]
    unchanged: list[Record] = [job, snapshot.offer([snapshot.root], asks=False), snapshot.end()]
    return [
        *(native([job, snapshot.offer(asks=asks), *tree], Direction.JOB) for asks in (True, False)),
        native(unchanged, Direction.JOB),
    ]
