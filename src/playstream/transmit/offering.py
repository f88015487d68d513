"""Sending a job whose worker has a cache: its tree is offered, and what the worker lacks is sent."""

from __future__ import annotations

import queue
from collections.abc import Generator, Iterator
from contextlib import ExitStack, closing
from itertools import chain
from pathlib import Path
from typing import Protocol, runtime_checkable

from playstream.pipeline.errors import LinkError, PlaystreamError
from playstream.pipeline.io.cancellation import LOOK_SECONDS
from playstream.pipeline.protocol import (
    Content,
    Failure,
    FileEntry,
    Heartbeat,
    Job,
    Listing,
    Noise,
    Offer,
    Record,
    Status,
    Want,
)
from playstream.pipeline.protocol.codec import MAX_RECORD
from playstream.pipeline.tree.digests import algorithms
from playstream.pipeline.tree.pack import Hasher
from playstream.transmit.greeting import Greeting
from playstream.transmit.memory import Memory, is_there
from playstream.transmit.snapshot import NOTHING, Snapshot

_SMALL = 1 << 16
"""Size of a tree that is sent whole without waiting for the worker, in bytes: as much as an offer may save."""
_ENTRY_BYTES = 100
"""What counts for an entry without its content."""


@runtime_checkable
class Tree(Protocol):
    """A job with a tree that can be offered, such as a Transmitter."""

    def records(self) -> Generator[Record, None, None]:
        """Yield the job, then its tree."""

    @property
    def directory(self) -> Path | None:
        """The directory whose tree is sent; None if there is none."""

    def take_snapshot(self, snapshot: Snapshot, hasher: Hasher) -> Iterator[Record]:
        """Read the tree into a snapshot; yield messages for the user."""


class Offering:
    """Yields the records of a job, with an offer in place of its tree if the worker has a cache.

    Args:
        source: the job.
        greeting: what the worker knows.
    """

    def __init__(self, source: Tree, greeting: Greeting) -> None:
        self._source = source
        self._greeting = greeting
        self._wants: queue.SimpleQueue[Want] = queue.SimpleQueue()
        self._asks_no_more = False

    def note(self, record: Record | Noise) -> bool:
        """Note a record of the results; return True if it is only for this side."""
        if isinstance(record, Want):
            self._wants.put(record)
        self._asks_no_more = self._asks_no_more or isinstance(record, (Status, Failure))
        return isinstance(record, Want)

    def records(self) -> Iterator[Record]:
        """Yield the job and its tree, or what the worker asks for.

        Raises:
            PlaystreamError: as the source.
            LinkError: the worker has ended before it had the tree.
        """
        records = self._source.records()
        job = next(records)
        yield job
        if not (isinstance(job, Job) and job.tree):
            yield from records
            return
        first: list[Record] = []
        try:
            is_small = _take_small(records, first)
        except PlaystreamError:
            yield from first
            raise
        directory = self._source.directory
        if is_small or directory is None:
            yield from chain(first, records)
            return
        with ExitStack() as stack:
            yield from self._greeting.ask()
            memory = None
            if is_there():
                memory = stack.enter_context(closing(Memory(None, algorithms()[0])))
            # A tree that was offered before is read while the worker starts.
            taken = _Taken(self._source, memory) if memory is not None and memory.trees(directory) else None
            yield from self._greeting.wait()
            algorithm = self._algorithm()
            if algorithm is None:
                yield from chain(first, records)
                return
            records.close()
            first.clear()
            if memory is None or memory.algorithm != algorithm:
                memory, taken = stack.enter_context(closing(Memory(None, algorithm))), None
            taken = taken or _Taken(self._source, memory)
            yield from self._offer(directory, taken)

    def _algorithm(self) -> str | None:
        """Return the hash function that both sides have; None if the worker has no cache."""
        hello = self._greeting.hello
        if hello is None or not self._greeting.knows(Offer, Listing, Content):
            return None
        return next((name for name in algorithms() if name in hello.features), None)

    @property
    def _max_record(self) -> int:
        """The maximum size of a record that the worker accepts, in bytes."""
        limit = None if self._greeting.hello is None else self._greeting.hello.limits.get("max_record_bytes")
        return limit if isinstance(limit, int) else MAX_RECORD

    def _offer(self, directory: Path, taken: _Taken) -> Iterator[Record]:
        yield from taken.messages()
        snapshot, memory = taken.snapshot, taken.memory
        if snapshot.largest_listing > self._max_record:
            records = self._source.records()
            next(records)  # the job was sent
            yield from records
            return
        yield snapshot.offer(memory.trees(directory))
        while True:
            want = self._next_want()
            if want is None:
                yield Heartbeat()  # a request to cancel is noticed here
                continue
            if not want.listings:
                break
            earlier = memory.objects(directory, want.since) if want.since else None
            yield from snapshot.listings(earlier or NOTHING)
            yield Heartbeat()  # everything before it is sent now
        yield from snapshot.contents(want.contents)
        yield snapshot.end()
        memory.keep(directory, snapshot.root, snapshot.objects)

    def _next_want(self) -> Want | None:
        """Wait for a question; return None after a while.

        Raises:
            LinkError: the worker has ended.
        """
        try:
            return self._wants.get(timeout=LOOK_SECONDS)
        except queue.Empty:
            if self._greeting.ended or self._asks_no_more:
                raise LinkError("the worker has ended before it had the whole tree") from None
            return None


class _Taken:
    """A tree that was read to be offered.

    Args:
        source: the job.
        memory: hashes it; closed by the caller.
    """

    def __init__(self, source: Tree, memory: Memory) -> None:
        self.memory = memory
        self.snapshot = Snapshot(memory.algorithm)
        self._messages: list[Record] = []
        self._error: PlaystreamError | None = None
        try:
            for message in source.take_snapshot(self.snapshot, memory):
                self._messages.append(message)  # the last one before an error is a Failure
        except PlaystreamError as error:
            self._error = error

    def messages(self) -> Iterator[Record]:
        """Yield messages about the tree for the user.

        Raises:
            PlaystreamError: it could not be read completely.
        """
        yield from self._messages
        if self._error is not None:
            raise self._error


def _take_small(records: Iterator[Record], taken: list[Record]) -> bool:
    """Take the records of a tree; return False as soon as they are worth an offer."""
    size = 0
    for record in records:
        taken.append(record)
        if isinstance(record, FileEntry):
            size += record.size + _ENTRY_BYTES
            if size > _SMALL:
                return False
    return True
