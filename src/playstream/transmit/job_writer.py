"""The outgoing job stream: compressed and written in a thread, kept alive while nothing else goes."""

from __future__ import annotations

import queue
import select
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from playstream.pipeline.errors import PlaystreamError
from playstream.pipeline.io.cancellation import LOOK_SECONDS, Cancellation
from playstream.pipeline.io.liveness import Delivery
from playstream.pipeline.io.stdio import SHUT
from playstream.pipeline.protocol import Cancel, Heartbeat, Record, Sender
from playstream.pipeline.protocol.order import Direction

_AHEAD = 4
"""Pieces of content, 1 MiB each, that packing may be ahead of compressing."""
_PROBE_SECONDS = 1.0
"""Between two heartbeats to a worker that may have left without a word."""


class JobWriter:
    """Sends records of the job direction in the native dialect. The preamble goes at once, so that the worker answers.

    Compressing and packing are each about half of the work, so a thread of its own compresses and writes.

    Args:
        output_fd: the link.
        keepalive_seconds: silence after which a Heartbeat is sent; 0 for never.
        liveness_seconds: the worker counts as lost when it takes nothing for PATIENCE times as long; 0 for never.
        cancellation: when it is requested, DELIVERY_SECONDS are left for what there is to send.
        look: called every LOOK_SECONDS while something waits.
    """

    def __init__(
        self,
        output_fd: int,
        *,
        keepalive_seconds: float,
        liveness_seconds: float,
        cancellation: Cancellation | None = None,
        look: Callable[[], None] = lambda: None,
    ) -> None:
        self._delivery = Delivery(output_fd, "the worker", liveness_seconds, cancellation)
        self._look = look
        self._output_fd = output_fd
        self._keepalive = keepalive_seconds or None
        self._sender = Sender(Direction.JOB)
        self._collecting = threading.Lock()
        """Held from collecting a record until its content is in the queue, so that content keeps its order."""
        self._work: queue.Queue[Callable[[], bytes] | None] = queue.Queue(_AHEAD)
        self._error: PlaystreamError | None = None
        self._thread = threading.Thread(target=self._run, name="playstream-writer", daemon=True)
        self._thread.start()
        preamble = self._sender.flush()  # here: the thread would take what is being collected meanwhile
        self._put(lambda: preamble)

    def send(self, record: Record, *, flush: bool = False) -> None:
        """Send a record; without `flush` it may wait for others.

        Raises:
            LinkError: the reader has exited, or reads nothing.
        """
        with self._collecting:
            contents = self._sender.collect(record)
            if flush:
                contents += self._sender.take_pending()
            for content in contents:
                self._put(partial(self._sender.frame, content))

    def hold(self, cancellation: Cancellation) -> None:
        """Wait until the worker has exited, at the end of the job; send Cancel if that is requested.

        Args:
            cancellation: requests the end of the job.

        Raises:
            LinkError: the worker takes nothing.
        """
        with self._collecting:
            for content in self._sender.take_pending():
                self._put(partial(self._sender.frame, content))
        poll = select.poll()
        poll.register(self._output_fd, SHUT)
        poll.register(cancellation, select.POLLIN)
        while cancellation.reason is None:
            events = dict(poll.poll(LOOK_SECONDS * 1000)).get(self._output_fd, 0)
            if events & ~SHUT or self._error is not None:
                return
            if events:
                poll.modify(self._output_fd, 0)
                self._probe()
            self._check_progress()
        self.send(Cancel(cancellation.reason), flush=True)
        self.end()

    def _probe(self) -> None:
        """Check whether a worker that sends no more still reads: if it does not, writing fails."""
        if self._keepalive is not None:
            self._keepalive = min(self._keepalive, _PROBE_SECONDS)
            self.send(Heartbeat(), flush=True)

    def end(self) -> None:
        """Send the End record when all else is written.

        Raises:
            LinkError: the reader has exited, or reads nothing.
        """
        self._put(self._sender.end)
        self._put(None)
        while self._thread.is_alive():
            self._thread.join(LOOK_SECONDS)
            self._check_progress()
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        """Stop the thread. What is not written yet is dropped, and a blocked write is not waited for."""
        while self._thread.is_alive():
            try:
                self._work.put_nowait(None)
            except queue.Full:
                with suppress(queue.Empty):
                    self._work.get_nowait()
            else:
                return

    def _put(self, work: Callable[[], bytes] | None) -> None:
        waiting = True
        while waiting:
            if self._error is not None:
                raise self._error
            try:
                self._work.put(work, timeout=LOOK_SECONDS)
                waiting = False
            except queue.Full:
                self._check_progress()

    def _check_progress(self) -> None:
        """Check whether the worker reads what is written.

        Raises:
            SilentPeer: it does not.
        """
        self._look()
        self._delivery.check()

    def _run(self) -> None:
        try:
            while (work := self._next()) is not None:
                self._delivery.write(work())
        except PlaystreamError as error:
            self._error = error

    def _next(self) -> Callable[[], bytes] | None:
        """Return what is to be written next; write heartbeats while nothing is."""
        while True:
            try:
                return self._work.get(timeout=self._keepalive)
            except queue.Empty:
                # The holder of the lock is about to add work.
                if self._collecting.acquire(blocking=False):
                    try:
                        self._delivery.write(self._sender.send(Heartbeat()))
                    finally:
                        self._collecting.release()
