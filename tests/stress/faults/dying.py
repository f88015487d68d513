"""A worker that kills itself while it stores a tree: `python -m tests.stress.faults.dying STEP NOTE WORD…`.

WORD… is a command of playstream. A step is a call of the system for a file in the main thread, from the moment when the
cache is loaded: opening, renaming, removing, dating, making a directory; or writing, of which half is done then. At
STEP the process sends itself SIGKILL; 0 is never. If it ends in another way, the file NOTE has the kinds of all steps,
in their order.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from playstream.cli.main import main

_CALLS = {"open", "os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.utime", "os.chmod"}
_write = os.write
_CACHE = "playstream.worker.cache.store"


class Steps:
    """Counts steps, and ends the process at one of them.

    Args:
        last: the number of the step, from 1.
    """

    def __init__(self, last: int) -> None:
        self._last = last
        self.kinds: list[str] = []

    def __call__(self, event: str, _arguments: object) -> None:
        """Take an event; see sys.addaudithook."""
        if event in _CALLS:
            self._take(event, lambda: None)

    def write(self, fd: int, data: bytes | memoryview) -> int:
        """Take the place of os.write."""
        self._take("write", lambda: _write(fd, data[: len(data) // 2]))
        return _write(fd, data)

    def _take(self, kind: str, do: Callable[[], object]) -> None:
        if _CACHE not in sys.modules or threading.current_thread() is not threading.main_thread():
            return
        self.kinds.append(kind)
        if len(self.kinds) == self._last:
            do()
            os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    step, note, *words = sys.argv[1:]
    steps = Steps(int(step))
    sys.addaudithook(steps)
    os.write = steps.write  # type: ignore[assignment]
    try:
        sys.exit(main(words))
    finally:
        Path(note).write_text(" ".join(steps.kinds))
