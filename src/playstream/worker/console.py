"""The interface of what a command runs on: a terminal, or pipes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

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
