"""Connections of stages, and standard input and output as such.

A stage that uses the protocol on its standard streams claims them first, as execnet does, so that a stray print of a
library cannot damage the stream.
"""

from __future__ import annotations

import math
import os
import select
import stat
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any, Protocol

from playstream.pipeline.errors import LinkError
from playstream.pipeline.io import system
from playstream.pipeline.io.cancellation import LOOK_SECONDS

READ_SIZE = 1 << 18
"""Bytes asked for with one read."""
_PIPE_SIZE = 1 << 20
"""Bytes that a pipe should hold."""
_TERMINAL_PIECE = 128
"""Bytes per write to a terminal, which may have room for less than a page; a line end takes two bytes there."""
_USUAL_PIPE_SIZE = 1 << 16
"""The default size of a pipe on Linux, pipe(7)."""
_MAX_WAIT = 2**31 - 1
"""The longest time that poll(2) can wait, in milliseconds: 24 days."""

SHUT = getattr(select, "POLLRDHUP", 0)
"""What poll(2) reports for a socket whose other end sends no more. With TCP only the next write shows whether that end
still reads."""


_filled: set[int] = set()
"""Standard streams that were closed when the program started."""


class InputLayer(Protocol):
    """A layer on a link, such as decryption, that can tell why its data ends."""

    def fileno(self) -> int:
        """Return a descriptor that is readable when `read` has data."""

    def read(self) -> bytes:
        """Wait for data and return it; empty at the end of the stream."""

    @property
    def heard_at(self) -> float | None:
        """When the link last had data, on the monotonic clock; None while its silence means nothing."""

    def has_data(self) -> bool:
        """Return whether data waits, in the link or in the layer."""


class OutputLayer(Protocol):
    """A layer on a link, such as encryption, that changes what is written."""

    @property
    def gather_seconds(self) -> float:
        """Minimum time between two flushes of results that is worth what a flush costs."""

    def wrap(self, data: Iterable[bytes], *, flush: bool, last: bool = False) -> Iterator[bytes]:
        """Yield the bytes to write for `data`; without `flush` some may be kept. `last` ends the stream."""


