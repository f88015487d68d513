"""The artifacts `stdout` and `stderr`: all that was on the terminal or in the pipes, as it was."""

from __future__ import annotations

import os
from pathlib import Path

from playstream.pipeline.io.owned import close_owned, own_descriptor


class Transcript:
    """Writes output to `path`, 0600; to nothing when it is None."""

    def __init__(self, path: Path | None) -> None:
        self._path = path or Path(os.devnull)
        exclusive = os.O_CREAT | os.O_EXCL if path is not None else 0
        self._fd = own_descriptor(os.open(self._path, os.O_WRONLY | exclusive | os.O_CLOEXEC, 0o600))
        self.error: str | None = None
        """Why writing has stopped; a message."""

    def write(self, data: bytes) -> None:
        """Append `data`; after an error, nothing."""
        view = memoryview(data)
        while view and self.error is None:
            try:
                view = view[os.write(self._fd, view) :]
            except OSError as error:
                self.error = f"{self._path} cannot be written: {error.strerror}. Free space on the worker's host"

    def close(self) -> None:
        """Close the file."""
        close_owned(self._fd)
