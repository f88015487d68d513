"""Standard output and error of commands.

There are no colours if the output is not a terminal. It is not an error if the reader has exited, but any other reason
that output cannot be written, such as a full disk, is an error.
"""

from __future__ import annotations

import codecs
import errno
import io
import os
import select
import stat
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TextIO

from playstream.pipeline.errors import OutputError
from playstream.pipeline.io.cancellation import LOOK_SECONDS
from playstream.pipeline.io.stdio import fill_standard_streams, piece_size, wait_for

if TYPE_CHECKING:
    import argparse

    from playstream.cli.progress import Progress

STANDARD_OUTPUT = "-"
"""Name of standard output in flags that take a file."""
_STDOUT, _STDERR = 1, 2
_READABLY = "playstream.readably"
"""Name of the handler of characters that an encoding lacks, for codecs."""
_FORCING = ("ANSIBLE_FORCE_COLOR", "FORCE_COLOR")
_NO = {"", "0", "false", "no", "off", "n", "f"}


def print_message(command: str, message: object) -> None:
    """Print a message on standard error. Ignore errors, because the exit status reports the problem too.

    Args:
        command: the subcommand.
        message: the message. It may contain text from another host; terminal control sequences are escaped.
    """
    from playstream.cli.wrapping import wrap_message  # noqa: PLC0415 - most commands print no messages
    from playstream.interface.terminal_text import make_message  # noqa: PLC0415

    try:
        print(wrap_message(f"playstream {command}: {make_message(str(message))}", sys.stderr), file=sys.stderr)
    except OSError:
        pass  # the exit status reports it too


def print_outcome(command: str, status: str, explanation: str | None) -> None:
    """Print why a run ended as it did, if there is an explanation.

    Args:
        command: the subcommand.
        status: the run's last status.
        explanation: one sentence; it may begin with the status.
    """
    if explanation:
        from playstream.cli.answers import name_answers  # noqa: PLC0415 - most runs need none

        explanation = name_answers(command, explanation)
        print_message(command, explanation if explanation.startswith(status) else f"{status}: {explanation}")


def shows_colours(stream: TextIO) -> bool:
    """Return whether to show colours: on a terminal, or if ANSIBLE_FORCE_COLOR or FORCE_COLOR is set."""
    forced = any(os.environ.get(name, "").lower() not in _NO for name in _FORCING)
    return forced or (stream.isatty() and "NO_COLOR" not in os.environ)


def make_progress() -> Progress | None:
    """Return the live display if standard output is a suitable terminal and rich is installed, else None."""
    if sys.stdout is None or not sys.stdout.isatty():
        return None
    try:
        from playstream.cli.progress import Progress, can_move  # noqa: PLC0415 - the library is an extra
    except ImportError:
        return None
    return Progress(sys.stdout, standard_error_terminal()) if can_move() else None


def standard_error_terminal() -> StandardStream | None:
    """Return standard error, if it is a terminal that this process writes to by a StandardStream."""
    error = _raw(sys.stderr)
    return error if error is not None and error.isatty() else None


def wants_transfers(flags: argparse.Namespace) -> bool:
    """Return whether to show how far packing, sending and unpacking are, if they take long."""
    return not getattr(flags, "quiet", False) and (flags.progress or standard_error_terminal() is not None)


