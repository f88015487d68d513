"""The directory job_events: a file for each event.

Creating files is a large part of the work of `process` on a capture (docs/performance.md), and the kernel does all of
it. So if many events arrive at once, another process may write them on another core (`write_behind`).
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
"""Number of events between two flushes after which another process writes, as in a replay or a flood. Writing them
takes as long as the start of that process."""
_LARGE = 1 << 20
"""Size of an event from which it is always written here, so that the other process needs little memory."""


class EventFiles:
    """Writes events into a new directory `job_events`.

    Args:
        root: descriptor of the parent directory.
        write_behind: another process may write, so that `write` may return before an event's file exists. `finish`
            waits for all of them.

    Raises:
        OSError: the directory cannot be created.
    """

    def __init__(self, root: int, *, write_behind: bool) -> None:
        self._fd = own_descriptor(make_directory(root, EVENT_FILES))
        self._write_behind = write_behind
        self._written = 0
        """Number of events since the last flush."""
        self._behind: WriteBehind | None = None

    def write(self, name: str, content: bytes) -> None:
        """Write one event to the file `name`, a plain word.

        Raises:
            FileExistsError: this file or an earlier one exists; `filename` is its name.
            OSError: this file or an earlier one cannot be written.
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
        from playstream.process.write_behind import start  # noqa: PLC0415 - most runs send few events at a time

        self._behind = start(self._fd)
        self._write_behind = False

    def flush(self) -> None:
        """Start writing all events to their files now. Raise as `write` does."""
        self._written = 0
        if self._behind is not None:
            self._behind.flush()

    def finish(self) -> None:
        """Wait until all events are in their files. Raise as `write` does."""
        behind, self._behind = self._behind, None
        if behind is not None:
            behind.finish()

    def close(self) -> None:
        """Close the directory. Raise as `write` does."""
        try:
            self.finish()
        finally:
            close_owned(self._fd)
