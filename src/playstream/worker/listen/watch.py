"""Waiting for all connections and workers at once, by epoll(7)."""

from __future__ import annotations

import select
from collections.abc import Callable, Iterator

from playstream.worker.listen.served import Served
from playstream.worker.listen.waiting import Leaving, Waiting

Party = Waiting | Served | Leaving
"""A connection in one of its states."""


class Watch:
    """The connections, and the descriptors that each of them waits for."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._callbacks: dict[int, Callable[[], object]] = {}
        self._last: set[int] = set()
        """Descriptors whose functions are called after everything else."""
        self._owners: dict[int, Party] = {}
        self._masks: dict[int, int] = {}
        self._known: dict[Party, set[int]] = {}
        """The descriptors of each connection; the oldest connection first."""

    def __len__(self) -> int:
        return len(self._known)

    def __iter__(self) -> Iterator[Party]:
        """Return the connections, the oldest first; they may be forgotten meanwhile."""
        return iter(list(self._known))

    def __contains__(self, party: object) -> bool:
        return party in self._known

    def call(self, fd: int, callback: Callable[[], object], *, last: bool = False) -> None:
        """Call a function whenever a descriptor is readable.

        Args:
            fd: the descriptor.
            callback: the function.
            last: whether to call it after everything else that has happened at the same time.
        """
        self._callbacks[fd] = callback
        if last:
            self._last.add(fd)
        self._epoll.register(fd, select.EPOLLIN)

    def pause(self, fd: int, *, paused: bool) -> None:
        """Stop or continue to call the function of a descriptor."""
        self._epoll.modify(fd, 0 if paused else select.EPOLLIN)

    def drop(self, fd: int) -> None:
        """Do not call the function of a descriptor any more."""
        del self._callbacks[fd]
        self._last.discard(fd)
        self._epoll.unregister(fd)

    def wait(self, seconds: float | None) -> Iterator[tuple[Party, int, int]]:
        """Wait until something happens, call the functions, and yield what has happened to connections.

        Args:
            seconds: how long to wait at most; None for no limit.

        Yields:
            A connection, its descriptor, and the events of poll(2).
        """
        # What accepts connections comes last: a new one could get the number of a descriptor that was just closed.
        for fd, events in sorted(self._epoll.poll(seconds), key=lambda item: item[0] in self._last):
            if (callback := self._callbacks.get(fd)) is not None:
                callback()
            elif (party := self._owners.get(fd)) is not None:
                yield party, fd, events

    def add(self, party: Party) -> None:
        """Add a connection, which waits for nothing yet."""
        self._known[party] = set()

    def update(self, party: Party) -> None:
        """Wait for what a connection is interested in, and for nothing else of it."""
        wanted = party.interests()
        for fd in self._known[party] - wanted.keys():
            self._ignore(fd, party)
        for fd, mask in wanted.items():
            if self._owners.get(fd) is not party:
                try:
                    self._epoll.register(fd, mask)
                except FileExistsError:
                    self._epoll.modify(fd, mask)  # it belonged to the same connection in another state
            elif self._masks[fd] != mask:
                self._epoll.modify(fd, mask)
            self._masks[fd] = mask
            self._owners[fd] = party
        self._known[party] = set(wanted)

    def forget(self, party: Party) -> None:
        """Remove a connection."""
        for fd in self._known.pop(party, set()):
            self._ignore(fd, party)

    def close(self) -> None:
        """Wait for nothing any more."""
        self._epoll.close()

    def _ignore(self, fd: int, party: Party) -> None:
        """Do not wait for a descriptor, unless its number belongs to another connection by now."""
        if self._owners.get(fd) is not party:
            return
        del self._owners[fd], self._masks[fd]
        try:
            self._epoll.unregister(fd)
        except OSError:
            pass  # it was closed, which has done that
