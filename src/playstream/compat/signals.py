"""SIGINT and SIGTERM as ansible-runner takes them: they cancel a run that has no cancel callback, and end nothing."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import FrameType
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class SignalWatch:
    """Remembers that SIGINT or SIGTERM came while it listened. Calling it tells so: it is a cancel callback.

    Only the main thread can listen. In another one it never hears anything.
    """

    def __init__(self) -> None:
        self._came = False
        self._before: dict[int, Any] = {}
        self.over = False
        """The run has ended. A signal that comes now does what it did before."""

    def __call__(self) -> bool:
        return self._came

    def start(self) -> None:
        """Listen from here on."""
        if not self._before and threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._note) for number in _SIGNALS}

    def stop(self) -> None:
        """Let the signals do what they did before, unless the program has changed that meanwhile."""
        self.over = True
        if threading.current_thread() is threading.main_thread():
            for number in self._before:
                if signal.getsignal(number) == self._note:
                    signal.signal(number, self._handler_before(number))

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Listen while the context lasts; nothing happens if it listens already."""
        if self._before:
            yield
            return
        self.start()
        try:
            yield
        finally:
            self.stop()

    def _note(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - a signal handler's parameters
        if not self.over:
            self._came = True
            return
        # Nobody has come to stop it: a run in another thread cannot.
        self.stop()
        if signal.getsignal(number) != self._note:
            signal.raise_signal(number)

    def _handler_before(self, number: int) -> Any:
        """What handled the signal before; of runs that overlapped, before the first of those that have ended."""
        handler = self._before[number]
        watch = getattr(handler, "__self__", None)
        if isinstance(watch, SignalWatch) and watch.over:
            return watch._handler_before(number)
        return signal.SIG_DFL if handler is None else handler


class WatchedThread(threading.Thread):
    """The thread of a run that signals cancel. The main thread that sees its end stops listening.

    Args:
        watch: what listens.
        options: those of Thread.
    """

    def __init__(self, watch: SignalWatch, **options: Any) -> None:
        super().__init__(**options)
        self._watch = watch

    def run(self) -> None:
        """Run, and say that the run is over."""
        try:
            super().run()
        finally:
            self._watch.over = True

    def join(self, timeout: float | None = None) -> None:
        """Wait for the end."""
        super().join(timeout)
        self.is_alive()

    def is_alive(self) -> bool:
        """Whether the run goes on."""
        alive = super().is_alive()
        if not alive and self._watch.over:
            self._watch.stop()
        return alive


def listening(cancel_callback: object) -> AbstractContextManager[None]:
    """What a run goes on in: signals are listened to, if they are what cancels it."""
    return cancel_callback.listening() if isinstance(cancel_callback, SignalWatch) else nullcontext()
