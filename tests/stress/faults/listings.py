"""Offers that stand for much: a million listings, listings that name each other's, and what a worker needs for them.

tests/stress/hostile/test_offer_bombs.py has the same with fewer.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from playstream.pipeline.errors import LimitExceeded, PlaystreamError, RemoteProtocolError
from playstream.pipeline.protocol import Listing, Offer, Sender, TreeEnd
from playstream.pipeline.protocol.order import Direction
from playstream.pipeline.tree.short_listings import shorten
from tests.stress.faults.entries import measure_idle, serve
from tests.stress.faults.report import Report
from tests.stress.hostile.streams import JOB
from tests.worker.cache.cached import ALGORITHM, hash_of
from tests.worker.cache.test_assembly import packed

MIB = 1 << 20
_WIDTH = 1000
"""Entries of each directory with directories."""
_DIRECTORY = 1


def _stream(offer: Offer, listings: Iterator[Listing]) -> Iterator[bytes]:
    """A job that offers a tree and sends listings, then the end of the tree; in pieces."""
    sender = Sender(Direction.JOB)
    yield sender.send(replace(JOB, tree=True))
    yield sender.send(offer)
    for listing in listings:
        yield sender.send(listing, flush=False)
    yield sender.send(TreeEnd(offer.entries, offer.size))
    yield sender.end()


def many(count: int) -> Iterator[bytes]:
    """A tree of so many directories, rounded up to thousands, each with a listing of its own: one empty file."""
    leaves = [b"D" + packed(b"%07d" % number) for number in range(-(-count // _WIDTH) * _WIDTH)]
    names = [
        packed(b"%03d" % (number % _WIDTH), kind=_DIRECTORY, rest=hash_of(leaf)) for number, leaf in enumerate(leaves)
    ]
    groups = [b"D" + b"".join(names[start : start + _WIDTH]) for start in range(0, len(names), _WIDTH)]
    top = b"D" + b"".join(
        packed(b"%04d" % number, kind=_DIRECTORY, rest=hash_of(group)) for number, group in enumerate(groups)
    )

    def listings() -> Iterator[Listing]:
        yield Listing(top)
        for number, group in enumerate(groups):
            yield Listing(group)
            yield from map(Listing, leaves[number * _WIDTH : (number + 1) * _WIDTH])

    entries = 1 + len(groups) + 2 * len(leaves)
    return _stream(Offer(hash_of(top), ALGORITHM, entries, 0, asks=False), listings())


def doubling(levels: int) -> Iterator[bytes]:
    """A tree of 2 to the power of so many directories, in as many listings."""
    made = [b"D"]
    for _ in range(levels):
        name = hash_of(made[-1])
        made.append(b"D" + b"".join(packed(each, kind=_DIRECTORY, rest=name) for each in (b"a", b"b")))
    return _stream(Offer(hash_of(made[-1]), ALGORITHM, 1, 0, asks=False), map(Listing, reversed(made)))


def vast(groups: int) -> Iterator[bytes]:
    """A file of so many times 4 MiB, whose groups are all the same."""
    group = b"B" + hash_of(bytes(65536)) * 64
    file = b"G" + hash_of(group) * groups
    top = b"D" + packed(b"vast", size=groups * 64 * 65536, rest=hash_of(file))
    return _stream(Offer(hash_of(top), ALGORITHM, 2, groups << 22, asks=False), map(Listing, (top, file, group)))


def short(count: int) -> Iterator[bytes]:
    """One listing of so many entries in the short form, which nothing names."""
    name = hash_of(b"nothing")
    whole = b"D" + b"".join(packed(b"%07d" % number, size=5, rest=name) for number in range(count))
    offer = Offer(hash_of(b"another"), ALGORITHM, 1, 0, asks=False)
    return _stream(offer, iter([Listing(shorten(whole, {}))]))


def heavy(size: int) -> Iterator[bytes]:
    """Listings of so many bytes together, each in another one."""
    below = b"D"
    made = [below]
    filling = b"".join(packed(b"%07d" % number) for number in range(48 * MIB // 34))
    for _ in range(size // (48 * MIB) + 1):
        below = b"D" + packed(b"d", kind=_DIRECTORY, rest=hash_of(below)) + filling
        made.append(below)
    return _stream(Offer(hash_of(below), ALGORITHM, 1, 0, asks=False), map(Listing, reversed(made)))


@dataclass(frozen=True)
class Case:
    """An offer, and how a worker takes it."""

    name: str
    stream: Callable[[], Iterator[bytes]]
    error: type[PlaystreamError] | None
    """None if it is taken."""
    memory: int
    """Bytes of memory that it may take above a worker that gets nothing."""
    flags: tuple[str, ...] = ()


CASES = (
    Case("200,000 listings", lambda: many(200_000), None, 300 * MIB),
    Case("1,000,000 listings", lambda: many(1_000_000), LimitExceeded, 900 * MIB),
    Case(
        "1,000,000 listings, few bytes allowed",
        lambda: many(1_000_000),
        LimitExceeded,
        150 * MIB,
        ("--max-tree-entries", "10000", "--max-tree-bytes", "1000000"),
    ),
    Case(
        "2^30 directories in 31 listings",
        lambda: doubling(30),
        LimitExceeded,
        64 * MIB,
        ("--max-tree-entries", "50000"),
    ),
    Case("a file of 8 TiB", lambda: vast(2_000_000), LimitExceeded, 400 * MIB),
    Case("a short listing of 1,000,000 entries", lambda: short(1_000_000), RemoteProtocolError, 500 * MIB),
    Case("300 MiB of listings", lambda: heavy(300 * MIB), RemoteProtocolError, 700 * MIB),
)


def check(place: Path, case: Case, idle: int) -> tuple[float, float]:
    """Let a worker take the offer of a case.

    Returns:
        Seconds, and MiB of memory above a worker that gets nothing.

    Raises:
        AssertionError: a promise is broken.
    """
    with tempfile.TemporaryDirectory(prefix="playstream-listings-", dir=place) as name:
        cache = ("--cache", str(Path(name) / "cache"), "--cache-size", "20M")
        start = time.monotonic()
        served = serve(place, "worker", case.stream(), f"{cache[0]}={cache[1]}", *cache[2:], *case.flags)
        seconds = time.monotonic() - start
    expected = 0 if case.error is None else case.error.exit_status
    assert served.status == expected, (served.status, served.stderr[-600:])
    assert "Traceback" not in served.stderr
    above = served.memory - idle
    assert above < case.memory, f"{above >> 20} MiB above a worker that gets nothing"
    return seconds, above / MIB


def measure(flags: argparse.Namespace, report: Report) -> None:
    """Take each offer once."""
    place: Path = flags.entries_directory
    idle = measure_idle(place, "worker")
    for case in CASES:
        row = f"an offer of {case.name}"
        try:
            seconds, memory = check(place, case, idle)
            report.add(f"{row}: time", seconds, "s")
            report.add(f"{row}: memory above that for nothing", memory, "MiB")
        except Exception as error:  # noqa: BLE001 - whatever it is, it is a broken promise
            report.fail(row, repr(error)[-600:])
