"""What an offer may cost a worker: a few listings can stand for any number of entries and bytes, and so can a cache."""

from __future__ import annotations

import os
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from playstream.pipeline.errors import JobError, LimitExceeded, RemoteProtocolError
from playstream.pipeline.limits import DEFAULT_LIMITS, Limits
from playstream.pipeline.protocol import Listing, Offer, Record, TreeEnd, Want
from playstream.pipeline.tree.digests import digest
from playstream.transmit.snapshot import TreeObjects
from playstream.worker.cache import known
from playstream.worker.cache.assembly import Assembly
from tests.processes import MODES_BIND
from tests.stages import LIMIT_SECONDS
from tests.worker.cache.offered import ALGORITHM, Kept, send, take
from tests.worker.cache.test_assembly import OFFER, assemble, packed

MIB = 1 << 20


class Counted(Kept):
    """A cache that counts how often it was read."""

    reads = 0

    def read(self, name: bytes, /) -> bytes | None:
        self.reads += 1
        return super().read(name)


@contextmanager
def little_memory(mib: int) -> Iterator[None]:
    """Check that so much memory suffices."""
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < mib * MIB, f"{peak >> 20} MiB"


def name_of(data: bytes) -> bytes:
    return digest(data, ALGORITHM)


def begin(assembly: Assembly, *records: Listing | TreeEnd) -> None:
    """Let it take the offer, and what follows."""
    assembly.begin()
    for record in records:
        assembly.receive(record)


def vast(groups: int) -> tuple[bytes, list[bytes]]:
    """A tree with one file, whose groups are all the same; the hash of its root, and its listings, the root's first."""
    group = b"B" + name_of(b"x" * 65536) * 64
    file = b"G" + name_of(group) * groups
    top = b"D" + packed(b"vast", size=groups * 64 * 65536, rest=name_of(file))
    return name_of(top), [top, file, group]


@pytest.mark.parametrize("case", ["asks", "one way", "one way, the earlier tree"])
def test_a_file_of_terabytes_is_refused_before_its_blocks_are_counted(case: str, tmp_path: Path) -> None:
    root, listings = vast(1 << 17)
    store = Kept()
    if "earlier" in case:
        for data in listings:
            store.write(data)
        offer = Offer(OFFER.root, ALGORITHM, 2, 5, since=(root.hex(),), asks=False)
    else:
        offer = Offer(root, ALGORITHM, 2, 1 << 39, asks=case == "asks")
    assembly = Assembly(offer, tmp_path, store, lambda _record: None, limits=DEFAULT_LIMITS, replace=False)
    with closing(assembly), little_memory(48), pytest.raises(LimitExceeded, match="--max-tree-bytes"):
        begin(assembly, *map(Listing, listings))


def wide(count: int) -> tuple[Offer, list[Listing]]:
    """A tree of so many directories, each with a listing of its own."""
    leaves = [b"D" + packed(b"%d" % number) for number in range(count)]
    top = b"D" + b"".join(packed(b"d%d" % number, kind=1, rest=name_of(leaf)) for number, leaf in enumerate(leaves))
    return Offer(name_of(top), ALGORITHM, 1 + 2 * count, 0), [Listing(top), *map(Listing, leaves)]


def test_more_listings_than_entries_are_refused_as_they_arrive(tmp_path: Path) -> None:
    offer, listings = wide(200)
    limits = Limits(max_tree_entries=20, max_tree_bytes=1)
    assembly = Assembly(offer, tmp_path, Kept(), lambda _record: None, limits=limits, replace=False)
    with closing(assembly):
        begin(assembly, *listings[:20])
        with pytest.raises(LimitExceeded, match="--max-tree-entries"):
            assembly.receive(listings[20])


def test_a_tree_of_just_as_many_entries_is_taken(tmp_path: Path) -> None:
    offer, listings = wide(50)
    limits = Limits(max_tree_entries=offer.entries, max_tree_bytes=1)
    assert assemble(tmp_path, offer, *listings, TreeEnd(offer.entries, 0), limits=limits)
    assert len(list(tmp_path.iterdir())) == 50


