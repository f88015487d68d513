"""Any listings, any offer and any question: what comes is the tree that was offered, or one of our errors.

`make fuzz` runs these too; see fuzz.py.
"""

from __future__ import annotations

import tempfile
from contextlib import closing
from pathlib import Path
from threading import Event as Signal
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import DataObject

from playstream.pipeline.errors import PlaystreamError, RemoteProtocolError
from playstream.pipeline.io.cancellation import Cancellation
from playstream.pipeline.limits import DEFAULT_LIMITS, Limits
from playstream.pipeline.protocol import Content, FileEntry, Hello, Listing, Offer, Record, Want
from playstream.pipeline.protocol.order import Direction
from playstream.pipeline.tree.digests import DIGEST_SIZE, digest
from playstream.pipeline.tree.listings import (
    MAX_WHOLE,
    part_count,
    read_content,
    read_directory,
    references,
    walk,
)
from playstream.pipeline.tree.paths import MAX_NAME, SPECIAL_NAMES
from playstream.pipeline.tree.short_listings import expand, shorten
from playstream.transmit import Transmitter, greeting, offering
from playstream.transmit.memory import Memory
from playstream.transmit.snapshot import TreeObjects
from playstream.worker.cache.assembly import Assembly
from playstream.worker.cache.inspection import verify
from tests.pipeline.protocol.strategies import mutations
from tests.pipeline.protocol.wire import RawStream
from tests.pipeline.protocol.wire import take as take_stream
from tests.pipeline.tree.conftest import open_arena, take_snapshot
from tests.stress.hostile.offers import (
    ENTRY,
    Lossy,
    assemble,
    hostile_objects,
    objects,
    offer_streams,
    offered,
    order_of,
    shortened,
    source,
)
from tests.stress.hostile.place import call_worker, open_place
from tests.stress.hostile.streams import STARTING
from tests.worker.cache.cached import opened
from tests.worker.cache.offered import ALGORITHM, take

FEW = Limits(max_tree_entries=60, max_tree_bytes=4 << 20)
LISTINGS = st.sampled_from([data for data in objects().values() if data[:1] in {b"D", b"G", b"B"}])
ANY_LISTING = (
    LISTINGS
    | LISTINGS.flatmap(mutations)
    | st.builds(bytes.__add__, st.sampled_from([b"", b"D", b"G", b"B"]), st.binary(max_size=120))
    | hostile_objects().map(lambda made: made[-1])
)


@given(ANY_LISTING)
def test_any_bytes_as_a_directory(data: bytes) -> None:
    """What is read is what is there, byte for byte."""
    again, named = b"D", []
    names: set[bytes] = set()
    try:
        for entry, name in read_directory(data, b"above/"):
            path = entry.path.removeprefix(b"above/")
            assert path not in SPECIAL_NAMES | names
            assert not {b"/", b"\0"} & {path[at : at + 1] for at in range(len(path))}
            assert len(path) <= MAX_NAME
            names.add(path)
            head = (entry.type, entry.mode, entry.mtime_ns, entry.size, entry.link, len(path), len(entry.target))
            again += ENTRY.pack(*head) + path + entry.target + name
            if entry.type == 1 or entry.size > MAX_WHOLE:
                named.append(name)
    except RemoteProtocolError as error:
        assert str(error).isprintable()
        return
    assert again == data
    assert list(references(data)) == named


SHORT_FORMS = LISTINGS.map(lambda data: shorten(data, offered().objects.contents))


@given(SHORT_FORMS.flatmap(mutations) | st.binary(max_size=80).map(lambda data: b"S" + data))
def test_any_bytes_as_a_short_listing(data: bytes) -> None:
    """What is accepted has each hash of the earlier tree, or from its end, and the same entries."""
    contents = list(offered().objects.contents)
    try:
        whole = expand(data, contents)
    except RemoteProtocolError as error:
        assert str(error).isprintable()
        return
    assert len(whole) <= (1 + DIGEST_SIZE) * len(data)
    again = expand(shorten(whole, {name: number for number, name in enumerate(contents)}), contents)
    assert again == whole


