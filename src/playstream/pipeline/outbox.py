"""The outbox sends a stage's records, because a stage must never wait for its link, which may be slow.

A thread encodes and writes the records of one direction, in either dialect. It sends a heartbeat when nothing was sent
for a while.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, cast

from playstream.pipeline.dialect import Dialect
from playstream.pipeline.errors import LinkError, PlaystreamError, SilentPeer, as_error
from playstream.pipeline.io.cancellation import LOOK_SECONDS, Cancellation
from playstream.pipeline.io.liveness import WatchedWriter
from playstream.pipeline.io.mailbox import CLOSED, EMPTY, Mailbox
from playstream.pipeline.io.stdio import OutputLayer
from playstream.pipeline.protocol import (
    Cancel,
    Heartbeat,
    Input,
    Job,
    Offer,
    Ping,
    Pong,
    Record,
    Resize,
    Sender,
    TreeEnd,
    Want,
)
from playstream.pipeline.protocol.order import Direction

if TYPE_CHECKING:
    from playstream.pipeline.runner_dialect.sender import RunnerSender

GATHER_SECONDS = 0.025
"""Minimum time between two flushes of results, so that events share frames (docs/performance.md); the delay is not
noticeable."""
_PROBE_SECONDS = 1.0
"""Time between two heartbeats to a reader that may have exited unnoticed."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What `Outbox.mark` puts between records."""

    note: Callable[[int], None]


