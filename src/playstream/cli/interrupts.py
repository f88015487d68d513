"""Ctrl-C while modules are loaded: it waits until they are. Python's import system loses a KeyboardInterrupt here and
there, or makes another error of it."""

from __future__ import annotations

import signal
from types import TracebackType


class InterruptsWait:
    """For a `with` statement: SIGINT is blocked in it, and comes at its end."""

    def __enter__(self) -> None:
        self._before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, self._before)
