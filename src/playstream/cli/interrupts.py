"""Delay Ctrl-C while modules are loaded.

Python's import system may lose a KeyboardInterrupt or turn it into another error.
"""

from __future__ import annotations

import signal
from types import TracebackType


class InterruptsWait:
    """Context manager that blocks SIGINT; a pending signal is delivered at its end."""

    def __enter__(self) -> None:
        self._before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, self._before)