def test_listings_of_the_cache_count_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are asked for as if they were not there, and are then over the limit for what arrives."""
    monkeypatch.setattr(known, "MAX_LISTING_BYTES", 1000)
    offer, listings = wide(50)
    store = Counted()
    for listing in listings:
        store.write(listing.data)
    asked: list[Record] = []
    assembly = Assembly(offer, tmp_path, store, asked.append, limits=DEFAULT_LIMITS, replace=False)
    with closing(assembly), pytest.raises(RemoteProtocolError, match="more than 1000 bytes"):
        begin(assembly, *listings)
    assert asked == [Want(True)]
    assert store.reads == 1


def test_an_earlier_tree_over_the_limit_is_as_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known, "MAX_LISTING_BYTES", 1000)
    earlier, listings = wide(50)
    source, target, store = tmp_path / "source", tmp_path / "target", Kept()
    source.mkdir()
    target.mkdir()
    (source / "a").write_bytes(b"hello")
    for listing in listings:
        store.write(listing.data)
    made = send(take(source), target, store, since={earlier.root: TreeObjects(frozenset(store), {})})
    assert made.wants[0] == Want(True)
    assert (target / "a").read_bytes() == b"hello"


def test_only_so_many_earlier_trees_are_looked_for(tmp_path: Path) -> None:
    since = tuple(name_of(number.to_bytes(2, "big")).hex() for number in range(5000))
    store = Counted()
    offer = Offer(OFFER.root, ALGORITHM, 2, 5, since=since)
    assembly = Assembly(offer, tmp_path, store, lambda _record: None, limits=DEFAULT_LIMITS, replace=False)
    with closing(assembly):
        assembly.begin()
    assert store.reads < 100


def test_a_listing_that_is_named_often_is_looked_for_once(tmp_path: Path) -> None:
    file = b"G" + name_of(b"missing") * 5000
    top = b"D" + packed(b"a", size=5000 * 64 * 65536, rest=name_of(file))
    store = Counted()
    offer = Offer(name_of(top), ALGORITHM, 2, 0)
    assembly = Assembly(offer, tmp_path, store, lambda _record: None, limits=DEFAULT_LIMITS, replace=False)
    with closing(assembly):
        begin(assembly, Listing(top), Listing(file))
    assert store.reads == 3


class Unchecked(Kept):
    """A cache that does not compute hashes, so that listings can name each other."""

    def read(self, name: bytes, /) -> bytes | None:
        return self.get(name)


@pytest.mark.parametrize("asks", [True, False])
@pytest.mark.parametrize("kind", ["itself", "each other", "by many names"])
def test_listings_that_name_each_other(kind: str, asks: bool, tmp_path: Path) -> None:
    """No hash function allows it. It ends all the same."""
    one, other = name_of(b"one"), name_of(b"other")
    store = Unchecked(
        {
            one: b"D" + packed(b"a", kind=1, rest=one if kind == "itself" else other),
            other: b"D"
            + b"".join(packed(name, kind=1, rest=one) for name in ([b"b", b"c"] if "many" in kind else [b"b"])),
        }
    )
    offer = Offer(one, ALGORITHM, 2, 0, since=() if asks else (one.hex(),), asks=asks)
    assembly = Assembly(offer, tmp_path, store, lambda _record: None, limits=DEFAULT_LIMITS, replace=False)
    with closing(assembly), pytest.raises(RemoteProtocolError, match="too long or too deep"):
        assembly.begin()


@pytest.mark.parametrize("asks", [True, False])
def test_a_listing_that_names_what_never_comes(asks: bool, tmp_path: Path) -> None:
    top = b"D" + packed(b"a", kind=1, rest=name_of(b"nothing"))
    offer = Offer(name_of(top), ALGORITHM, 2, 0, asks=asks)
    asked: list[Record] = []
    assembly = Assembly(offer, tmp_path, Kept(), asked.append, limits=DEFAULT_LIMITS, replace=False)
    with closing(assembly):
        begin(assembly, Listing(top))
        with pytest.raises(RemoteProtocolError, match="before all listings"):
            assembly.receive(TreeEnd(2, 0))
    assert asked == [Want(True)] * asks
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("text", ["\x1b[2J", "\n" * 5, "x" * 1000, "ü", "", " ", "\udc80"])
def test_what_an_offer_says_is_not_repeated_as_it_is(text: str, tmp_path: Path) -> None:
    offer = Offer(OFFER.root, ALGORITHM, 2, 5, since=(text,), asks=False)
    assembly = Assembly(offer, tmp_path, Kept(), lambda _record: None, limits=DEFAULT_LIMITS, replace=False)
    with closing(assembly), pytest.raises(JobError, match="builds on the tree of an earlier job, and") as caught:
        assembly.begin()
    assert str(caught.value).isprintable()


CLOSED = """
import sys
from dataclasses import replace
from pathlib import Path
from playstream.pipeline.protocol import Content, FileType, TreeEnd
from tests.worker.cache.test_assembly import HELLO, assemble, entry, listings_of

closed = [replace(entry(path, FileType.DIRECTORY), mode=0) for path in (b"a", b"a/b", b"c")]
offer, listings = listings_of(closed[0], closed[1], entry(b"a/b/x", size=5), HELLO, closed[2])
assemble(Path(sys.argv[1]), offer, *listings, Content(b"hello"), TreeEnd(5, 5))
"""


def test_directories_that_nobody_can_open_arrive(tmp_path: Path) -> None:
    """What is missing in them is written after what the cache has. They have their modes in the end."""
    words = [*MODES_BIND, sys.executable, "-c", CLOSED, str(tmp_path)]
    done = subprocess.run(words, check=False, capture_output=True, text=True, timeout=LIMIT_SECONDS, cwd=Path.cwd())
    assert done.returncode == 0, done.stderr
    for name in ("a", "a/b", "c"):
        assert (tmp_path / name).stat().st_mode & 0o777 == 0
        (tmp_path / name).chmod(0o700)
        assert (tmp_path / name).stat().st_mtime == 0 or name == "a"
    assert (tmp_path / "a/b/x").read_bytes() == b"hello"
