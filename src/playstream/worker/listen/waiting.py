"""A connection before its job is complete: it costs its bytes and its time, and no process."""

from __future__ import annotations

import errno
import select
from dataclasses import dataclass

from playstream.pipeline.dialect import Dialect
from playstream.pipeline.errors import IncompleteStream, PlaystreamError, SilentPeer
from playstream.pipeline.io.channels import SocketChannel
from playstream.worker.listen.admission import Admission
from playstream.worker.listen.entrance import Entrance, explain_failure
from playstream.worker.listen.greeting import Greeter, Greeting

_PIECE = 1 << 16
"""Bytes that one connection may bring at once, so that others get their turn."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a connection is not served."""

    error: PlaystreamError
    answer: bool = True
    """Whether the other side can be told."""


class Waiting:
    """One such connection.

    Args:
        channel: the connection.
        entrance: decides who may connect.
        admission: takes its bytes.
        since: when it was made, on the monotonic clock.
        deadline: when its job must be complete.
        address: where it comes from, for the log; None on a Unix socket.
        greeter: makes what a native connection gets at once.
    """

    def __init__(
        self,
        channel: SocketChannel,
        entrance: Entrance,
        admission: Admission,
        since: float,
        deadline: float,
        address: str | None,
        greeter: Greeter,
    ) -> None:
        self.channel = channel
        self.admission = admission
        self.since = since
        self.address = address
        self.deadline: float | None = deadline
        self.who: str | None = None
        """Who has connected; None before that is known."""
        self.sender: str | None = None
        """The name of their division of the cache; None before that is known."""
        self.refusal: Refusal | None = None
        self.counted = 0
        """How many bytes it holds, as the server counts them."""
        self.greeting: Greeting | None = None
        """What the other side has got already."""
        self._greeter = greeter
        self._entrance = entrance
        self._is_ready = False

    @property
    def has_job(self) -> bool:
        """Whether the job is complete, and the connection may be served."""
        return self.admission.complete and self.refusal is None

    def interests(self) -> dict[int, int]:
        """Return what to wait for: descriptors, and events of poll(2)."""
        return {self.channel.fd: self.channel.events(reading=True, writing=False)}

    def advance(self) -> None:
        """Read what has arrived. After that, `has_job` or `refusal` may be set."""
        try:
            if not self._is_ready:
                self._enter()
            if self._is_ready:
                self._read()
                self._greet()
        except OSError as error:
            self.refusal = Refusal(explain_failure(error), answer=False)
        except PlaystreamError as error:
            self.refusal = Refusal(error)

    def expire(self, seconds: float) -> None:
        """Give up, because the job was not complete after so many seconds."""
        self.refusal = Refusal(
            SilentPeer(
                f"the job was not complete {seconds:g} seconds after the connection was made: the connection is slow, "
                "or its other end is not playstream. --arrival-seconds of the worker sets the limit"
            ),
            answer=self._is_ready,
        )

    def refuse(self, error: PlaystreamError) -> None:
        """Refuse the connection for a reason that others have caused."""
        self.refusal = Refusal(error, answer=self._is_ready)

    def _enter(self) -> None:
        if self._entrance.shake_hands(self.channel):
            self._is_ready = True
            self.who = self._entrance.name(self.channel)
            self.sender = self._entrance.sender(self.channel)

    def _read(self) -> None:
        room = _PIECE
        while room > 0 and not self.admission.complete:
            data = self.channel.receive(room)
            if data is None:
                return
            if not data:
                self.refusal = Refusal(IncompleteStream("the connection ended before its job was complete"))
                return
            room -= len(data)
            self.admission.receive_data(data)

    def _greet(self) -> None:
        """Greet the other side, if its dialect is known and its job has not arrived."""
        known = self.admission.dialect is Dialect.PLAYSTREAM and not self.admission.complete
        if self.refusal is None and known and self.greeting is None and self._greeter.enabled:
            greeting = self._greeter.current
            if self.channel.send(memoryview(greeting.data)) < len(greeting.data):
                raise OSError(errno.ENOBUFS, "the other side takes nothing")
            self.greeting = greeting

    @property
    def has_more(self) -> bool:
        """Whether something may have arrived that poll(2) does not report, because TLS has decrypted it already."""
        return self._is_ready and self.channel.pending


class Leaving:
    """A connection whose last bytes are delivered, before it is closed.

    It is closed when the other side has closed it: closing a socket that still receives would destroy the last bytes.

    Args:
        channel: the connection.
        data: what is still to be sent.
        deadline: when to close it in any case.
    """

    def __init__(self, channel: SocketChannel, data: bytes, deadline: float) -> None:
        self.channel = channel
        self.deadline: float | None = deadline
        self.closed = False
        self._data = data
        self.advance()

    def interests(self) -> dict[int, int]:
        """Return what to wait for: descriptors, and events of poll(2)."""
        if self._data:
            return {self.channel.fd: self.channel.events(reading=False, writing=True)}
        return {self.channel.fd: select.POLLIN}

    def advance(self) -> None:
        """Send and drop what is possible; `closed` tells whether that was all."""
        if self.closed:
            return
        try:
            while self._data and (sent := self.channel.send(memoryview(self._data))):
                self._data = self._data[sent:]
        except OSError:
            self._data = b""  # the other side has gone
        if not self._data:
            self.channel.shut()
            if not self.channel.discard():
                self.close()

    def close(self) -> None:
        """Close the connection now."""
        self.closed = True
        self.channel.close()
