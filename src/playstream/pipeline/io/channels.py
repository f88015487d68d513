"""Ends of connections that never block, and the bytes that flow between two of them.

A listening worker passes bytes between its clients and its workers with them, and a TLS link between TLS and a stage.
"""

from __future__ import annotations

import os
import socket
import ssl
from typing import Protocol

from playstream.pipeline.io import system
from playstream.pipeline.io.stdio import READ_SIZE

_TLS_RECORD = 1 << 14
"""Bytes of the largest record of TLS, which is the most that one call returns."""
_TURNS = 8
"""How often a flow fills and empties its buffer at once, so that others get their turn."""


class Source(Protocol):
    """An end that bytes come from."""

    def receive(self, size: int) -> bytes | None:
        """Return what has arrived, at most `size` bytes; empty at the end, and None if there is nothing yet.

        Raises:
            OSError: the other side has gone.
        """


class Sink(Protocol):
    """An end that takes bytes."""

    def send(self, data: memoryview) -> int:
        """Return how many bytes were taken; 0 if there is no room yet.

        Raises:
            OSError: the other side has gone.
        """

    def shut(self) -> None:
        """Say that no more will be sent."""


class PipeReader:
    """The reading end of a pipe.

    Args:
        fd: the descriptor.
    """

    def __init__(self, fd: int) -> None:
        system.set_blocking(fd, False)
        self.fd = fd

    def receive(self, size: int) -> bytes | None:
        """Return what has arrived; see Source."""
        try:
            return os.read(self.fd, size)
        except BlockingIOError:
            return None

    def close(self) -> None:
        """Close the descriptor, once."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


class PipeWriter:
    """The writing end of a pipe.

    Args:
        fd: the descriptor.
    """

    def __init__(self, fd: int) -> None:
        system.set_blocking(fd, False)
        self.fd = fd

    def send(self, data: memoryview) -> int:
        """Return how many bytes were taken; see Sink."""
        try:
            return os.write(self.fd, data)
        except BlockingIOError:
            return 0

    def shut(self) -> None:
        """Close the pipe."""
        self.close()

    def close(self) -> None:
        """Close the descriptor, once."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


class SocketChannel:
    """Both directions of a connected stream socket.

    Args:
        sock: the socket; closed with the channel.
    """

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.socket = sock
        self._is_shut = False

    @property
    def fd(self) -> int:
        """The descriptor to wait for."""
        return self.socket.fileno()

    def receive(self, size: int) -> bytes | None:
        """Return what has arrived; see Source."""
        try:
            return self.socket.recv(size)
        except BlockingIOError:
            return None

    def send(self, data: memoryview) -> int:
        """Return how many bytes were taken; see Sink."""
        try:
            return self.socket.send(data)
        except BlockingIOError:
            return 0

    def shut(self) -> None:
        """Say that no more will be sent. The other side may have gone."""
        if not self._is_shut:
            self._is_shut = True
            try:
                # The method of an SSLSocket would end TLS in both directions.
                socket.socket.shutdown(self.socket, socket.SHUT_WR)
            except OSError:
                pass  # it is not connected any more

    def discard(self) -> bool:
        """Drop what has arrived. Return False if nothing more can arrive."""
        try:
            while socket.socket.recv(self.socket, READ_SIZE):
                pass
        except BlockingIOError:
            return True
        except OSError:
            pass  # the other side has gone
        return False

    @property
    def pending(self) -> bool:
        """Whether something can be received that poll(2) does not report."""
        return False

    def events(self, *, reading: bool, writing: bool) -> int:
        """Return what to wait for with poll(2)."""
        return (system.POLLIN if reading else 0) | (system.POLLOUT if writing else 0)

    def close(self) -> None:
        """Close the socket."""
        self.socket.close()


