"""The `stdout` artifact: all that was on the terminal, as it was."""

from __future__ import annotations

import os
from pathlib import Path


class Transcript:
    """Writes the terminal's output to `<artifact_dir>/stdout`, 0600."""

    def __init__(self, artifact_dir: Path) -> None:
        self._path = artifact_dir / "stdout"
        self._fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self.error: str | None = None
        """Why writing has stopped; for people."""

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
        os.close(self._fd)
