"""Database operations in their own thread, so that the caller can stop waiting.

A driver's wait for a lock, an unresponsive server, name resolution or a hanging file system cannot be interrupted by a
signal or another thread. So the driver waits in a thread, and the caller checks the time and requests to stop.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Generic, Protocol, TypeVar

from playstream.pipeline.errors import StoreError
from playstream.pipeline.io.cancellation import Cancellation

_T = TypeVar("_T")
_LOOK_SECONDS = 0.1
_BREAK_SECONDS = 1.0
"""How long a thread may take to detect that its connection was broken off."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for a store, in seconds."""

    connect: int = 10
    """Until a server accepts a connection."""
    lock: float = 60.0
    """While another process holds a lock."""
    statement: float = 120.0
    """For one statement, measured by the server. Limits of the server or of the URL's options take precedence over this
    one and the one for locks."""
    silence: float = 130.0
    """For any answer, measured here: longer than `statement`, so that a responsive server reports the reason."""
    canceled: float = 3.0
    """For everything, after the caller was requested to stop."""


class Interruptible(Protocol):
    """A connection that can be broken off."""

    def break_off(self) -> None:
        """End the wait of the connection; called from another thread."""

    def close(self) -> None:
        """Release the resources of this object."""


class Session:
    """One operation: a query, or a transaction that writes.

    Args:
        shown: the store's URL without its password.
        patience: how long to wait.
        cancellation: requests to stop; None if it cannot be requested.
    """

    def __init__(self, shown: str, patience: Patience, cancellation: Cancellation | None = None) -> None:
        self._shown = shown
        self._patience = patience
        self._cancellation = cancellation
        self._lock = threading.Lock()
        self._link: Interruptible | None = None
        self._answered_at = 0.0
        self.abandoned = False
        """True if the caller has stopped waiting. Nothing is committed after that."""
        self.uncertain = False
        """True if a commit has begun and its outcome is not known."""

    def call(self, work: Callable[[], _T], release: Callable[[], object] | None = None) -> _T:
        """Call `work` in a thread and wait for it.

        Args:
            work: the function to call.
            release: closes what `work` leaves open for the next call. It is called, in a thread too, if the caller has
                stopped waiting, and its exceptions are ignored.

        Raises:
            StoreError: it took too long, or the caller was requested to stop. The connection is broken off.
            BaseException: the exception of `work`, or a KeyboardInterrupt of the waiting thread.
        """
        operation = _Operation(self, work, release)
        self.note_answer()
        operation.start()
        try:
            self._wait(operation.done)
        except BaseException as error:
            if self._abandon(operation) and release is not None:
                closing = _Operation(self, partial(_drop_errors, release))
                closing.start()
                closing.done.wait(_BREAK_SECONDS)
            operation.done.wait(_BREAK_SECONDS)
            if isinstance(error, StoreError) and operation.outcome and release is None:
                return operation.outcome[0]  # it was done nevertheless
            raise
        if operation.error is not None:
            raise operation.error
        return operation.outcome[0]

    def _wait(self, done: threading.Event) -> None:
        stop_at: float | None = None
        while not done.wait(_LOOK_SECONDS):
            now = time.monotonic()
            if stop_at is None and self._cancellation is not None and self._cancellation.reason is not None:
                stop_at = now + self._patience.canceled
            if stop_at is not None and now >= stop_at:
                raise self._refusal(f"it did not finish within {self._patience.canceled:g} s")
            if now - self._answered_at >= self._patience.silence:
                raise self._refusal(f"it did not respond for {self._patience.silence:g} s")

    def _refusal(self, why: str) -> StoreError:
        reason = None if self._cancellation is None else self._cancellation.reason
        asked = "" if reason is None else f"{reason}: "
        return StoreError(
            f"{asked}gave up waiting for the store {self._shown}: {why}. Check that its server or file system works, "
            "and that no other process holds a lock on it"
        )

    def _abandon(self, operation: _Operation[_T]) -> bool:
        """Stop waiting. Return True if the work is done, so that its thread does not call `release`."""
        with self._lock:
            self.abandoned = True
            if self._link is not None:
                self._link.break_off()
            return operation.finished

    def finish(self, operation: _Operation[_T]) -> bool:
        """Record that the work is done. Return False if the caller has stopped waiting."""
        with self._lock:
            operation.finished = True
            return not self.abandoned

    def note_connected(self, link: Interruptible) -> None:
        """Record that there is a connection, which `link` can break off from another thread."""
        with self._lock:
            self._link = link
        self.check()

    def note_disconnected(self) -> None:
        """Record that the connection, if there was one, was closed."""
        with self._lock:
            link, self._link = self._link, None
        if link is not None:
            link.close()

    def note_answer(self) -> None:
        """Record that the database has answered."""
        self._answered_at = time.monotonic()

    def check(self) -> None:
        """Check that the caller is still waiting.

        Raises:
            StoreError: it is not.
        """
        if self.abandoned:
            raise StoreError(f"the operation on the store {self._shown} was abandoned")

    def begin_commit(self) -> None:
        """Record that a commit begins: its outcome is uncertain until `end_commit`.

        Raises:
            StoreError: the caller has stopped waiting, and nothing must be committed.
        """
        with self._lock:
            self.check()
            self.uncertain = True

    def end_commit(self) -> None:
        """Record that the outcome of the commit is known."""
        self.uncertain = False


class _Operation(Generic[_T]):
    """Work in its thread, which does not keep the program alive: it may hang."""

    def __init__(self, session: Session, work: Callable[[], _T], release: Callable[[], object] | None = None) -> None:
        self._session = session
        self._work = work
        self._release = release
        self.finished = False
        self.done = threading.Event()
        self.outcome: list[_T] = []
        self.error: BaseException | None = None

    def start(self) -> None:
        threading.Thread(target=self._run, name="playstream-store", daemon=True).start()

    def _run(self) -> None:
        _here.session = self._session
        try:
            self.outcome.append(self._work())
        except BaseException as error:  # noqa: BLE001 - raised again in the waiting thread
            self.error = error
        finally:
            if not self._session.finish(self) and self._release is not None:
                _drop_errors(self._release)
            self.done.set()


def _drop_errors(release: Callable[[], object]) -> None:
    """Close what is open, ignoring exceptions, because another error is being raised."""
    with contextlib.suppress(Exception):
        release()


class _Here(threading.local):
    session: Session | None = None


_here = _Here()


def current_session() -> Session | None:
    """Return the session that this thread works for."""
    return _here.session
