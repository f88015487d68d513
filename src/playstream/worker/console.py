"""What a command runs on, a terminal or pipes, and the artifacts that keep its output."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol

from playstream.pipeline.io.owned import close_owned, own_descriptor

READ_SIZE: Final = 1 << 16


class CommandOutput(Protocol):
    """One output of the command."""

    name: str
    """The artifact that it becomes: `stdout` or `stderr`."""
    ended: bool
    """True when nothing more can come."""

    def fileno(self) -> int:
        """To wait for output."""

    def read(self) -> bytes:
        """Return the available output, at most READ_SIZE bytes; empty if there is none."""


class Console(Protocol):
    """A terminal or pipes."""

    tty: str | None
    """Name of the terminal that the command is started on."""
    descriptors: tuple[int, int, int] | None
    """Without a terminal: what the command is started with as standard input, output and error."""

    @property
    def outputs(self) -> Sequence[CommandOutput]:
        """The outputs that are read here."""

    def started(self) -> None:
        """Release what only the command needs; called after it has been started."""

    def close(self) -> None:
        """Close what is open."""


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
