"""Encryption as a layer of a link, in age's format (age-encryption.org/v1): bytes in, bytes out.

A thread copies between the link and a pipe. The stage uses the other end of the pipe instead of the link. An encrypted
stream is read in both of its forms, told apart by the first bytes: the live form (age_batches.py), and one age file.
Only the latter is written here, to a regular file: age encrypts chunks of 64 KiB, of which only the last may be
shorter, so written data waits until a chunk is full.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from playstream.pipeline.errors import LinkError, PlaystreamError, RemoteProtocolError, SilentPeer
from playstream.pipeline.io import system
from playstream.pipeline.io.age_batches import MARKER, BatchReader
from playstream.pipeline.io.age_errors import explain_content, explain_header
from playstream.pipeline.io.age_header import EncryptedStart
from playstream.pipeline.io.age_keys import import_pyrage
from playstream.pipeline.io.owned import close_owned, own_descriptor
from playstream.pipeline.io.stdio import enlarge_pipe, has_input, read_some, write_all

if TYPE_CHECKING:
    from playstream.pipeline.io.age_keys import Identity, Recipient

_GATHERED = 1 << 18
"""Bytes per write. The library passes 8 KiB at a time."""
_LOOK_SECONDS = 0.1
_STUCK_SECONDS = 5.0
"""How long one write may take after the stage has found that the file takes nothing."""


@contextmanager
def encrypting(fd: int, recipients: Sequence[Recipient]) -> Iterator[int]:
    """Yield a descriptor. What is written to it becomes one age file in `fd`; if nothing is, `fd` gets nothing.

    Args:
        fd: the file; not closed.
        recipients: who can decrypt it; at least one.

    Raises:
        LinkError: the file cannot be written.
    """
    reading_end, writing_end = map(own_descriptor, os.pipe())
    enlarge_pipe(writing_end)
    pump = _Pump(reading_end, fd, lambda ends: _encrypt(ends, recipients), close=reading_end)
    try:
        yield writing_end
    except BaseException as error:
        # If the file takes nothing, a thread of the stage may still be writing to this descriptor, so its number stays
        # in use until that thread has ended.
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, writing_end, inheritable=False)
        os.close(null)
        if pump.join_unless_stuck():
            close_owned(writing_end)
        if isinstance(error, LinkError) and not isinstance(error, SilentPeer) and pump.error is not None:
            raise pump.error from None  # the cause; the stage has only seen a closed pipe
        raise
    close_owned(writing_end)
    pump.join()
    if pump.error is not None:
        raise pump.error


@contextmanager
def decrypting(fd: int, identities: Sequence[Identity], warn: Callable[[str], object]) -> Iterator[Decrypted]:
    """Decrypt a stream while it is read.

    Args:
        fd: the link; not closed.
        identities: the stream must be encrypted to at least one of them.
        warn: called, in another thread, with a message about output of other programs before the stream.
    """
    reading_end, writing_end = map(own_descriptor, os.pipe())
    enlarge_pipe(writing_end)
    pump = _Pump(fd, writing_end, lambda ends: _decrypt(ends, identities, warn), close=writing_end)
    try:
        yield Decrypted(fd, reading_end, pump)
    finally:
        close_owned(reading_end)
        pump.join()


class Decrypted:
    """The decrypted stream of an encrypted link."""

    def __init__(self, link: int, fd: int, pump: _Pump) -> None:
        self._link = link
        self._fd = fd
        self._pump = pump

    def fileno(self) -> int:
        """Return a descriptor that is readable when `read` has data."""
        return self._fd

    @property
    def heard_at(self) -> float | None:
        """When the link last had data; None for one age file, whose sender's heartbeats wait until a chunk is full."""
        return self._pump.heard_at

    def has_data(self) -> bool:
        """Return whether data waits: in the link, for its decryption, or after it."""
        return self._pump.busy or has_input(self._link) or has_input(self._fd)

    def read(self) -> bytes:
        """Wait for data and return it; empty at the end of the stream.

        Raises:
            RemoteProtocolError: the data is not encrypted, is encrypted to other identities, or was changed.
            IncompleteStream: the stream ended early.
            LinkError: the link cannot be read.
        """
        data = read_some(self._fd)
        if not data and self._pump.error is not None:
            raise self._pump.error
        return data


class _Pump:
    """A thread that copies from `source` to `target` until one of them is closed.

    Args:
        source: the descriptor to read from.
        target: the descriptor to write to.
        work: copies the data.
        close: which of the two to close at the end.
    """

    def __init__(self, source: int, target: int, work: Callable[[_Ends], None], *, close: int) -> None:
        self._ends = _Ends(source, target)
        self._work = work
        self._close = close
        self.error: PlaystreamError | None = None
        """Why it ended early. Set before `close` is closed."""
        self._thread = threading.Thread(target=self._run, name="playstream-age", daemon=True)
        self._thread.start()

    @property
    def heard_at(self) -> float | None:
        """When the source last had data; None if that means nothing."""
        return self._ends.heard_at

    @property
    def busy(self) -> bool:
        """Whether it is not waiting for the source."""
        return not self._ends.idle

    def join(self) -> None:
        """Wait for the end of the thread."""
        self._thread.join()

    def join_unless_stuck(self) -> bool:
        """Wait for the end of the thread. Return False if the target takes nothing."""
        while self._thread.is_alive():
            self._thread.join(_LOOK_SECONDS)
            since = self._ends.writing_since
            if since is not None and time.monotonic() > since + _STUCK_SECONDS:
                return False
        return True

    def _run(self) -> None:
        try:
            try:
                self._work(self._ends)
            finally:
                self._ends.flush()  # what came before an error is authentic
        except PlaystreamError as error:
            self.error = error
        except BaseException as error:  # noqa: BLE001 - the stage has to report whatever the library raises
            self.error = self._ends.error or LinkError(f"the encryption of the stream failed: {error}")
        else:
            self.error = self._ends.error  # the library drops errors of its last write
        finally:
            close_owned(self._close)


