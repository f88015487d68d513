"""When something happens, by the monotonic clock, and for how long the machine let its processes wait meanwhile."""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Iterable
from typing import Self

from tests.stages import LIMIT_SECONDS

_SLEEP_SECONDS = 0.02
SLACK_SECONDS = 1.0
"""What the machine needs by itself to start a program that makes a fault, and to end one."""
_CHAIN = 2
"""Processes that have to run one after the other until something is noticed: a node or a server, and a submitter."""


class Ends:
    """Notes when processes end, in a thread of its own, until all have.

    Args:
        pids: the processes, whosever children they are.
    """

    def __init__(self, pids: Iterable[int]) -> None:
        self._open = {os.pidfd_open(pid): pid for pid in pids}
        self.moments: dict[int, float] = {}
        """When each has ended."""
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        poll = select.poll()
        for fd in self._open:
            poll.register(fd, select.POLLIN)
        until = time.monotonic() + LIMIT_SECONDS
        while self._open and time.monotonic() < until:
            for fd, _ in poll.poll(1000):
                self.moments[self._open.pop(fd)] = time.monotonic()
                poll.unregister(fd)
                os.close(fd)
        for fd in self._open:
            os.close(fd)

    def wait(self) -> float:
        """Wait until all have ended; return when the last one has."""
        self._thread.join()
        assert not self._open, f"the processes {list(self._open.values())} have not ended"
        return max(self.moments.values())


class Lateness:
    """Measures for how long a process that could run has to wait for it, in a `with` statement.

    A limit of some seconds between two moments can only hold on a machine that runs what has to run. This sleeps for a
    moment, again and again, as the processes do that have to notice something, and adds up by how much it wakes up too
    late. On a machine that does nothing else that is a hundredth of the time.
    """

    def __init__(self) -> None:
        self._late: list[tuple[float, float]] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            began = time.monotonic()
            time.sleep(_SLEEP_SECONDS)
            ended = time.monotonic()
            self._late.append((ended, ended - began - _SLEEP_SECONDS))

    def margin(self, since: float, until: float) -> float:
        """Return by how much longer something may take that began and ended at these moments."""
        return SLACK_SECONDS + _CHAIN * sum(late for moment, late in self._late if since <= moment <= until + 1)
