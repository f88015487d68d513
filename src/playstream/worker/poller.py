"""Waiting for several things at once, similar to selectors, and also for the exit of a reader.

poll(2) reports to the writing end of a pipe or socket that its reader has exited even if nothing is written; the
standard library's selectors cannot request only that.
"""

from __future__ import annotations

import select
from collections.abc import Callable
from typing import Protocol

from playstream.pipeline.io.stdio import SHUT, as_milliseconds

_LEAST_SECONDS = 0.001
"""Waiting never lasts less, so that a limit that is not quite reached does not keep the processor busy."""


class HasFileno(Protocol):
    """Something with a descriptor."""

    def fileno(self) -> int:
        """Return the descriptor."""


class Poller:
    """Calls functions when something is readable or has hung up."""

    def __init__(self) -> None:
        self._poll = select.poll()
        self._callbacks: dict[int, Callable[[int], object]] = {}

    def watch(self, source: HasFileno, callback: Callable[[], object]) -> None:
        """Call `callback` whenever `source` is readable or at its end."""
        self._register(source.fileno(), select.POLLIN, lambda _events: callback())

    def watch_hangup(self, fd: int, callback: Callable[[], object], shut: Callable[[], object]) -> None:
        """Watch the other end of a link that is written to.

        Args:
            fd: this end.
            callback: called once, when the other end was closed.
            shut: called once, when the other end sends no more. It may be closed, which only writing shows.
        """

        def tell(events: int) -> None:
            if events == SHUT:
                self._poll.modify(fd, 0)
                shut()
            else:
                self._unregister(fd)
                callback()

        self._register(fd, SHUT, tell)

    def unwatch(self, source: HasFileno) -> None:
        """Stop watching `source`."""
        self._unregister(source.fileno())

    def watches(self, source: HasFileno) -> bool:
        """Return True while `source` is watched."""
        return source.fileno() in self._callbacks

    def _register(self, fd: int, events: int, callback: Callable[[int], object]) -> None:
        self._poll.register(fd, events)
        self._callbacks[fd] = callback

    def _unregister(self, fd: int) -> None:
        self._poll.unregister(fd)
        del self._callbacks[fd]

    def wait(self, seconds: float | None) -> None:
        """Wait at most `seconds`, or a millisecond longer, until something happens, and call the functions."""
        for fd, events in self._poll.poll(as_milliseconds(None if seconds is None else seconds + _LEAST_SECONDS)):
            callback = self._callbacks.get(fd)
            if callback is not None:
                callback(events)