class _Ends:
    """The two ends of a pump, as the library's file objects: it calls `read` and `write`.

    Args:
        source: where to read.
        target: where to write.
    """

    def __init__(self, source: int, target: int) -> None:
        self._source = source
        self._target = target
        self._read = memoryview(b"")
        self._written: list[bytes] = []
        self._waiting = 0
        """Bytes in `_written`."""
        self.heard_at: float | None = time.monotonic()
        """When the source last had data, on the monotonic clock; None if that means nothing."""
        self.idle = False
        """True while waiting for the source."""
        self.at_end = False
        """True at the end of the source."""
        self.writing_since: float | None = None
        """When the current write began; None if there is none."""
        self.error: PlaystreamError | None = None
        """The error that was raised inside the library, which only keeps its text."""
        self._poll = system.poll()
        self._poll.register(source, system.POLLIN)
        self._poll.register(target, 0)  # reports when its reader has closed it

    def take(self) -> bytes:
        """Flush what was written, then wait for data and return it; empty at the end of the file.

        Raises:
            LinkError: the source cannot be read, or the reader of the target has exited.
        """
        self.flush()
        if self.at_end:
            return b""
        self.idle = True
        ready = self._poll.poll()
        # Both before the data leaves the link: another thread may look at all three.
        self.idle = False
        if self.heard_at is not None:
            self.heard_at = time.monotonic()
        if any(fd == self._target for fd, _events in ready):
            raise LinkError("the next stage has exited: it finished, or was killed, before this stage was done")
        data = read_some(self._source)
        self.at_end = not data
        return data

    def put_back(self, data: bytes) -> None:
        """Make the next `read` return this data first."""
        self._read = memoryview(data)

    def flush(self) -> None:
        """Write the waiting data.

        Raises:
            LinkError: the reader has exited, or the file cannot be written.
        """
        written, self._written, self._waiting = b"".join(self._written), [], 0
        self.writing_since = time.monotonic()
        write_all(self._target, written)
        self.writing_since = None

    def read(self, size: int) -> bytes:
        """Read at most `size` bytes; called by the library."""
        if not self._read:
            self._read = memoryview(self._attempt(self.take))
        data, self._read = bytes(self._read[:size]), self._read[size:]
        return data

    def write(self, data: bytes) -> int:
        """Write all of `data`; called by the library."""
        if self.error is not None:
            raise self.error
        self._written.append(bytes(data))
        self._waiting += len(data)
        if self._waiting >= _GATHERED:
            self._attempt(self.flush)
        return len(data)

    def _attempt(self, action: Callable[[], bytes | None]) -> bytes:
        try:
            return action() or b""
        except PlaystreamError as error:
            self.error = error
            raise


class _Plain:
    """Takes the content of one age file from the library.

    A batch of a live stream is an age file too. Alone it is no stream, whatever it contains.

    Args:
        ends: where the content is written.
    """

    def __init__(self, ends: _Ends) -> None:
        self._ends = ends
        self._begun = False

    def write(self, data: bytes) -> int:
        """Write all of `data`; called by the library."""
        if not self._begun and data.startswith(MARKER):
            self._ends.error = RemoteProtocolError(
                "expected a whole encrypted stream, got a batch of one: the bytes before it were lost or altered in "
                "transit"
            )
        self._begun = True
        return self._ends.write(data)

    def flush(self) -> None:
        """Do nothing; called by the library."""


def _encrypt(ends: _Ends, recipients: Sequence[Recipient]) -> None:
    data = ends.take()
    if data:
        ends.put_back(data)
        import_pyrage().encrypt_io(ends, ends, recipients)


def _decrypt(ends: _Ends, identities: Sequence[Identity], warn: Callable[[str], object]) -> None:
    start = EncryptedStart()
    while not start.found:
        data = ends.take()
        start.receive_data(data)
        if not data:
            return  # there was no data at all, which the stage reports
    if start.skipped:
        warn(f"skipped {start.skipped} bytes of other output before the encrypted stream: {start.shown!r}")
    if start.is_live:
        _decrypt_batches(ends, start.data, identities)
    else:
        ends.heard_at = None
        ends.put_back(start.data)
        _decrypt_file(ends, identities)


def _decrypt_batches(ends: _Ends, data: bytes, identities: Sequence[Identity]) -> None:
    batches = BatchReader(identities)
    while data:
        batches.receive_data(data)
        while (content := batches.next()) is not None:
            ends.write(content)
            ends.flush()
        data = ends.take()
    batches.receive_eof()


def _decrypt_file(ends: _Ends, identities: Sequence[Identity]) -> None:
    pyrage = import_pyrage()
    try:
        pyrage.decrypt_io(ends, _Plain(ends), identities)
    except pyrage.DecryptError as error:
        raise ends.error or explain_header(str(error)) from None
    except OSError as error:
        raise ends.error or explain_content(str(error), at_end=ends.at_end) from None