@given(st.lists(ANY_LISTING, min_size=1, max_size=4), st.integers(0, 2**36), st.integers(1, 40))
def test_any_bytes_as_all_listings(listings: list[bytes], size: int, most: int) -> None:
    """Whatever is named leads to one of a few, so that they name each other."""

    def fetch(name: bytes) -> bytes:
        return listings[name[0] % len(listings)]

    root = digest(listings[0], ALGORITHM)
    found, bytes_left = 0, 1 << 22
    try:
        for item in walk(root, fetch, most):
            if isinstance(item, FileEntry):
                found += 1
                bytes_left -= item.size
                if bytes_left < 0:
                    break
            else:
                assert len(item.digests) % DIGEST_SIZE == 0
    except PlaystreamError as error:
        assert str(error).isprintable()
    assert found <= most
    for data in listings:
        try:
            list(references(data))
        except RemoteProtocolError:
            pass
    try:
        content = read_content(root, size, fetch)
    except RemoteProtocolError:
        return
    assert len(content.digests) == max(part_count(size), 1) * DIGEST_SIZE


@given(st.data(), st.booleans(), st.booleans(), st.sets(st.integers(0, 30), max_size=4), st.randoms())
def test_any_answers_to_a_worker(data: DataObject, asks: bool, builds: bool, lost: set[int], chance: object) -> None:
    """With a cache that has nothing, or all but a few objects, of which some are damaged."""
    known = objects()
    store, damaged = Lossy(known if builds else {}), set()
    store.keeps = data.draw(st.booleans())
    for number, name in enumerate(known):
        if builds and number in lost:
            if chance.random() < 0.5:  # type: ignore[attr-defined]
                del store[name]
            else:
                store[name] = known[name][:-1]
                damaged.add(name)
    snapshot = offered()
    offer = snapshot.offer([snapshot.root] if builds else [], asks=asks)
    with open_arena() as target:
        made = assemble(data, offer, target, store, DEFAULT_LIMITS, snapshot.objects)
        assert len(made.wants) <= 2 * asks
        assert made.error is None or str(made.error).isprintable()
        if made.name is not None:
            assert take(target).root == snapshot.root
            assert take_snapshot(target) == take_snapshot(source())
    store.check(frozenset(damaged))


@given(hostile_objects(), st.booleans(), st.booleans(), st.integers(0, 3), st.booleans())
def test_any_tree_for_a_worker(made: list[bytes], asks: bool, cached: bool, since: int, short: bool) -> None:
    """Of which each listing has its hash, whatever it says. All that it names is sent."""
    found = {digest(data, ALGORITHM): data for data in made}
    root = digest(made[-1], ALGORITHM)
    listings, contents, count, size = order_of(root, found, FEW)
    store = Lossy(found if cached else {})
    earlier = tuple(digest(data, ALGORITHM).hex() for data in made[-since:]) if since else ()
    offer = Offer(root, ALGORITHM, count, size, earlier, asks)
    with open_arena() as target:
        asked: list[Record] = []
        assembly = Assembly(offer, target, store, asked.append, limits=FEW, replace=False)
        with closing(assembly):
            try:
                assembly.begin()
                for data in listings if asked else ():
                    assembly.receive(Listing(shortened(data) if short else data))
                for name in contents:
                    assembly.receive(Content(found.get(name, b"hello")))
            except PlaystreamError as error:
                assert str(error).isprintable()
    assert len(asked) <= 2
    store.check(frozenset())


