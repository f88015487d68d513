"""Unpacking a tree in a thread of its own, while the caller receives and decompresses: each is half of the work."""

from __future__ import annotations

import queue
import threading
from pathlib import Path

from playstream.pipeline.errors import PlaystreamError
from playstream.pipeline.protocol import FileData, FileEntry, TreeEnd
from playstream.pipeline.tree import Unpacker

Parts = list[FileEntry | FileData | TreeEnd]

_AHEAD = 4
"""Batches that receiving may be ahead of unpacking. A batch is what one read gave, about 1 MiB at most."""


class Unpacking:
    """Takes the records of one tree, in batches.

    Args:
        target: the directory to unpack into.
        replace: entries take the place of files that are there.
    """

    def __init__(self, target: Path, *, replace: bool) -> None:
        self._unpacker = Unpacker(target, trusted=True, replace=replace)
        self._batches: queue.Queue[Parts | None] = queue.Queue(_AHEAD)
        self._error: PlaystreamError | None = None
        self._thread: threading.Thread | None = None

    def put(self, parts: Parts) -> None:
        """Unpack a batch, soon; returns when the tree is complete if `parts` ends it.

        Raises:
            PlaystreamError: an earlier batch, or the end of the tree, could not be unpacked.
        """
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="playstream-unpacking", daemon=True)
            self._thread.start()
        self._batches.put(parts)
        if isinstance(parts[-1], TreeEnd):
            self._join()
        if self._error is not None:
            raise self._error

    def _join(self) -> None:
        if self._thread is not None:
            self._batches.put(None)
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        while (parts := self._batches.get()) is not None:
            if self._error is None:
                try:
                    for part in parts:
                        self._unpacker.receive(part)
                except PlaystreamError as error:
                    self._error = error  # and go on emptying the queue, so that nobody waits for room

    def close(self) -> None:
        """Stop, and close what the tree left open."""
        self._join()
        self._unpacker.close()
