"""The outbox: between the supervisor, which must never wait for the link, and the link, which may be slow.

A thread encodes and writes. It flushes when nothing more is waiting and the last flush is a little while ago: a single
event goes out at once, and events that follow one another closely share frames. When nothing was sent for long it
sends a heartbeat.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable

from playstream.pipeline.dialect import Dialect
from playstream.pipeline.errors import PlaystreamError, SilentPeer
from playstream.pipeline.io.cancellation import LOOK_SECONDS, Cancellation
from playstream.pipeline.io.liveness import Delivery
from playstream.pipeline.io.mailbox import CLOSED, EMPTY, Mailbox
from playstream.pipeline.protocol import Heartbeat
from playstream.worker.outgoing import Outgoing, outgoing_in

GATHER_SECONDS = 0.025
"""Minimum time between two flushes, so that events share frames (docs/performance.md); the delay is not noticeable."""

_PROBE_SECONDS = 1.0
"""Between two heartbeats to a reader that may have left without a word."""


class Outbox:
    """Sends what is put into a mailbox, from `start` on.

    Args:
        mailbox: where the records come from.
        output_fd: the link.
        keepalive_seconds: silence after which a Heartbeat is sent; 0 for never.
        liveness_seconds: the reader counts as lost when it takes nothing for PATIENCE times as long; 0 for never.
        cancellation: when it is requested, DELIVERY_SECONDS are left for what there is to send.
        dialect: the dialect to use if that of the other side is unknown.
    """

    def __init__(
        self,
        mailbox: Mailbox,
        output_fd: int,
        *,
        keepalive_seconds: float,
        liveness_seconds: float,
        cancellation: Cancellation,
        dialect: Dialect = Dialect.PLAYSTREAM,
    ) -> None:
        self._dialect = dialect
        self._mailbox = mailbox
        self._delivery = Delivery(output_fd, "the process stage", liveness_seconds, cancellation)
        self._keepalive = keepalive_seconds or None
        self._outgoing: Outgoing | None = None
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._written = 0.0
        """When something was written last."""

    def start(self, dialect: Dialect) -> Outgoing:
        """Begin to send. A second call changes nothing: a stream has one dialect."""
        with self._starting:
            if self._outgoing is None:
                self._outgoing = outgoing_in(dialect)
                self._thread = threading.Thread(
                    target=self._run, args=(self._outgoing,), name="playstream-outbox", daemon=True
                )
                self._thread.start()
            return self._outgoing

    def name(self, ident: str) -> None:
        """Say what the run is called, where the dialect says it."""
        self.start(self._dialect).name(ident)

    def close(self) -> None:
        """Write what is waiting and the end of the stream; wait until that is done or has failed."""
        self._mailbox.close()
        self.start(self._dialect)
        while self._thread is not None and self._thread.is_alive() and self._mailbox.error is None:
            self._thread.join(LOOK_SECONDS)
            self.check()

    def probe(self) -> None:
        """Check whether a reader that sends no more still reads: write something now, and then every second.

        If it does not, writing fails, and the descriptor reports that its other end is closed. Without heartbeats
        nothing is done: that is found out with the next result.
        """
        if self._keepalive is not None:
            self._keepalive = min(self._keepalive, _PROBE_SECONDS)
            self._mailbox.put(Heartbeat())

    def check(self) -> None:
        """Give up if the reader has taken nothing for too long; the mailbox has the error then."""
        try:
            self._delivery.check()
        except SilentPeer as error:
            self._mailbox.fail(error)

    def _run(self, outgoing: Outgoing) -> None:
        flushed = self._written = time.monotonic()
        pending = False
        try:
            while True:
                patience = flushed + GATHER_SECONDS - time.monotonic() if pending else self._keepalive
                record = self._mailbox.take(patience)
                if record is CLOSED:
                    break
                if record is EMPTY:
                    self._write_all(outgoing.flush() if pending else outgoing.send(Heartbeat(), flush=True))
                    flushed, pending = time.monotonic(), False
                    continue
                now = time.monotonic()
                pending = not self._mailbox.empty or now < flushed + GATHER_SECONDS
                self._write_all(outgoing.send(record, flush=not pending))
                if not pending:
                    flushed = now
                if self._keepalive is not None and now > self._written + self._keepalive:
                    # Records come and nothing goes: an archive grows, which has to be whole before its first byte goes.
                    self._write_all(outgoing.send(Heartbeat(), flush=True))
            self._write_all(outgoing.end())
        except PlaystreamError as error:
            self._mailbox.fail(error)
        finally:
            outgoing.close()

    def _write_all(self, pieces: Iterable[bytes]) -> None:
        for data in pieces:
            if self._mailbox.error is not None:
                raise self._mailbox.error  # the thread that has given up may close the link
            if data:
                self._delivery.write(data)
                self._written = time.monotonic()
