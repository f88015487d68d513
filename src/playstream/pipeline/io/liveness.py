"""Liveness: the other side counts as lost if it sends nothing for too long."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from playstream.pipeline.errors import SilentPeer
from playstream.pipeline.io import system
from playstream.pipeline.io.cancellation import DELIVERY_SECONDS, Cancellation, DeliveryTime
from playstream.pipeline.io.stdio import InputLayer, has_input, wait_for, write_all
from playstream.pipeline.limits import check_seconds

DEFAULT_KEEPALIVE_SECONDS = 15.0
"""Silence after which a heartbeat is sent: less than the 30 to 60 seconds after which common load balancers and NAT
gateways drop an idle connection."""
DEFAULT_LIVENESS_SECONDS = 60.0
"""Silence after which the other side counts as lost: four heartbeats."""
PATIENCE = 5
"""Factor for a side that may be busy: before its first byte, because the stage before it may still be sending, and for
reading, because a handler may block."""

_PIECE = 1 << 16
"""Bytes after which to note that they were taken. A frame may be sixteen times as large, and the link slow."""


def seconds_of(options: Mapping[str, Any], name: str, default: float) -> float:
    """Return a number of seconds from keyword arguments.

    Raises:
        ConfigurationError: it is negative, too large or not a number.
    """
    return check_seconds(name, options.get(name, default))


class Liveness:
    """Watches for silence.

    Args:
        side: the other side, for messages.
        seconds: the limit; 0 for none.
        link: where its data comes from: a descriptor, or a layer on one.
    """

    def __init__(self, side: str, seconds: float, link: int | InputLayer) -> None:
        self._side = side
        self._seconds = seconds
        self._link = link
        self._limit = seconds * PATIENCE
        self._heard = time.monotonic()
        self._begun = False
        """Whether anything was received."""

    def mark_alive(self, *, expected: bool = True) -> None:
        """Mark the other side as alive, because data was received.

        Args:
            expected: whether more data can be expected in time, because the other side sends heartbeats.
        """
        self._heard = time.monotonic()
        self._begun = True
        self._limit = self._seconds if expected else 0.0

    @property
    def time_left(self) -> float | None:
        """Seconds until the limit, 0 when it has passed; None for no limit."""
        heard = self._heard
        if not isinstance(self._link, int):
            # Data may arrive for a long time before the layer can pass it on.
            arrived = self._link.heard_at
            if arrived is None:
                return None
            heard = max(heard, arrived)
        return max(0.0, heard + self._limit - time.monotonic()) if self._limit else None

    def is_over(self) -> bool:
        """Return whether the limit has passed and nothing waits in the link.

        A process that was stopped or not scheduled may find both at once: the limit has passed, and data has arrived.
        """
        if self.time_left != 0.0:
            return False
        waits = has_input(self._link) if isinstance(self._link, int) else self._link.has_data()
        return not waits and self.time_left == 0.0  # a layer may just have taken it

    def check(self) -> None:
        """Check whether the other side has been silent for too long.

        Raises:
            SilentPeer: it has.
        """
        if self.is_over():
            lost = (
                "the connection is lost. Everything received before is kept"
                if self._begun
                else "a terminal on the way has stopped: call ssh, docker and podman without -t"
            )
            raise SilentPeer(
                f"{self._side} has been silent for {self._limit:g} seconds: it hangs, its host is down, or {lost}. "
                f"--liveness-seconds sets the limit ({self._seconds:g} here, 0 for none)"
            )


def check_delivery(side: str, cancellation: Cancellation | None, left: DeliveryTime | None = None) -> None:
    """Check whether there is still time for delivery after a request to stop.

    Args:
        side: the reader, for messages.
        cancellation: the request; None if there cannot be one.
        left: the time that is left; None if all time after the request counts.

    Raises:
        SilentPeer: there is no time left.
    """
    if cancellation is not None and (cancellation.overdue if left is None else left.over):
        raise SilentPeer(
            f"{cancellation.reason}, and {side} did not read the remaining output within {DELIVERY_SECONDS:g} seconds. "
            "It probably hangs"
        )


class WatchedWriter:
    """Writes to the other side and checks that it reads what is written.

    Args:
        fd: the link.
        side: the reader, for messages.
        seconds: the limit for silence. The other side counts as lost when it takes nothing for PATIENCE times as long;
            0 for never.
        cancellation: after a request, writing may take DELIVERY_SECONDS; None if there cannot be a request.
    """

    def __init__(self, fd: int, side: str, seconds: float, cancellation: Cancellation | None) -> None:
        self._fd = fd
        self._side = side
        self._limit = seconds * PATIENCE
        self._cancellation = cancellation
        self._left = DeliveryTime(cancellation)
        self._waiting_since: float | None = None
        """When the other side last took data, while more is waiting for it; None if nothing is."""
        self._lost: SilentPeer | None = None

    def write(self, data: bytes, look: Callable[[], None] | None = None) -> None:
        """Write all of `data`.

        Args:
            data: what to write.
            look: called every LOOK_SECONDS while the reader takes nothing; its exceptions are propagated. None if
                another thread calls `check`.

        Raises:
            LinkError: the reader has exited, or the file cannot be written.
            SilentPeer: `check` has given up meanwhile; the rest is not written.
        """
        view = memoryview(data)
        while view:
            if self._lost is not None:
                raise self._lost  # the thread that has given up may close the link
            self._waiting_since = time.monotonic()
            with self._left.taking():
                write_all(self._fd, view[:_PIECE], look)
            view = view[_PIECE:]
        self._waiting_since = None

    def check(self) -> None:
        """Check whether the other side reads what is written.

        Raises:
            SilentPeer: it does not.
        """
        try:
            check_delivery(self._side, self._cancellation, self._left)
            self._check_patience()
        except SilentPeer as error:
            self._lost = error
            raise

    def _check_patience(self) -> None:
        # If this process was stopped there may be room: the other side waits for data that has not been written yet.
        if self._is_overdue() and not wait_for(self._fd, system.POLLOUT, 0) and self._is_overdue():
            raise SilentPeer(
                f"{self._side} has read nothing for {self._limit:g} seconds: it hangs, or the connection is lost. The "
                f"limit for reading is {PATIENCE} times --liveness-seconds"
            )

    def _is_overdue(self) -> bool:
        since = self._waiting_since
        return bool(self._limit) and since is not None and time.monotonic() > since + self._limit