class PlainOutput(io.TextIOBase):
    """A text stream that writes to another stream, without colours.

    Args:
        stream: the other stream.
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
    """Replace closed standard streams with /dev/null.

    Otherwise printing would fail, or write to another file that got the same descriptor.
    """
    fill_standard_streams()
    if sys.stdout is None:
        sys.stdout = open_stream(1)
    if sys.stderr is None:
        sys.stderr = open_stream(2)


class StandardStream(io.RawIOBase):
    """Standard output or error. Writing waits for the reader and never fails: `error` reports problems afterwards.

    Output that cannot be written is dropped, so that the command completes its other work.

    Args:
        fd: the descriptor.
    """

    before_output: Callable[[], None] = lambda: None
    """Called before something is written to a terminal. Shared by all streams."""
    until: float | None = None
    """When to stop waiting for readers, on the monotonic clock; None for never. Shared by all streams."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._piece = piece_size(fd)
        self.dropping = False
        """True if all further output is dropped."""
        self.error: OSError | None = None
        """The reason. None if the reader has exited, which is not an error."""
        self.writer: Callable[[memoryview], int] = self.write_now
        """Writes data and returns how many bytes of it."""

    def write(self, data: Any) -> int:
        return self.writer(memoryview(data).cast("B"))

    def write_now(self, view: memoryview) -> int:
        """Write data, or a part of it; return the number of bytes."""
        if self.isatty():
            StandardStream.before_output()
        while not self.dropping:
            # Waiting in poll allows signals and the deadline to be noticed.
            if wait_for(self._fd, select.POLLOUT, LOOK_SECONDS):
                try:
                    return os.write(self._fd, view[: self._piece])
                except BlockingIOError:
                    pass  # another process that shares the pipe has filled it
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


def _write_readably(error: UnicodeError) -> tuple[str, int]:
    """Handle characters that an encoding lacks: an ellipsis becomes three dots, others become escapes."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end].replace("…", "...")
    return text.encode("ascii", "backslashreplace").decode("ascii"), error.end


codecs.register_error(_READABLY, _write_readably)


def open_stream(fd: int, like: TextIO | None = None) -> TextIO:
    """Return a text stream on standard output or error.

    Args:
        fd: 1 or 2.
        like: the stream to copy the encoding from.
    """
    raw = StandardStream(fd)
    if like is None:
        return io.TextIOWrapper(io.BufferedWriter(raw), "utf-8", "backslashreplace", line_buffering=fd == _STDERR)
    by_line = getattr(like, "line_buffering", False) or getattr(like, "write_through", False)
    errors = _READABLY if like.errors in {"strict", "backslashreplace"} else like.errors
    return io.TextIOWrapper(io.BufferedWriter(raw), like.encoding, errors, line_buffering=by_line)


def waits_for_reader(stream: TextIO | None) -> bool:
    """Return whether a text stream writes to a StandardStream, whose errors `settle` reports."""
    return _raw(stream) is not None


def _raw(stream: TextIO | None) -> StandardStream | None:
    """Return the StandardStream that a text stream writes to; None if it writes to something else."""
    raw = getattr(getattr(stream, "buffer", None), "raw", None)
    return raw if isinstance(raw, StandardStream) else None


def use_waiting_streams() -> None:
    """Replace Python's standard output and error with StandardStreams."""
    for fd, name in ((_STDOUT, "stdout"), (_STDERR, "stderr")):
        stream = getattr(sys, name)
        if stream is not None:
            stream.flush()
            setattr(sys, name, open_stream(fd, stream))


def settle(status: int) -> int:
    """Flush standard output and error, and report output that could not be written.

    Args:
        status: the exit status so far.

    Returns:
        The exit status: that of OutputError if `status` is 0 and something could not be written.
    """
    unwritten = [problem for stream in (sys.stdout, sys.stderr) if (problem := _flush(stream))]
    if "playstream.interface.logs" in sys.modules:
        from playstream.interface.logs import unwritten_logs  # noqa: PLC0415 - only if there are any

        unwritten += unwritten_logs()
    for problem in unwritten:
        from playstream.cli.wrapping import wrap_message  # noqa: PLC0415
        from playstream.interface.terminal_text import make_message  # noqa: PLC0415

        print(wrap_message(f"playstream: {make_message(problem)}", sys.stderr), file=sys.stderr)
    if unwritten:
        _flush(sys.stderr)
    return status or (OutputError.exit_status if unwritten else 0)


def _flush(stream: TextIO | None) -> str | None:
    """Flush a stream; return an error message, or None."""
    if stream is None:
        return None
    stream.flush()
    raw = _raw(stream)
    if raw is None or raw.error is None:
        return None
    name = "output" if raw.fileno() == _STDOUT else "error"
    return (
        f"standard {name} cannot be written: {raw.error.strerror}. The rest of it is lost; everything else is complete"
    )
