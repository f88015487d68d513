"""The dead-man's clock of a worker on the node of a mesh: the job ends when the node has lost the mesh, or is frozen.

The node writes into a pipe when it last had contact. The clock is that of the host and counts while the host sleeps; it
does not follow the wall clock.
"""

from __future__ import annotations

import os
import struct
import time
from typing import Final

from playstream.pipeline.errors import NodeLost
from playstream.pipeline.io import system
from playstream.pipeline.io.cancellation import Cancellation

MOMENT: Final = struct.Struct("=d")
"""A moment of `now`, as the node writes it."""
_READ_BYTES = 4096
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def now() -> float:
    """Return the time in seconds, with that in which the host has slept."""
    return time.clock_gettime(_CLOCK)


class DeadMansClock:
    """Watches for signs of the node.

    Args:
        fd: the reading end of the pipe.
        seconds: how long ago the last contact may be.
    """

    def __init__(self, fd: int, seconds: float) -> None:
        os.set_inheritable(fd, False)
        system.set_blocking(fd, False)
        self._fd = fd
        self._seconds = seconds
        self._last = now()
        self._rest = b""

    def check(self, cancellation: Cancellation) -> None:
        """Request the end of the job, as NodeLost, if the node has no contact any more."""
        if cancellation.reason is None and (reason := self._read()) is not None:
            reason += ", so its worker has ended the job"
            cancellation.request(reason, NodeLost(reason))

    def _read(self) -> str | None:
        try:
            while data := os.read(self._fd, _READ_BYTES):
                data = self._rest + data
                whole = len(data) - len(data) % MOMENT.size
                self._rest = data[whole:]
                self._last = max(self._last, *(moment for (moment,) in MOMENT.iter_unpack(data[:whole])), 0.0)
        except BlockingIOError:
            silence = now() - self._last
            if silence <= self._seconds:
                return None
            return f"the node has had no contact to the mesh for {silence:.1f} seconds, or is frozen"
        return "the node of the mesh was killed"
