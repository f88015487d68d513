"""Requesting a running stage to stop, from a signal handler or another thread."""

from __future__ import annotations

import os
import time
from _thread import RLock
from collections.abc import Iterator
from contextlib import contextmanager

from playstream.pipeline.errors import PlaystreamError
from playstream.pipeline.io import system

LOOK_SECONDS = 0.25
"""How often long operations check for a request to stop."""
DELIVERY_SECONDS = 5.0
"""How long, after a request to stop, pending data may still be delivered."""
_CLOSED = -1


class Canceled(Exception):
    """A stop was requested before the run began. The message is the reason."""


class Waker:
    """Wakes threads that wait in a poll.

    Any thread and any signal handler may wake them, even before anyone waits. The descriptors are created when
    something first waits.
    """

    def __init__(self) -> None:
        self._lock = RLock()  # reentrant: a signal handler may interrupt the thread that holds it
        self._read_end = self._write_end = _CLOSED
        self._woken = False
        """Whether `wake` has been called, perhaps before the pipe existed."""

    def wake(self) -> None:
        """Wake the waiting threads; for threads that end before `close` is called."""
        self._woken = True  # set before the pipe is checked, which may be opened meanwhile
        write_end = self._write_end
        if write_end == _CLOSED:
            return
        try:
            os.write(write_end, b"w")
        except BlockingIOError:
            pass  # the pipe is full, so the waiting side wakes up anyway
        except OSError:
            if self._write_end != _CLOSED:
                raise

    def fileno(self) -> int:
        """Return a descriptor that is readable when something has changed."""
        with self._lock:
            if self._read_end == _CLOSED:
                read_end, write_end = os.pipe()
                for fd in (read_end, write_end):
                    system.set_blocking(fd, False)
                self._read_end, self._write_end = read_end, write_end
                if self._woken:
                    self.wake()
            return self._read_end

    def acknowledge(self) -> None:
        """Consume the pending wake-ups."""
        if self._read_end == _CLOSED:
            return
        try:
            os.read(self._read_end, 4096)
        except BlockingIOError:
            pass  # another call consumed them

    def close(self) -> None:
        """Close the descriptors. `wake` does nothing after this; a thread that hangs in a write may still call it."""
        with self._lock:
            ends, self._read_end, self._write_end = {self._read_end, self._write_end}, _CLOSED, _CLOSED
            for fd in ends - {_CLOSED}:
                os.close(fd)


class Cancellation(Waker):
    """A request to stop, which any thread and any signal handler may make, and which also wakes threads."""

    def __init__(self) -> None:
        super().__init__()
        self.reason: str | None = None
        """The reason, for messages; None while there is no request."""
        self.requested_at: float | None = None
        """When the request was made, on the monotonic clock."""
        self.error: PlaystreamError | None = None
        """What a job that was requested to stop has failed with; None if it was canceled."""

    @property
    def overdue(self) -> bool:
        """Whether the time for delivery after a request is over."""
        return self.requested_at is not None and time.monotonic() >= self.requested_at + DELIVERY_SECONDS

    def request(self, reason: str, error: PlaystreamError | None = None) -> None:
        """Request the stage to stop; the first reason is kept.

        Args:
            reason: for messages.
            error: what the job has failed with; None if it is canceled.
        """
        with self._lock:  # otherwise the pipe could be closed, and its number reused, before `wake` writes
            if self.reason is None:
                self.requested_at = time.monotonic()
                self.error = error
                self.reason = reason
            self.wake()


def check_canceled(cancellation: Cancellation | None) -> None:
    """Check for a request to stop.

    Raises:
        Canceled: there is one.
    """
    if cancellation is not None and cancellation.reason is not None:
        raise Canceled(cancellation.reason)


class DeliveryTime:
    """The time left for delivery after a request to stop.

    The time that a job takes to end, such as a container that stops slowly, does not count. One thread calls `taking`;
    any thread may read `over`.

    Args:
        cancellation: the request; None if there cannot be one.
    """

    def __init__(self, cancellation: Cancellation | None) -> None:
        self._cancellation = cancellation
        self._spent = 0.0
        self._since: float | None = None

    @contextmanager
    def taking(self) -> Iterator[None]:
        """Count the time inside the context, during which data waits to be read."""
        since = self._since = time.monotonic()
        try:
            yield
        finally:
            self._spent += self._after_request(since)
            self._since = None

    @property
    def over(self) -> bool:
        """Whether DELIVERY_SECONDS have been used up."""
        spent, since = self._spent, self._since
        if self._cancellation is None or self._cancellation.requested_at is None:
            return False
        return spent + (0.0 if since is None else self._after_request(since)) >= DELIVERY_SECONDS

    def _after_request(self, since: float) -> float:
        """Return how many seconds have passed since `since`, without those before the request."""
        if self._cancellation is None or self._cancellation.requested_at is None:
            return 0.0
        return time.monotonic() - max(since, self._cancellation.requested_at)
