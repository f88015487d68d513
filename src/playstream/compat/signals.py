"""SIGINT and SIGTERM as in ansible-runner: they cancel a run without a cancel callback, and do not end the program."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import FrameType
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class SignalWatch:
    """A cancel callback that returns True after SIGINT or SIGTERM was received.

    Only the main thread can handle signals. In another thread it never returns True.
    """

    def __init__(self) -> None:
        self._came = False
        self._before: dict[int, Any] = {}
        self.over = False
        """True after the run has ended: signals then have their earlier effect."""

    def __call__(self) -> bool:
        return self._came

    def start(self) -> None:
        """Install the signal handlers."""
        if not self._before and threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._note) for number in _SIGNALS}

    def stop(self) -> None:
        """Restore the earlier signal handlers, unless the program has replaced them meanwhile."""
        self.over = True
        if threading.current_thread() is threading.main_thread():
            for number in self._before:
                if signal.getsignal(number) == self._note:
                    signal.signal(number, self.handler_before(number))

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Handle signals while the context lasts; do nothing if they are handled already."""
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
        # stop() was not called, because a run in another thread cannot restore signal handlers.
        self.stop()
        if signal.getsignal(number) != self._note:
            signal.raise_signal(number)

    def handler_before(self, number: int) -> Any:
        """Return the earlier handler of the signal, skipping those of overlapping runs that have ended."""
        handler = self._before[number]
        watch = getattr(handler, "__self__", None)
        if isinstance(watch, SignalWatch) and watch.over:
            return watch.handler_before(number)
        return signal.SIG_DFL if handler is None else handler


class WatchedThread(threading.Thread):
    """The thread of a run that signals cancel. When the main thread sees its end, it restores the signal handlers.

    Args:
        watch: handles the signals.
        options: as for Thread.
    """

    def __init__(self, watch: SignalWatch, **options: Any) -> None:
        super().__init__(**options)
        self._watch = watch

    def run(self) -> None:
        """Run the thread's function, and mark the run as ended."""
        try:
            super().run()
        finally:
            self._watch.over = True

    def join(self, timeout: float | None = None) -> None:
        """Wait for the thread to end."""
        super().join(timeout)
        self.is_alive()

    def is_alive(self) -> bool:
        """Return whether the thread is running."""
        alive = super().is_alive()
        if not alive and self._watch.over:
            self._watch.stop()
        return alive


def listening(cancel_callback: object) -> AbstractContextManager[None]:
    """Return a context for a run, in which signals are handled if they cancel it."""
    return cancel_callback.listening() if isinstance(cancel_callback, SignalWatch) else nullcontext()