@given(st.integers(0, 2), st.data(), st.booleans(), st.booleans(), st.booleans())
def test_any_stream_with_an_offer(number: int, data: DataObject, own: bool, whole: bool, filled: bool) -> None:
    """The whole stage with a cache on disk, which is intact afterwards."""
    stream = offer_streams()[number]
    damaged = stream if whole else data.draw(mutations(stream))
    with open_place() as place, tempfile.TemporaryDirectory() as name:
        cache = Path(name) / "cache"
        if filled:
            answer = call_worker(place, offer_streams()[1], own_directory=False, cache=cache)
            assert answer.error is None, answer.message
        answer = call_worker(place, damaged, own_directory=own, cache=cache)
        if whole:
            # The first one sends what is not asked for then, the last one builds on what is there.
            assert (answer.error is None) is (not filled, True, filled)[number], answer.message
        if answer.error is None and own:
            expected = take_snapshot(source())
            found = take_snapshot(place.target)
            assert {path: entry for path, entry in found.items() if path in expected} == expected
        if cache.exists():
            with opened(cache) as fd:
                assert verify(fd).removed == 0
            left = [path.name for path in cache.rglob(".*") if path.name not in {".jobs", ".lock", ".size"}]
            assert left == []


WANTS = st.builds(Want, st.just(True), since=st.sampled_from([b"", offered().root, bytes(32)])) | st.builds(
    Want, st.just(False), contents=st.binary(max_size=4) | st.just(b"\xff" * 1000)
)
HELLOS = st.builds(
    Hello,
    st.integers(0, 3),
    st.just("1"),
    records=st.lists(st.sampled_from(["Offer", "Listing", "Content", "x"]), max_size=4).map(tuple)
    | st.just(("Offer", "Listing", "Content")),
    features=st.sampled_from([(ALGORITHM,), (), ("md5",), ("blake3", ALGORITHM)]),
    limits=st.dictionaries(
        st.just("max_record_bytes"), st.sampled_from([0, -1, 1, 1 << 26, True, None, "x", 1.5]), max_size=1
    ),
)


class Forgetful(Memory):
    """A sender that remembers nothing."""

    def __init__(self, _directory: Path | None, algorithm: str) -> None:
        super().__init__(Path("/dev/null"), algorithm)


class Remembering(Forgetful):
    """A sender that has offered the tree before."""

    def trees(self, _directory: Path) -> list[bytes]:
        return [offered().root]

    def objects(self, _directory: Path | None, root: bytes) -> TreeObjects | None:
        return offered().objects if root == offered().root else None


@given(
    HELLOS | st.just(Hello(2, "1", records=("Offer", "Listing", "Content"), features=(ALGORITHM,))),
    st.lists(WANTS, max_size=3),
    st.data(),
    st.booleans(),
    st.booleans(),
)
def test_any_questions_to_a_sender(
    hello: Hello, wants: list[Want], data: DataObject, damages: bool, remembers: bool
) -> None:
    """Damaged or not, they choose among the objects of the tree, and each travels once."""
    whole = RawStream().records(hello, *wants, STARTING).data
    results = take_stream(data.draw(mutations(whole)) if damages else whole, Direction.RESULT)
    ended = Signal()
    memory = Remembering if remembers else Forgetful
    with (
        patch.object(offering, "LOOK_SECONDS", 0),
        patch.object(greeting, "LOOK_SECONDS", 0),
        patch.object(offering, "Memory", memory),
        closing(Cancellation()) as cancellation,
    ):
        hears = greeting.Greeting(cancellation, ended)
        sender = offering.Offering(
            Transmitter({"private_data_dir": source(), "module": "ping", "host_pattern": "all"}), hears
        )
        for record in results.items:
            if not hears.note(record):
                sender.note(record)
        ended.set()
        sent: list[Record] = []
        try:
            sent.extend(sender.records())
        except PlaystreamError as error:
            assert str(error).isprintable()
    offers = [record for record in sent if isinstance(record, Offer)]
    assert len(offers) <= 1
    if offers:
        assert not any(isinstance(record, FileEntry) for record in sent)
        contents = [record.data for record in sent if isinstance(record, Content)]
        assert set(contents) <= set(objects().values())
        assert len(contents) == len(set(contents))
        listings = [record.data for record in sent if isinstance(record, Listing)]
        assert len(listings) == len(set(listings)) <= len(objects())
