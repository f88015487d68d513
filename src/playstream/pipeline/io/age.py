"""Encryption as a layer of a link, in age's format (age-encryption.org/v1): bytes in, bytes out.

For each direction a thread copies between the link and a pipe. The stage uses the other end of the pipe instead of the
link. The format consists of authenticated pieces of 64 KiB, and only the last may be shorter: written data waits until
a piece is full.
"""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from playstream.pipeline.errors import IncompleteStream, LinkError, PlaystreamError, RemoteProtocolError, SilentPeer
from playstream.pipeline.io.age_header import EncryptedStart
from playstream.pipeline.io.age_keys import import_pyrage
from playstream.pipeline.io.liveness import WatchedWriter
from playstream.pipeline.io.owned import close_owned, own_descriptor
from playstream.pipeline.io.stdio import enlarge_pipe, read_some, write_all

if TYPE_CHECKING:
    from playstream.pipeline.io.age_keys import Identity, Recipient
    from playstream.pipeline.io.cancellation import Cancellation

_GATHERED = 1 << 18
"""Bytes per write to the link. The library passes 8 KiB at a time."""
_LOOK_SECONDS = 0.1
_STUCK_SECONDS = 5.0
"""How long one write may take after the other side was found to be silent."""
_READER = "the next stage"
_NO_KEY = "No matching keys found"
_CUT_HEADERS = frozenset({"Incomplete header", "failed to fill whole buffer"})


@contextmanager
def encrypting(
    fd: int, recipients: Sequence[Recipient], cancellation: Cancellation | None = None, liveness_seconds: float = 0.0
) -> Iterator[int]:
    """Yield a descriptor. What is written to it is encrypted and written to `fd`; if nothing is, `fd` gets nothing.

    Args:
        fd: the link; not closed.
        recipients: who can decrypt it; at least one.
        cancellation: after a request, pending data may still be written for DELIVERY_SECONDS.
        liveness_seconds: the reader counts as lost when it takes nothing for PATIENCE times as long; 0 for never.

    Raises:
        LinkError: the reader has exited or reads nothing, or the file cannot be written.
    """
    reading_end, writing_end = map(own_descriptor, os.pipe())
    enlarge_pipe(writing_end)
    writer = WatchedWriter(fd, _READER, liveness_seconds, cancellation)
    pump = _Pump(reading_end, fd, lambda ends: _encrypt(ends, recipients), close=reading_end, writer=writer)
    try:
        yield writing_end
    except BaseException as error:
        # If the reader takes nothing, a thread of the stage may still be writing to this descriptor, so its number
        # stays in use until that thread has ended.
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, writing_end, inheritable=False)
        os.close(null)
        if pump.join_unless_stuck():
            close_owned(writing_end)
        if isinstance(error, LinkError) and not isinstance(error, SilentPeer) and pump.error is not None:
            raise pump.error from None  # the cause; the stage has only seen a closed pipe
        raise
    close_owned(writing_end)
    pump.join(writer.check)
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
        yield Decrypted(reading_end, pump)
    finally:
        close_owned(reading_end)
        pump.join()


class Decrypted:
    """The decrypted stream of an encrypted link."""

    def __init__(self, fd: int, pump: _Pump) -> None:
        self._fd = fd
        self._pump = pump

    def fileno(self) -> int:
        """Return a descriptor that is readable when `read` has data."""
        return self._fd

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
        writer: writes to the target and checks that its reader reads; None to wait without a limit.
    """

    def __init__(
        self,
        source: int,
        target: int,
        work: Callable[[_Ends], None],
        *,
        close: int,
        writer: WatchedWriter | None = None,
    ) -> None:
        self._ends = _Ends(source, target, writer)
        self._work = work
        self._close = close
        self.error: PlaystreamError | None = None
        """Why it ended early. Set before `close` is closed."""
        self._thread = threading.Thread(target=self._run, name="playstream-age", daemon=True)
        self._thread.start()

    def join(self, look: Callable[[], None] = lambda: None) -> None:
        """Wait for the end of the thread; `look` is called repeatedly meanwhile and may raise."""
        while self._thread.is_alive():
            self._thread.join(_LOOK_SECONDS)
            look()

    def join_unless_stuck(self) -> bool:
        """Wait for the end of the thread. Return False if the reader of the target takes nothing."""
        while self._thread.is_alive():
            self._thread.join(_LOOK_SECONDS)
            since = self._ends.writing_since
            if since is not None and time.monotonic() > since + _STUCK_SECONDS:
                return False
        return True

    def _run(self) -> None:
        try:
            self._work(self._ends)
            self._ends.flush()
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
        writer: writes to the target; None to wait without a limit.
    """

    def __init__(self, source: int, target: int, writer: WatchedWriter | None) -> None:
        self._source = source
        self._target = target
        self._writer = writer
        self._read = memoryview(b"")
        self._written: list[bytes] = []
        self._waiting = 0
        """Bytes in `_written`."""
        self.at_end = False
        """True at the end of the source."""
        self.writing_since: float | None = None
        """When the current write began; None if there is none."""
        self.error: PlaystreamError | None = None
        """The error that was raised inside the library, which only keeps its text."""
        self._poll = select.poll()
        self._poll.register(source, select.POLLIN)
        self._poll.register(target, 0)  # reports when its reader has closed it

    def take(self) -> bytes:
        """Flush what was written, then wait for data and return it; empty at the end of the file.

        Raises:
            LinkError: the source cannot be read, or the reader of the target has exited.
        """
        self.flush()
        if self.at_end:
            return b""
        if any(fd == self._target for fd, _events in self._poll.poll()):
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
            LinkError: the reader has exited or reads nothing, or the file cannot be written.
        """
        written, self._written, self._waiting = b"".join(self._written), [], 0
        self.writing_since = time.monotonic()
        if self._writer is None:
            write_all(self._target, written)
        else:
            self._writer.write(written, self._writer.check)
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
    ends.put_back(start.data)
    pyrage = import_pyrage()
    try:
        pyrage.decrypt_io(ends, ends, identities)
    except pyrage.DecryptError as error:
        raise ends.error or _explain_header(str(error)) from None
    except OSError as error:
        raise ends.error or _explain_content(str(error), at_end=ends.at_end) from None


def _explain_header(reason: str) -> PlaystreamError:
    if reason == _NO_KEY:
        return RemoteProtocolError(
            "the stream is encrypted, but none of the keys in the identity files can decrypt it: expected the secret "
            "key of a recipient given with --encrypt-to. Pass the file with that key (--identity), or encrypt to the "
            "public key of this one (age-keygen -y FILE). Streams encrypted with a passphrase are not supported"
        )
    if reason in _CUT_HEADERS:
        return IncompleteStream(
            "the encrypted stream ended within its header: the sender was killed, or the connection was lost"
        )
    return RemoteProtocolError(
        f"the header of the encrypted stream cannot be read: {' '.join(reason.split())}. It was altered in transit, or "
        "the sender uses a version of age that is not supported"
    )


def _explain_content(reason: str, *, at_end: bool) -> PlaystreamError:
    if at_end:
        return IncompleteStream(
            f"the encrypted stream ended early ({reason}): the sender was killed, the connection was lost, or the last "
            "64 KiB were altered in transit. Everything before that is authentic"
        )
    return RemoteProtocolError(
        f"the encrypted stream was altered in transit ({reason}): a chunk of 64 KiB is not as the sender wrote it. "
        "Everything before that is authentic"
    )
