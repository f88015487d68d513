"""The last lines of a node's own log, for operators."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from playstream.mesh.messages import LogLines

KEPT: Final = 1000
"""How many lines are kept."""
_MAX_LINE = 4000
_MAX_ANSWER = 1 << 17
"""Characters in one answer; JSON makes up to six bytes of one."""


class KeptLines:
    """Keeps lines while they are written.

    Args:
        write: writes an event, and returns its line.
    """

    def __init__(self, write: Callable[..., str]) -> None:
        self._write = write
        self._lines: deque[str] = deque(maxlen=KEPT)
        self._total = 0

    def write(self, event: str, **fields: str | float | None) -> None:
        """Write an event."""
        self._lines.append(self._write(event, **fields)[:_MAX_LINE])
        self._total += 1

    def part(self, first: int) -> LogLines:
        """Return lines from a number on, as many as one answer takes."""
        oldest = self._total - len(self._lines)
        number = max(first, oldest)
        found: list[str] = []
        size = 0
        for line in list(self._lines)[number - oldest :]:
            size += len(line)
            if found and size > _MAX_ANSWER:
                break
            found.append(line)
        return LogLines(tuple(found), number + len(found), self._total)
