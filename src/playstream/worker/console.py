"""The console of a command, a terminal or pipes, and the artifacts with its output."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol

from playstream.pipeline.errors import remedy
from playstream.pipeline.io.owned import close_owned, own_descriptor

READ_SIZE: Final = 1 << 16


class CommandOutput(Protocol):
    """One output of the command."""

    name: str
    """The name of its artifact: `stdout` or `stderr`."""
    ended: bool
    """True when no more output can arrive."""

    def fileno(self) -> int:
        """Return a descriptor to wait for output."""

    def read(self) -> bytes:
        """Return the available output, at most READ_SIZE bytes; empty if there is none."""


class Console(Protocol):
    """A terminal or pipes."""

    tty: str | None
    """Name of the terminal on which the command is started; None for pipes."""
    descriptors: tuple[int, int, int] | None
    """Without a terminal: the descriptors of the command's standard input, output and error."""

    @property
    def outputs(self) -> Sequence[CommandOutput]:
        """The outputs that are read here."""

    def started(self) -> None:
        """Release what only the command needs; called after the command was started."""

    def close(self) -> None:
        """Close all descriptors."""


class Transcript:
    """Writes output to `path`, with mode 0600; writes nothing if it is None."""

    def __init__(self, path: Path | None) -> None:
        self._path = path or Path(os.devnull)
        exclusive = os.O_CREAT | os.O_EXCL if path is not None else 0
        self._fd = own_descriptor(os.open(self._path, os.O_WRONLY | exclusive | os.O_CLOEXEC, 0o600))
        self.error: str | None = None
        """A message that says why writing has stopped; None while it has not."""

    def write(self, data: bytes) -> None:
        """Append `data`; do nothing after an error."""
        view = memoryview(data)
        while view and self.error is None:
            try:
                view = view[os.write(self._fd, view) :]
            except OSError as error:
                self.error = f"{self._path} cannot be written: {error.strerror}. {remedy(error)} on the worker's host"

    def close(self) -> None:
        """Close the file."""
        close_owned(self._fd)