class Connection:
    """What a stage reads and writes; either may be absent.

    Args:
        reader: where to read the other side's bytes: a descriptor, or a layer such as decryption; None for nowhere.
        writer: the descriptor to write this side's bytes to; None for nowhere.
        output_layer: what they pass first; None for nothing.
    """

    __slots__ = ("_reader", "_writer", "output_layer")

    def __init__(
        self,
        reader: int | InputLayer | None = None,
        writer: int | None = None,
        output_layer: OutputLayer | None = None,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self.output_layer = output_layer

    @property
    def reader(self) -> int | InputLayer:
        """Where the other side's bytes come from."""
        if self._reader is None:
            raise ValueError("this stage reads, and its connection has no reader")
        return self._reader

    @property
    def writer(self) -> int:
        """Where this side's bytes go."""
        if self._writer is None:
            raise ValueError("this stage writes, and its connection has no writer")
        return self._writer


@contextmanager
def connect(
    options: Mapping[str, Any],
    warn: Callable[[str], object],
    *,
    reader: int | None = None,
    writer: int | None = None,
) -> Iterator[Connection]:
    """Connect a stage to its descriptors, with the requested encryption.

    Args:
        options: flags or keyword arguments; only `identity` and `encrypt_to` are read.
        warn: called with messages for the user; from another thread too.
        reader: where the other side's bytes come from; not closed.
        writer: where this side's bytes go; not closed.

    Raises:
        ConfigurationError: a key or a recipient is not valid, or pyrage is missing.
        LinkError: an encrypted file cannot be written.
    """
    if options.get("identity") is None and options.get("encrypt_to") is None:
        yield Connection(reader, writer)
        return
    from playstream.pipeline.io.encryption import decrypted, encrypted, encryption_of  # noqa: PLC0415 - seldom asked for

    identities, recipients = encryption_of(options, "identity"), encryption_of(options, "encrypt_to")
    with ExitStack() as layers:
        source = None if reader is None else layers.enter_context(decrypted(reader, identities, warn))
        layer = None
        if writer is not None:
            writer, layer = layers.enter_context(encrypted(writer, recipients, warn))
        yield Connection(source, writer, layer)


def fill_standard_streams() -> None:
    """Open /dev/null for each standard stream of this process that is closed.

    A service may have closed them. The next file to be opened would then get the number: a stage would use it as its
    link, a child process as its standard input, and messages would be written to it.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            fd = os.open(os.devnull, os.O_RDWR)
            os.set_inheritable(fd, True)
            if fd == number:
                _filled.add(number)
            else:  # another thread was faster
                os.close(fd)


def claim_input() -> int:
    """Return a private descriptor of standard input; descriptor 0 becomes /dev/null."""
    claimed = _duplicate(0)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    return claimed


def claim_output() -> int:
    """Return a private descriptor of standard output; descriptor 1 becomes standard error."""
    claimed = _duplicate(1)
    os.dup2(2, 1)
    return claimed


@contextmanager
def silence_beside(output: int) -> Iterator[None]:
    """Redirect standard error to /dev/null in this context if it is the same file as `output`.

    That is the case with 2>&1 and with receptor. Messages of the interpreter, a library or the guard would break a line
    or an archive in two. Standard error is restored afterwards.

    Args:
        output: the descriptor that `claim_output` returned.
    """
    if not _is_one_file(output, 2):
        yield
        return
    kept = system.fcntl(2, system.F_DUPFD_CLOEXEC, 10)
    null = os.open(os.devnull, os.O_WRONLY | system.O_CLOEXEC)
    try:
        _point_output_at(null)
        yield
    finally:
        _point_output_at(kept)
        os.close(kept)
        os.close(null)


def _is_one_file(first: int, second: int) -> bool:
    try:
        return os.path.samestat(os.fstat(first), os.fstat(second))
    except OSError:
        return False  # one is closed


def _point_output_at(fd: int) -> None:
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    for number in (1, 2):
        os.dup2(fd, number)


def _duplicate(fd: int) -> int:
    try:
        claimed: int | None = None if _is_filled(fd) else system.fcntl(fd, system.F_DUPFD_CLOEXEC, 10)
    except OSError:
        claimed = None
    if claimed is None:
        name = ("input", "output")[fd]
        raise LinkError(f"standard {name} is closed; connect it to the {('previous', 'next')[fd]} stage")
    enlarge_pipe(claimed)
    return claimed


def _is_filled(fd: int) -> bool:
    """Return whether a standard stream was closed at the start and has not been opened since."""
    return fd in _filled and os.path.samestat(os.fstat(fd), os.stat(os.devnull))


def enlarge_pipe(fd: int, size: int = _PIPE_SIZE) -> int:
    """If `fd` is a pipe, let it hold more, so that its two ends switch less often.

    Args:
        fd: either end.
        size: the number of bytes that it should hold.

    Returns:
        The number of bytes that it can hold. A user with many pipes gets small ones, of a page or two.
    """
    try:
        return int(system.fcntl(fd, system.F_SETPIPE_SZ, size))
    except OSError:
        pass  # not a pipe, over the user's limit, or not Linux: the size stays as it is
    try:
        return int(system.fcntl(fd, system.F_GETPIPE_SZ))
    except OSError:
        return _USUAL_PIPE_SIZE


def piece_size(fd: int) -> int | None:
    """Return how many bytes can be written without blocking if poll(2) reports room; None for any number."""
    try:
        mode = os.fstat(fd).st_mode
    except OSError:
        return None
    if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
        size: int = system.PIPE_BUF
        return size
    return _TERMINAL_PIECE if stat.S_ISCHR(mode) and os.isatty(fd) else None


def write_all(fd: int, data: bytes | memoryview, look: Callable[[], None] | None = None) -> None:
    """Write all of `data`, waiting while the file takes nothing, even if it is non-blocking.

    Args:
        fd: the link.
        data: what to write.
        look: called every LOOK_SECONDS while the reader takes nothing; if it raises, the exception is propagated and
            the rest is not written.

    Raises:
        LinkError: the reader has exited, or the file cannot be written.
    """
    view = memoryview(data)
    size = None if look is None else piece_size(fd)
    while view:
        while look is not None and not wait_for(fd, system.POLLOUT, LOOK_SECONDS):
            look()
        try:
            written = os.write(fd, view[:size])
        except BlockingIOError:
            # ssh makes a pipe that it shares with this process non-blocking.
            wait_for(fd, system.POLLOUT)
            continue
        except (BrokenPipeError, ConnectionResetError):
            raise LinkError(
                "the next stage has exited: it finished, or was killed, before this stage was done"
            ) from None
        except OSError as error:
            raise LinkError(f"the stream cannot be written: {error.strerror}") from None
        view = view[written:]


def read_some(link: int | InputLayer) -> bytes:
    """Wait for data and return it, at most READ_SIZE bytes; empty at the end of the file.

    Args:
        link: a descriptor, or a layer on one.

    Raises:
        LinkError: the descriptor cannot be read.
        PlaystreamError: the layer's error.
    """
    if not isinstance(link, int):
        return link.read()
    while True:
        try:
            return os.read(link, READ_SIZE)
        except BlockingIOError:
            wait_for(link, system.POLLIN)
        except OSError as error:
            raise LinkError(f"the stream cannot be read: {error.strerror}") from None


def wait_for(fd: int, what: int, seconds: float | None = None) -> bool:
    """Wait until a descriptor is ready or its other end is closed.

    Args:
        fd: the descriptor.
        what: system.POLLIN or system.POLLOUT.
        seconds: how long to wait at most; None for no limit.

    Returns:
        True if it is, False if the time is over, or 24 days of it.
    """
    poll = system.poll()
    poll.register(fd, what)
    return bool(poll.poll(as_milliseconds(seconds)))


def as_milliseconds(seconds: float | None) -> int | None:
    """Return how long `poll` waits, rounded up and at most 24 days; None for no limit."""
    return None if seconds is None else min(math.ceil(seconds * 1000), _MAX_WAIT)


def has_input(fd: int) -> bool:
    """Return whether a descriptor has data, or is at its end."""
    return wait_for(fd, system.POLLIN, 0)
