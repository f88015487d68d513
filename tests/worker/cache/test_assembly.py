"""A tree that is offered arrives as it is, whatever the cache has, and only what is missing travels."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from playstream.pipeline.errors import JobError, LimitExceeded, PlaystreamError, RemoteProtocolError
from playstream.pipeline.limits import DEFAULT_LIMITS, Limits
from playstream.pipeline.protocol import Content, FileEntry, FileType, Listing, Offer, Record, TreeEnd, Want
from playstream.pipeline.tree.digests import digest
from playstream.pipeline.tree.listings import BLOCK_SIZE, Hashed, ListingWriter
from playstream.pipeline.tree.short_listings import shorten
from playstream.transmit.snapshot import NOTHING, TreeObjects
from playstream.worker.cache.assembly import Assembly
from tests.pipeline.tree.conftest import open_arena, take_snapshot
from tests.pipeline.tree.test_tree_round_trip import TREES, Node, grow
from tests.worker.cache.offered import ALGORITHM, Kept, send, send_one_way, take

LARGE = os.urandom(3 * BLOCK_SIZE + (1 << 20) + 5)
TREE: dict[str, bytes] = {
    "site.yml": b"- hosts: all\n",
    "roles/web/tasks/main.yml": b"- command: id\n",
    "roles/web/files/page": b"<p>\n" * 1000,
    "roles/db/files/page": b"<p>\n" * 1000,
    "large": LARGE,
    "empty": b"",
}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A project with files of every kind, equal ones, one with two names, a link and a directory without files."""
    root = tmp_path / "source"
    for name, data in TREE.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    (root / "roles/web/tasks/main.yml").chmod(0o640)
    (root / "link").symlink_to("roles/web")
    (root / "none").mkdir(mode=0o700)
    os.link(root / "large", root / "second name")
    os.link(root / "roles/web/files/page", root / "another")
    return root


@pytest.fixture
def target(tmp_path: Path) -> Callable[[], Path]:
    """Makes an empty directory."""
    numbers = itertools.count()

    def make() -> Path:
        path = tmp_path / f"target {next(numbers)}"
        path.mkdir()
        return path

    return make


