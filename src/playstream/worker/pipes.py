"""A command without a terminal: its output and errors are separate, and the caller's descriptors are used if given."""

from __future__ import annotations

import os

from playstream.pipeline.io.owned import close_owned, own_descriptor
from playstream.worker.console import READ_SIZE, CommandOutput


class _Pipe:
    """The reading end of one of the command's outputs."""

    def __init__(self, fd: int, name: str) -> None:
        os.set_blocking(fd, False)
        self._fd = fd
        self.name = name
        self.ended = False

    def fileno(self) -> int:
        return self._fd

    def read(self) -> bytes:
        try:
            data = os.read(self._fd, READ_SIZE)
        except BlockingIOError:
            return b""
        self.ended = not data
        return data


class Pipes:
    """Standard input, output and error of one command.

    Args:
        stdin: the caller's descriptor; empty input if None.
        stdout: the caller's descriptor; a pipe that is read here if None.
        stderr: the same.
    """

    tty: str | None = None

    def __init__(self, stdin: int | None = None, stdout: int | None = None, stderr: int | None = None) -> None:
        self._ours: list[int] = []
        """Descriptors to close after the command has inherited them."""
        self._reading: list[_Pipe] = []
        if stdin is None:
            stdin = own_descriptor(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
            self._ours.append(stdin)
        self.descriptors: tuple[int, int, int] | None = (
            stdin,
            self._output(stdout, "stdout"),
            self._output(stderr, "stderr"),
        )

    def _output(self, given: int | None, name: str) -> int:
        if given is not None:
            return given
        reading, writing = map(own_descriptor, os.pipe())
        self._ours.append(writing)
        self._reading.append(_Pipe(reading, name))
        return writing

    @property
    def outputs(self) -> tuple[CommandOutput, ...]:
        """The outputs that are read here."""
        return tuple(self._reading)

    def started(self) -> None:
        """Close the copies of the command's ends, so that the pipes end with the command."""
        for fd in self._ours:
            close_owned(fd)
        self._ours.clear()

    def close(self) -> None:
        """Close all descriptors."""
        self.started()
        for pipe in self._reading:
            close_owned(pipe.fileno())
        self._reading.clear()
