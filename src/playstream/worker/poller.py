"""Waiting for several things at once, after selectors, and for a reader's end too.

poll(2) reports to the writing end of a pipe or socket that its reader has exited even if nothing is written; the
standard library's selectors cannot ask for that alone.
"""

from __future__ import annotations

import select
from collections.abc import Callable
from typing import Protocol

from playstream.pipeline.io.stdio import SHUT


class HasFileno(Protocol):
    """Something with a descriptor."""

    def fileno(self) -> int:
        """Return the descriptor."""


class Poller:
    """Calls back when something is readable, or has hung up."""

    def __init__(self) -> None:
        self._poll = select.poll()
        self._callbacks: dict[int, Callable[[int], object]] = {}

    def watch(self, source: HasFileno, callback: Callable[[], object]) -> None:
        """Call `callback` whenever `source` is readable or at its end."""
        self._register(source.fileno(), select.POLLIN, lambda _events: callback())

    def watch_hangup(self, fd: int, callback: Callable[[], object], shut: Callable[[], object]) -> None:
        """Watch the other end of what is written to.

        Args:
            fd: our end.
            callback: called once, when the other end has been closed for good.
            shut: called once, when that end sends no more and may have been closed, which only writing tells.
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
        """Call back no more."""
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
        """Wait until something happens, at most `seconds`, and call back."""
        for fd, events in self._poll.poll(None if seconds is None else int(seconds * 1000) + 1):
            callback = self._callbacks.get(fd)
            if callback is not None:
                callback(events)
