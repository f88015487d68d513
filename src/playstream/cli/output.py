"""Standard output and error for people: no colours where there is no terminal, no error when nobody reads it.

A reader that has left is no error. Any other reason that output cannot be written for is: a full disk.
"""

from __future__ import annotations

import errno
import io
import os
import select
import stat
import sys
import time
from typing import TYPE_CHECKING, Any, TextIO

from playstream.pipeline.errors import OutputError
from playstream.pipeline.io.cancellation import LOOK_SECONDS
from playstream.pipeline.io.stdio import fill_standard_streams, piece_size, wait_for

if TYPE_CHECKING:
    from playstream.cli.progress import Progress

STANDARD_OUTPUT = "-"
"""What stands for it where a flag names a file."""
_STDOUT, _STDERR = 1, 2
_FORCING = ("ANSIBLE_FORCE_COLOR", "FORCE_COLOR")
_NO = {"", "0", "false", "no", "off", "n", "f"}


def complain(command: str, message: object) -> None:
    """A line on standard error. That nobody reads it is no error.

    Args:
        command: the subcommand that says it.
        message: what it says; some of it may come from another host, and gives a terminal no orders.
    """
    from playstream.interface.terminal_text import make_message  # noqa: PLC0415 - most commands have nothing to say

    try:
        print(f"playstream {command}: {make_message(str(message))}", file=sys.stderr)
    except OSError:
        pass  # the exit status says it too


def shows_colours(stream: TextIO) -> bool:
    """True if Ansible's colours are to be shown: on a terminal, or when ANSIBLE_FORCE_COLOR or FORCE_COLOR says so."""
    forced = any(os.environ.get(name, "").lower() not in _NO for name in _FORCING)
    return forced or (stream.isatty() and "NO_COLOR" not in os.environ)


def make_progress() -> Progress | None:
    """The live display, where standard output is a terminal that can show it and the library rich is there."""
    if sys.stdout is None or not sys.stdout.isatty():
        return None
    try:
        from playstream.cli.progress import Progress, can_move  # noqa: PLC0415 - the library is an extra
    except ImportError:
        return None
    return Progress(sys.stdout) if can_move() else None


class PlainOutput(io.TextIOBase):
    """A text stream that writes to another, without colours.

    Args:
        stream: the other.
    """

    def __init__(self, stream: TextIO) -> None:
        from playstream.interface.terminal_text import make_plain  # noqa: PLC0415 - only where it is needed

        self._stream = stream
        self._form = make_plain

    @property
    def encoding(self) -> str:  # type: ignore[override]  # the base's is an attribute that cannot be set
        return self._stream.encoding

    def write(self, text: str) -> int:
        self._stream.write(self._form(text))
        return len(text)

    def flush(self) -> None:
        self._stream.flush()


def open_missing_streams() -> None:
    """Put /dev/null in the place of standard streams that are closed, so that printing is no error, and gets nowhere
    else."""
    fill_standard_streams()
    if sys.stdout is None:
        sys.stdout = open_stream(1)
    if sys.stderr is None:
        sys.stderr = open_stream(2)


class StandardStream(io.RawIOBase):
    """Standard output or error. Writing waits for whoever reads, and never fails: `error` tells afterwards.

    What cannot be written is dropped, so that the command does all else that it was asked for.

    Args:
        fd: its descriptor.
    """

    until: float | None = None
    """When to stop waiting for readers, on the monotonic clock; None for never. Of all streams."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._piece = piece_size(fd)
        self.dropping = False
        """True when nothing more is written."""
        self.error: OSError | None = None
        """Why not. None when the reader has left, which is no error."""

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        while not self.dropping:
            # Whoever waits in poll hears signals, and looks at the time.
            if wait_for(self._fd, select.POLLOUT, LOOK_SECONDS):
                try:
                    return os.write(self._fd, view[: self._piece])
                except BlockingIOError:
                    pass  # others, who share the pipe, were faster
                except OSError as error:
                    self.dropping = True
                    if not self._has_left(error):
                        self.error = error
            elif self.until is not None and time.monotonic() > self.until:
                self.dropping = True
        return len(view)

    def _has_left(self, error: OSError) -> bool:
        if error.errno == errno.EIO:
            return stat.S_ISCHR(os.fstat(self._fd).st_mode)  # a terminal that has been closed
        return isinstance(error, (BrokenPipeError, ConnectionResetError))

    def fileno(self) -> int:
        return self._fd

    def isatty(self) -> bool:
        return os.isatty(self._fd)

    def writable(self) -> bool:
        return True


def open_stream(fd: int, like: TextIO | None = None) -> TextIO:
    """A text stream on standard output or error.

    Args:
        fd: 1 or 2.
        like: where its encoding comes from.
    """
    raw = StandardStream(fd)
    if like is None:
        return io.TextIOWrapper(io.BufferedWriter(raw), "utf-8", "backslashreplace", line_buffering=fd == _STDERR)
    by_line = getattr(like, "line_buffering", False) or getattr(like, "write_through", False)
    return io.TextIOWrapper(io.BufferedWriter(raw), like.encoding, like.errors, line_buffering=by_line)


def is_patient(stream: TextIO | None) -> bool:
    """Whether a text stream writes to a StandardStream, whose errors `settle` tells."""
    return isinstance(getattr(getattr(stream, "buffer", None), "raw", None), StandardStream)


def use_patient_streams() -> None:
    """Put a StandardStream in the place of what Python has opened as standard output and error."""
    for fd, name in ((_STDOUT, "stdout"), (_STDERR, "stderr")):
        stream = getattr(sys, name)
        if stream is not None:
            stream.flush()
            setattr(sys, name, open_stream(fd, stream))


def settle(status: int) -> int:
    """Write what is left for standard output and error, and say what could not be written.

    Args:
        status: what the command ends with.

    Returns:
        The exit status: that of OutputError where it would be 0 and something could not be written.
    """
    unwritten = [problem for stream in (sys.stdout, sys.stderr) if (problem := _flush(stream))]
    if "playstream.interface.logs" in sys.modules:
        from playstream.interface.logs import unwritten_logs  # noqa: PLC0415 - only where there are any

        unwritten += unwritten_logs()
    for problem in unwritten:
        from playstream.interface.terminal_text import make_message  # noqa: PLC0415

        print(f"playstream: {make_message(problem)}", file=sys.stderr)
    if unwritten:
        _flush(sys.stderr)
    return status or (OutputError.exit_status if unwritten else 0)


def _flush(stream: TextIO | None) -> str | None:
    """Write what a stream holds; what is wrong with it, for people."""
    if stream is None:
        return None
    stream.flush()
    raw = getattr(getattr(stream, "buffer", None), "raw", None)
    if not isinstance(raw, StandardStream) or raw.error is None:
        return None
    name = "output" if raw.fileno() == _STDOUT else "error"
    return (
        f"standard {name} cannot be written: {raw.error.strerror}. The rest of it is lost; everything else is complete"
    )
