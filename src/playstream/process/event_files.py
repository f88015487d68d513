"""The directory job_events: a file for each event.

Creating files is a large part of the work of `process` on a capture (docs/performance.md), and none of it is Python's.
So if many events come at once, another process may write them, on another core (`write_behind`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from playstream.pipeline.io.owned import close_owned, own_descriptor
from playstream.pipeline.job.ident import EVENT_FILES
from playstream.pipeline.tree.directories import make_directory
from playstream.process.event_writer import write_file

if TYPE_CHECKING:
    from playstream.process.write_behind import WriteBehind

BACKLOG = 300
"""Events between two flushes after which another process writes: a replay or a flood. Writing them takes as long as
the start of that process."""
_LARGE = 1 << 20
"""Bytes of an event that is written here in any case, so that the other process holds little."""


class EventFiles:
    """Writes events into a new directory `job_events`.

    Args:
        root: descriptor of the directory that it is made in.
        write_behind: another process may write, and an event's file may come later than `write` returns. `finish`
            waits for all of them.

    Raises:
        OSError: it cannot be made.
    """

    def __init__(self, root: int, *, write_behind: bool) -> None:
        self._fd = own_descriptor(make_directory(root, EVENT_FILES))
        self._write_behind = write_behind
        self._written = 0
        """Since the last flush."""
        self._behind: WriteBehind | None = None

    def write(self, name: str, content: bytes) -> None:
        """Keep one event in the file `name`, a plain word.

        Raises:
            FileExistsError: it, or one before it, is there already; `filename` is its name.
            OSError: it, or one before it, cannot be written.
            JobError: the other process was killed.
        """
        if self._behind is not None and len(content) <= _LARGE:
            self._behind.write(name, content)
            return
        write_file(self._fd, name, content)
        self._written += 1
        if self._written == BACKLOG and self._write_behind:
            self._start_writer()

    def _start_writer(self) -> None:
        from playstream.process.write_behind import start  # noqa: PLC0415 - most runs give a few events at a time

        self._behind = start(self._fd)
        self._write_behind = False

    def flush(self) -> None:
        """Make sure that events written so far get into their files now. Raises as `write` does."""
        self._written = 0
        if self._behind is not None:
            self._behind.flush()

    def finish(self) -> None:
        """Wait until all is in its files. Raises as `write` does."""
        behind, self._behind = self._behind, None
        if behind is not None:
            behind.finish()

    def close(self) -> None:
        """Close the directory. Raises as `write` does."""
        try:
            self.finish()
        finally:
            close_owned(self._fd)