def test_the_first_time_everything_travels(source: Path, target: Callable[[], Path]) -> None:
    there, store = target(), Kept()
    made = send(take(source), there, store)
    assert take_snapshot(there) == take_snapshot(source)
    assert [want.listings for want in made.wants] == [True, False]
    assert len(made.contents) == 3 + -(-len(LARGE) // BLOCK_SIZE), "equal contents travel once"


def test_the_second_time_nothing_travels(source: Path, target: Callable[[], Path]) -> None:
    store = Kept()
    snapshot = take(source)
    send(snapshot, target(), store)
    made = send(snapshot, there := target(), store)
    assert take_snapshot(there) == take_snapshot(source)
    assert made.wants == [Want(False)]
    assert made.listings == 0
    assert made.contents == []
    assert store.used == snapshot.root


def test_a_changed_file_travels_with_the_listings_above_it(source: Path, target: Callable[[], Path]) -> None:
    store = Kept()
    before = take(source)
    send(before, target(), store)
    (source / "roles/web/tasks/main.yml").write_bytes(b"- command: uptime\n")
    known = {before.root: before.objects}
    made = send(take(source), there := target(), store, since=known)
    assert take_snapshot(there) == take_snapshot(source)
    assert made.wants[0] == Want(True, since=before.root)
    assert made.listings == 4
    assert made.contents == [b"- command: uptime\n"]


def test_of_a_large_file_a_changed_block_travels(source: Path, target: Callable[[], Path]) -> None:
    store = Kept()
    before = take(source)
    send(before, target(), store)
    with (source / "large").open("r+b") as file:
        file.seek(BLOCK_SIZE * 2 + 7)
        file.write(b"changed")
    made = send(take(source), there := target(), store, since={before.root: before.objects})
    assert take_snapshot(there) == take_snapshot(source)
    assert [len(data) for data in made.contents] == [BLOCK_SIZE]


def test_a_listing_names_what_both_sides_know_in_few_bytes(source: Path, target: Callable[[], Path]) -> None:
    for number in range(1000):
        (source / "none" / f"file-{number:04}").write_bytes(b"%d" % number)
    store, before = Kept(), take(source)
    send(before, target(), store)
    for path in (source / "none").iterdir():
        path.chmod(0o640)
    for earlier, of_hash in ((before.objects, 1), (NOTHING, 1 + 32)):
        sizes = [len(listing.data) for listing in take(source).listings(earlier)]
        assert max(sizes) == 1000 * (27 + len("file-0000") + of_hash) + 5
    made = send(take(source), there := target(), store, since={before.root: before.objects})
    assert take_snapshot(there) == take_snapshot(source)
    assert made.contents == []


def test_times_are_no_contents(source: Path, target: Callable[[], Path]) -> None:
    store = Kept()
    send(take(source), target(), store)
    for path in source.rglob("*"):
        os.utime(path, ns=(0, 10**18), follow_symlinks=False)
    made = send(take(source), there := target(), store)
    assert take_snapshot(there) == take_snapshot(source)
    assert made.contents == []


DAMAGES: dict[str, Callable[[Kept, bytes], object]] = {
    "vanished": lambda store, name: store.pop(name),
    "truncated": lambda store, name: store.update({name: store[name][:-1]}),
    "damaged": lambda store, name: store.update({name: bytes(len(store[name]))}),
}


@pytest.mark.parametrize("how", DAMAGES)
def test_what_the_cache_has_lost_is_asked_for_anew(how: str, source: Path, target: Callable[[], Path]) -> None:
    """Each object of the tree in turn, with at most two questions."""
    snapshot, store = take(source), Kept()
    send(snapshot, target(), store)
    for name in list(store):
        if not store[name]:
            continue
        DAMAGES[how](store, name)
        made = send(snapshot, there := target(), store)
        assert take_snapshot(there) == take_snapshot(source)
        assert len(made.wants) <= 2
        assert len(made.contents) <= 1
        assert store.read(name) is not None


@given(losses=st.lists(st.tuples(st.integers(0, 200), st.sampled_from(sorted(DAMAGES))), min_size=2, max_size=6))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_several_losses(losses: list[tuple[int, str]], source: Path, target: Callable[[], Path]) -> None:
    """At most two questions, also if a large file has lost several parts in different ways."""
    snapshot, store = take(source), Kept()
    send(snapshot, target(), store)
    names = sorted(name for name in store if store[name])
    for number, how in losses:
        name = names[number % len(names)]
        if store.get(name):
            DAMAGES[how](store, name)
    made = send(snapshot, there := target(), store)
    assert take_snapshot(there) == take_snapshot(source)
    assert len(made.wants) <= 2
    assert len(made.contents) <= len(losses)


def test_without_room_nothing_is_kept_and_the_tree_arrives(source: Path, target: Callable[[], Path]) -> None:
    store = Kept()
    store.keeps = False
    for _ in range(2):
        made = send(take(source), there := target(), store)
        assert take_snapshot(there) == take_snapshot(source)
        assert len(made.wants) == 2
    assert not store


def test_a_file_that_changes_meanwhile(source: Path, target: Callable[[], Path]) -> None:
    """What is there now arrives, also where the same content was offered twice; the old hash names nothing new."""
    snapshot, store = take(source), Kept()

    def change() -> None:
        (source / "another").write_bytes(b"<q>\n" * 1000)  # the first name of the first file with it
        (source / "site.yml").unlink()

    made = send(snapshot, there := target(), store, before_contents=change)
    assert (there / "roles/db/files/page").read_bytes() == b"<q>\n" * 1000
    assert (there / "roles/web/files/page").read_bytes() == b"<q>\n" * 1000
    assert (there / "site.yml").read_bytes() == bytes(13)
    assert made.logs == ["'site.yml' shrank while it was sent: 13 bytes of it are sent as zeros"]
    assert all(digest(data, ALGORITHM) == name for name, data in store.items())
    assert not hasattr(store, "used")


def test_existing_files_are_replaced(source: Path, target: Callable[[], Path]) -> None:
    there, store = target(), Kept()
    (there / "site.yml").write_text("old")
    (there / "large").symlink_to("/nonexistent")
    (there / "own").write_text("stays")
    send(take(source), there, store, replace=True)
    (there / "own").unlink()
    assert take_snapshot(there) == take_snapshot(source)


def test_one_way(source: Path, target: Callable[[], Path]) -> None:
    store = Kept()
    before = take(source)
    send_one_way(before, there := target(), store)
    assert take_snapshot(there) == take_snapshot(source)
    (source / "new").write_bytes(b"new")
    made = send_one_way(take(source), there := target(), store, before.root, before.objects)
    assert take_snapshot(there) == take_snapshot(source)
    assert made.contents == [b"new"]
    assert made.listings == 1


@pytest.mark.parametrize("lost", ["listing", "content", "everything"])
def test_one_way_against_a_tree_that_is_lost(lost: str, source: Path, target: Callable[[], Path]) -> None:
    store = Kept()
    before = take(source)
    send_one_way(before, target(), store)
    contents = [name for name, data in store.items() if data == TREE["site.yml"]]
    gone = {"listing": [before.root], "content": contents, "everything": list(store)}[lost]
    for name in gone:
        del store[name]
    (source / "new").write_bytes(b"new")
    with pytest.raises(JobError, match=r"does not have all of it any more\. Send the job whole"):
        send_one_way(take(source), target(), store, before.root, before.objects)


@given(trees=st.lists(TREES, min_size=1, max_size=3), lost=st.randoms(use_true_random=False))
def test_any_trees_one_after_another(trees: list[dict[bytes, Node]], lost: object) -> None:
    """With a cache that has lost any of what it had."""
    store = Kept()
    known: dict[bytes, TreeObjects] = {}
    for tree in trees:
        with open_arena() as source, open_arena() as there:
            grow(os.fsencode(source), tree)
            snapshot = take(source)
            made = send(snapshot, there, store, since=known)
            assert take_snapshot(there) == take_snapshot(source)
            assert len(made.wants) <= 2
            known[snapshot.root] = snapshot.objects
            for name in [name for name in store if lost.random() < 0.3]:  # type: ignore[attr-defined]
                del store[name]


# What no sender of ours sends.


def entry(path: bytes, kind: FileType = FileType.FILE, size: int = 0, link: int = 0) -> FileEntry:
    return FileEntry(path, kind, 0o755, 0, size, link, b"x" if kind is FileType.SYMLINK else b"")


def listings_of(*items: FileEntry | Hashed) -> tuple[Offer, list[Listing]]:
    """Return an offer of a tree, and its listings, the root's first."""
    made: dict[bytes, bytes] = {}
    writer = ListingWriter(ALGORITHM, made.setdefault)
    writer.enter(entry(b"", FileType.DIRECTORY))
    for item in items:
        if isinstance(item, FileEntry):
            writer.enter(item)
        else:
            writer.content(item)
    root = writer.finish()
    return Offer(root, ALGORITHM, writer.entries, writer.size), [Listing(data) for data in reversed(made.values())]


def assemble(
    target: Path, offer: Offer, *records: Listing | Content | TreeEnd, limits: Limits = DEFAULT_LIMITS
) -> list[Record]:
    asked: list[Record] = []
    with closing(Assembly(offer, target, Kept(), asked.append, limits=limits, replace=False)) as assembly:
        assembly.begin()
        for record in records:
            assembly.receive(record)
        assert assembly.complete
    return asked


HELLO = Hashed(digest(b"hello", ALGORITHM))
OFFER, LISTINGS = listings_of(entry(b"a", size=5), HELLO)
ANY = Listing(b"D")
HOSTILE: dict[str, tuple[Offer, list[Listing | Content | TreeEnd], str]] = {
    "a short listing with contents of no tree": (
        OFFER,
        [Listing(shorten(LISTINGS[0].data, {HELLO.digests: 0}))],
        "has no content 0",
    ),
    "a short listing that is cut": (OFFER, [Listing(b"S\x01")], "too short"),
    "a listing that is not named": (OFFER, [Listing(b"D" + b"x" * 40)], "no other one names"),
    "a listing twice": (OFFER, [*LISTINGS, *LISTINGS], "no other one names"),
    "content before the listings": (OFFER, [Content(b"hello")], "before all listings"),
    "the end before the listings": (OFFER, [TreeEnd(2, 5)], "before all listings"),
    "the end before the contents": (OFFER, [*LISTINGS, TreeEnd(2, 5)], "before all contents"),
    "another content": (OFFER, [*LISTINGS, Content(b"HELLO")], "does not have the hash"),
    "a longer content": (OFFER, [*LISTINGS, Content(b"hello!")], "expected 5 bytes"),
    "a longer changed content": (OFFER, [*LISTINGS, Content(b"hello!", changed=True)], "expected 5 bytes"),
    "a content that was not asked for": (OFFER, [*LISTINGS, Content(b"hello"), Content(b"hello")], "not asked for"),
    "other counts": (OFFER, [*LISTINGS, Content(b"hello"), TreeEnd(3, 5)], "expected 3 entries"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_what_was_not_asked_for_is_refused(case: str, target: Callable[[], Path]) -> None:
    offer, records, message = HOSTILE[case]
    with pytest.raises(RemoteProtocolError, match=message):
        assemble(target(), offer, *records)


def test_what_was_asked_for_is_taken(target: Callable[[], Path]) -> None:
    there = target()
    assert assemble(there, OFFER, *LISTINGS, Content(b"hello"), TreeEnd(2, 5)) == [
        Want(True),
        Want(False, contents=b"\1"),
    ]
    assert (there / "a").read_bytes() == b"hello"


def raw(*entries: bytes) -> tuple[Offer, Listing]:
    data = b"D" + b"".join(entries)
    return Offer(digest(data, ALGORITHM), ALGORITHM, 2, 0), Listing(data)


def packed(name: bytes, kind: int = 2, mode: int = 0o755, size: int = 0, link: int = 0, rest: bytes = b"") -> bytes:
    head = kind.to_bytes(1, "little") + mode.to_bytes(2, "little") + bytes(8) + size.to_bytes(8, "little")
    return head + link.to_bytes(4, "little") + len(name).to_bytes(2, "little") + bytes(2) + name + rest


WRONG_LISTINGS: dict[str, bytes] = {
    "a path": packed(b"a/b"),
    "the parent": packed(b".."),
    "itself": packed(b"."),
    "no name": packed(b""),
    "a NUL": packed(b"a\0"),
    "a long name": packed(b"n" * 256),
    "an unknown type": packed(b"a", kind=9),
    "a wrong mode": packed(b"a", mode=0o10000),
    "a directory with a size": packed(b"a", kind=1, size=5, rest=bytes(32)),
    "a directory without a hash": packed(b"a", kind=1),
    "a file without a hash": packed(b"a", size=5),
    "a short entry": packed(b"a")[:-8],
    "the same name twice": packed(b"a") + packed(b"a"),
    "a link to no file": packed(b"a", kind=4, link=7),
    "a link without a target": packed(b"a", kind=3),
}


@pytest.mark.parametrize("case", WRONG_LISTINGS)
def test_listings_that_are_not_valid(case: str, target: Callable[[], Path]) -> None:
    offer, listing = raw(WRONG_LISTINGS[case])
    there = target()
    with pytest.raises(PlaystreamError):
        assemble(there, offer, listing, TreeEnd(2, 0))
    assert set(os.listdir(there)) <= {"a"}


@pytest.mark.parametrize("kind", [b"", b"X", b"G" + bytes(31), b"B" + bytes(33)])
def test_other_objects_than_listings(kind: bytes, target: Callable[[], Path]) -> None:
    offer = Offer(digest(kind, ALGORITHM), ALGORITHM, 1, 0)
    with pytest.raises(RemoteProtocolError, match="is not valid"):
        assemble(target(), offer, Listing(kind), TreeEnd(1, 0))


def test_a_listing_that_is_used_again_and_again(target: Callable[[], Path]) -> None:
    """Twenty listings, each of which names the next one twice, are a million directories."""
    listings = [Listing(b"D")]
    for _ in range(20):
        name = digest(listings[-1].data, ALGORITHM)
        listings.append(Listing(b"D" + b"".join(packed(each, kind=1, rest=name) for each in (b"a", b"b"))))
    offer = Offer(digest(listings[-1].data, ALGORITHM), ALGORITHM, 1, 0)
    limits = Limits(max_tree_entries=1000)
    with pytest.raises(LimitExceeded, match="too many entries: at most 1000"):
        assemble(target(), offer, *reversed(listings), limits=limits)


def test_a_tree_that_is_too_deep(target: Callable[[], Path]) -> None:
    listings = [Listing(b"D")]
    for _ in range(300):
        name = digest(listings[-1].data, ALGORITHM)
        listings.append(Listing(b"D" + packed(b"d", kind=1, rest=name)))
    offer = Offer(digest(listings[-1].data, ALGORITHM), ALGORITHM, 1, 0)
    with pytest.raises(RemoteProtocolError, match="too deep"):
        assemble(target(), offer, *reversed(listings))


def test_a_tree_that_is_too_large(target: Callable[[], Path]) -> None:
    offer, listings = listings_of(entry(b"a", size=5), HELLO, entry(b"b", size=5), HELLO)
    with pytest.raises(LimitExceeded, match="--max-tree-bytes"):
        assemble(target(), offer, *listings, limits=Limits(max_tree_bytes=9))
    assert assemble(target(), offer, *listings, Content(b"hello"), TreeEnd(3, 10), limits=Limits(max_tree_bytes=10))


def test_a_large_file_with_other_listings(target: Callable[[], Path]) -> None:
    """The number of blocks follows from the size."""
    size = 2 << 20
    names = b"".join(digest(bytes([number]), ALGORITHM) for number in range(size // BLOCK_SIZE))
    offer, listings = listings_of(entry(b"a", size=size), Hashed(names[:-32]))
    with pytest.raises(RemoteProtocolError, match="expected 32 hashes"):
        assemble(target(), offer, *listings)


@given(data=st.binary(max_size=200))
def test_any_bytes_as_a_listing(data: bytes) -> None:
    for kind in (b"", b"D", b"G", b"B"):
        with open_arena() as there:
            offer = Offer(digest(kind + data, ALGORITHM), ALGORITHM, 1, 0)
            try:
                assemble(there, offer, Listing(kind + data), TreeEnd(1, 0))
            except PlaystreamError:
                pass