class Outbox:
    """Sends the records of a mailbox, after `start` was called.

    Results are flushed when nothing more is waiting and the last flush was not just now: a single event is sent at
    once, and events in quick succession share frames. A job is flushed when it is complete, and after a record that the
    other side answers.

    Args:
        mailbox: the records to send, or the content of those of a job, which `send` puts there.
        output_fd: the link.
        direction: which one.
        keepalive_seconds: silence after which a Heartbeat is sent; 0 for never.
        liveness_seconds: the reader counts as lost when it takes nothing for PATIENCE times as long; 0 for never.
        cancellation: after a request, pending records may still be sent for DELIVERY_SECONDS; None for no limit.
        dialect: the dialect to use if that of the other side is unknown.
        greeting: makes the first record, which is sent at once; not in ansible-runner's dialect. None for none.
        layer: what the bytes pass before they are written, such as encryption; None for nothing.
    """

    def __init__(
        self,
        mailbox: Mailbox[Any],
        output_fd: int,
        direction: Direction,
        *,
        keepalive_seconds: float,
        liveness_seconds: float,
        cancellation: Cancellation | None,
        dialect: Dialect = Dialect.PLAYSTREAM,
        greeting: Callable[[], Record] | None = None,
        layer: OutputLayer | None = None,
    ) -> None:
        self._greeting = greeting
        self._mailbox = mailbox
        self._layer = layer
        self._direction = direction
        self._dialect = dialect
        side = "the worker" if direction is Direction.JOB else "the process stage"
        self._writer = WatchedWriter(output_fd, side, liveness_seconds, cancellation)
        self._keepalive = keepalive_seconds or None
        worthwhile = GATHER_SECONDS if layer is None else max(GATHER_SECONDS, layer.gather_seconds)
        self._gather = worthwhile if direction is Direction.RESULT else None
        self._outgoing: Outgoing | None = None
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._encoding = threading.Lock()
        """Held from encoding a record until its content is in the mailbox, so that content keeps its order."""
        self._written = 0.0
        """When something was written last."""
        self._size = 0
        """How many bytes were written."""

    def start(self, dialect: Dialect) -> Outgoing:
        """Begin to send. A second call changes nothing: a stream has one dialect."""
        with self._starting:
            if self._outgoing is None:
                self._outgoing = outgoing_in(dialect, self._direction)
                # The preamble is sent at once, so that a worker answers while the tree is packed.
                first = list(self._outgoing.flush()) if self._direction is Direction.JOB else []
                if self._greeting is not None and dialect is Dialect.PLAYSTREAM:
                    first += self._outgoing.send(self._greeting(), flush=True)
                self._thread = threading.Thread(
                    target=self._run, args=(self._outgoing, first), name="playstream-outbox", daemon=True
                )
                self._thread.start()
            return self._outgoing

    def send(self, record: Record, look: Callable[[], None]) -> None:
        """Encode a record of a job in this thread, and put the content into the mailbox.

        Compressing is about as much work as packing and encoding, so two threads share it.

        Args:
            record: the record.
            look: called every LOOK_SECONDS while the mailbox is full.

        Raises:
            PlaystreamError: the record or an earlier one could not be sent.
        """
        outgoing = self.start(self._dialect)
        with self._encoding:
            for item in outgoing.prepare(record):
                self._mailbox.put_when_room(item, look)

    def mark(self, note: Callable[[int], None]) -> None:
        """Let the thread that writes call `note` with the number of bytes so far, when everything before is written."""
        self._mailbox.put(Mark(note))

    def name(self, ident: str) -> None:
        """Set the run's name, if the dialect sends it."""
        self.start(self._dialect).name(ident)

    def close(self, look: Callable[[], None] = lambda: None) -> None:
        """Write the waiting records and the end of the stream; wait until that is done or has failed.

        Args:
            look: called every LOOK_SECONDS while waiting; may raise.
        """
        self._mailbox.close()
        self.start(self._dialect)
        while self._thread is not None and self._thread.is_alive() and self._mailbox.error is None:
            self._thread.join(LOOK_SECONDS)
            look()
            self.check()

    def drop(self) -> None:
        """Drop what was not written yet, without waiting for a blocked write."""
        self._mailbox.fail(LinkError("the stream was broken off"))
        self._mailbox.close()
        if self._thread is not None:
            self._thread.join(LOOK_SECONDS)

    def probe(self) -> None:
        """Check whether a reader that sends no more still reads: send a heartbeat immediately, and then every second.

        If it does not read, writing fails, and the descriptor reports that its other end is closed. Without heartbeats
        this does nothing: the next record shows whether the reader reads.
        """
        if self._keepalive is not None:
            self._keepalive = min(self._keepalive, _PROBE_SECONDS)
            self._mailbox.put(Heartbeat())

    def check(self) -> None:
        """Give up if the reader has taken nothing for too long; the error is set on the mailbox."""
        try:
            self._writer.check()
        except SilentPeer as error:
            self._mailbox.fail(error)

    def _run(self, outgoing: Outgoing, first: Iterable[bytes]) -> None:
        flushed = self._written = time.monotonic()
        pending = False
        try:
            self._write_all(first)
            while True:
                gathers = pending and self._gather is not None
                record = self._mailbox.take(self._time_left(flushed) if gathers else self._keepalive)
                if record is CLOSED:
                    break
                if record is EMPTY:
                    if self._encoding.acquire(blocking=False):  # its holder is about to add something
                        try:
                            self._write_all(outgoing.flush() if gathers else outgoing.send(Heartbeat(), flush=True))
                        finally:
                            self._encoding.release()
                    flushed, pending = time.monotonic(), False
                    continue
                if isinstance(record, Mark):
                    record.note(self._size)
                    continue
                waits = self._gather is not None and not isinstance(record, (Pong, Want))
                pending = waits and not (self._mailbox.empty and self._time_left(flushed) <= 0)
                # If more is waiting, the link is slower than this side: a layer may then do more at once.
                self._write_all(outgoing.send(record, flush=not pending), flush=not pending and self._mailbox.empty)
                now = time.monotonic()
                if not pending:
                    flushed = now
                if self._keepalive is not None and now > self._written + self._keepalive:
                    # Records arrive but nothing is sent, because an archive is only sent when it is complete.
                    self._write_all(outgoing.send(Heartbeat(), flush=True))
            self._write_all(outgoing.end(), last=True)
        except (PlaystreamError, OSError) as error:
            self._mailbox.fail(as_error(error))
        finally:
            outgoing.close()

    def _time_left(self, flushed: float) -> float:
        return flushed + (self._gather or 0.0) - time.monotonic()

    def _write_all(self, pieces: Iterable[bytes], *, flush: bool = True, last: bool = False) -> None:
        for data in pieces if self._layer is None else self._layer.wrap(pieces, flush=flush, last=last):
            if self._mailbox.error is not None:
                raise self._mailbox.error  # the thread that gave up may close the link
            if data:
                self._writer.write(data)
                self._size += len(data)
                self._written = time.monotonic()