class TlsChannel(SocketChannel):
    """The same over TLS. Call `shake_hands` until it returns True.

    Args:
        sock: the connected socket, wrapped by an SSLContext without a handshake.
    """

    def __init__(self, sock: ssl.SSLSocket) -> None:
        super().__init__(sock)
        self._tls = sock
        self._reads_for_writing = False
        """Whether TLS has to receive something before it can send, or the reverse."""
        self._writes_for_reading = False

    def shake_hands(self) -> bool:
        """Continue the handshake. Return whether it is complete.

        Raises:
            OSError: the other side has gone, or ssl.SSLError: one side does not accept the other.
        """
        self._reads_for_writing = self._writes_for_reading = False
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLWantWriteError:
            self._writes_for_reading = True
            return False
        return True

    def receive(self, size: int) -> bytes | None:
        """Return what has arrived; see Source."""
        self._writes_for_reading = False
        try:
            return self._tls.recv(min(size, _TLS_RECORD))
        except ssl.SSLWantReadError:
            return None
        except ssl.SSLWantWriteError:
            self._writes_for_reading = True
            return None

    def send(self, data: memoryview) -> int:
        """Return how many bytes were taken; see Sink."""
        self._reads_for_writing = False
        try:
            return self._tls.send(data)
        except ssl.SSLWantWriteError:
            return 0
        except ssl.SSLWantReadError:
            self._reads_for_writing = True
            return 0

    @property
    def pending(self) -> bool:
        """Whether something was decrypted that nobody has received."""
        return self._tls.pending() > 0

    def shut(self) -> None:
        """Say that no more will be sent, to TLS and to the connection."""
        if self._is_shut:
            return
        try:
            self._tls.unwrap()
        except (OSError, ValueError):
            pass  # it has told the other side and does not wait for the answer, or cannot because that side has gone
        super().shut()

    def events(self, *, reading: bool, writing: bool) -> int:
        """Return what to wait for with poll(2)."""
        if self._writes_for_reading and reading:
            writing = True
        if self._reads_for_writing and writing:
            reading, writing = True, False
        return super().events(reading=reading, writing=writing)


class Flow:
    """The bytes from one end to another, with a bounded buffer between them.

    Args:
        source: where they come from.
        sink: where they go.
        first: bytes that go before those of the source.
        shuts: whether to tell the sink at the end that no more will be sent.
    """

    def __init__(self, source: Source, sink: Sink, first: bytes = b"", *, shuts: bool = True) -> None:
        self._source = source
        self._sink = sink
        self._held = bytearray(first)
        self._shuts = shuts
        self.ended = False
        """Whether the source has ended, or has gone."""
        self.done = False
        """Whether the sink has got everything, or has gone."""
        self.lost: OSError | None = None
        """Why the source has gone."""
        self.refused: OSError | None = None
        """Why the sink has gone."""
        self.passed = 0
        """How many bytes the sink has taken."""

    @property
    def reading(self) -> bool:
        """Whether to wait for the source."""
        return not self.ended and not self.done and len(self._held) < READ_SIZE

    @property
    def writing(self) -> bool:
        """Whether to wait for the sink."""
        return not self.done and bool(self._held)

    def pump(self) -> bool:
        """Pass on what can be passed on. Return True if there is more to do at once.

        What has arrived is passed on even if the source has gone since; errors are kept and not raised.
        """
        for _ in range(_TURNS):
            if self.done or not self._turn():
                return False
        return not self.done

    def stop(self) -> None:
        """Pass nothing on any more."""
        self.ended = self.done = True
        self._held = bytearray()

    def _turn(self) -> bool:
        """Fill the buffer, then empty it. Return whether anything has moved."""
        filled = self._fill()
        try:
            emptied = self._empty()
        except OSError as error:
            self.refused = error
            self.stop()
            return False
        if self.ended and not self._held:
            self.done = True
            if self._shuts:
                self._sink.shut()
        return filled or emptied

    def _fill(self) -> bool:
        filled = False
        try:
            while self.reading and (data := self._source.receive(READ_SIZE - len(self._held))) is not None:
                self.ended = not data
                self._held += data
                filled = True
        except OSError as error:
            self.lost = error
            self.ended = True
        return filled

    def _empty(self) -> bool:
        sent = 0
        with memoryview(self._held) as view:
            while sent < len(view) and (taken := self._sink.send(view[sent:])):
                sent += taken
        del self._held[:sent]
        self.passed += sent
        return bool(sent)