class Outgoing(Protocol):
    """The outgoing direction of a dialect: records to pieces of bytes to write."""

    def prepare(self, record: Record) -> Iterable[Record | bytes]:
        """Return what the mailbox gets for `record`: the record, or content that is ready for `send`."""

    def send(self, record: Record | bytes, *, flush: bool) -> Iterable[bytes]:
        """Return the pieces for what `prepare` returned; without `flush` they may be kept for later."""

    def flush(self) -> Iterable[bytes]:
        """Return the pieces that were kept."""

    def end(self) -> Iterable[bytes]:
        """Return the last pieces."""

    def name(self, ident: str) -> None:
        """Set the run's name, once it is known."""

    def close(self) -> None:
        """Drop what has not been sent."""


class _Native:
    """The native dialect, which gathers records in frames: those of a job until the worker can use them."""

    def __init__(self, direction: Direction) -> None:
        self._sender = Sender(direction)
        self._is_job = direction is Direction.JOB

    def prepare(self, record: Record) -> Iterable[Record | bytes]:
        """Return the record; of a job the content that is full, or all that is pending if the worker waits for it."""
        if not self._is_job:
            return (record,)
        contents = self._sender.collect(record)
        if isinstance(record, (Offer, TreeEnd, Heartbeat, Cancel, Ping, Input, Resize)) or (
            isinstance(record, Job) and not record.tree
        ):
            contents += self._sender.take_pending()
        return contents

    def send(self, record: Record | bytes, *, flush: bool) -> Iterable[bytes]:
        """Return the frame of content, or of records the frames that are full, or all with `flush`."""
        if isinstance(record, bytes):
            return (self._sender.frame(record),)
        return (self._sender.send(record, flush=flush),)

    def flush(self) -> Iterable[bytes]:
        """Return the frame of the pending records."""
        return (self._sender.flush(),)

    def end(self) -> Iterable[bytes]:
        """Return the End record."""
        return (self._sender.end(),)

    def name(self, ident: str) -> None:
        """Do nothing: the records do not contain the name."""

    def close(self) -> None:
        """Do nothing: there is only memory to release."""


class _Runner:
    """ansible-runner's dialect, which sends each record at once."""

    def __init__(self, sender: RunnerSender) -> None:
        self._sender = sender

    def prepare(self, record: Record) -> Iterable[Record | bytes]:
        """Return the record."""
        return (record,)

    def send(self, record: Record | bytes, *, flush: bool) -> Iterable[bytes]:  # noqa: ARG002 - nothing is held back
        """Return the line, or the archive of a whole tree."""
        return self._sender.send(cast("Record", record))

    def flush(self) -> Iterable[bytes]:
        """Return nothing: no pieces are kept."""
        return ()

    def end(self) -> Iterable[bytes]:
        """Return the line that ends the stream."""
        return self._sender.end()

    def name(self, ident: str) -> None:
        """Set the name, which is part of the statuses."""
        self._sender.ident = ident

    def close(self) -> None:
        """Drop an archive that is not complete."""
        self._sender.close()


def outgoing_in(dialect: Dialect, direction: Direction) -> Outgoing:
    """Create the outgoing end of one direction."""
    if dialect is Dialect.PLAYSTREAM:
        return _Native(direction)
    from playstream.pipeline.runner_dialect.sender import RunnerSender  # noqa: PLC0415 - zipfile costs 10 ms of a start

    return _Runner(RunnerSender(direction))
