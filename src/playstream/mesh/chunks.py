"""Bytes as numbered messages: each is stored once, and read in the order of the numbers.

The number is the end of the subject, so that one message can be fetched, and so that the order does not depend on that
in which messages were stored.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from playstream.mesh.client import MeshClient
from playstream.mesh.delivery import Message, NoAnswer, Subscription
from playstream.pipeline.errors import LinkError, RemoteProtocolError

CHUNK_BYTES: Final = 1 << 18
"""Bytes of the largest message that is made of a stream of bytes."""
WINDOW_BYTES: Final = 1 << 23
"""How far a writer may be ahead of its reader."""
LAST: Final = "Playstream-Last"
"""The header of the last message of a direction."""
WHOLE: Final = "Playstream-Whole"
"""The header of the message with which a job is whole: what follows is about its run, and can be missing."""
SIGNATURE: Final = "Playstream-Signature"
"""The header with the signature of a message."""
_ON_THEIR_WAY = 4
"""Messages that wait for the answer of the server at the same time."""
_NEVER_YET = 2 * _ON_THEIR_WAY
"""A message with this distance is only sent after the earlier one was stored."""
_HELD_BYTES = WINDOW_BYTES + 2 * CHUNK_BYTES
"""Bytes of messages that arrived before their turn, or faster than they are read. A writer with a window is never
further ahead: with less room, what it has sent would be dropped, and fetched."""
LAG_SECONDS: Final = 3.0
"""How much later than others a server of a cluster may return a message that is stored."""
_IDLE_SECONDS = 1.0
"""Time without a message after which to look whether one was missed."""
_AHEAD = 15
"""Messages that are fetched together with the next one, while what was stored before is read."""
_GAP_SECONDS = 0.02
"""First pause before a message that is not stored yet is fetched again; it doubles up to _IDLE_SECONDS."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """One message."""

    number: int
    data: bytes
    is_last: bool
    is_whole: bool
    """Whether what the reader needs is whole with it."""
    marks: tuple[str, ...] = ()
    """The names of the headers that say so."""
    signature: str = ""
    """What the writer has signed; empty if nothing."""


class ChunkWriter:
    """Writes one direction of a job.

    Args:
        client: the connection.
        subject: the subject, without the number.
        seconds: how long to try to store one message.
        room_seconds: how long to try while there is no room for it; None for the same.
        limited: whether to wait for the reader when the window is full.
        sign: returns the signature of a message, from its subject, its content and its marks; None for no signatures.
    """

    def __init__(
        self,
        client: MeshClient,
        subject: str,
        *,
        seconds: float,
        room_seconds: float | None = None,
        limited: bool = True,
        sign: Callable[[str, bytes, Sequence[str]], str] | None = None,
    ) -> None:
        self._client = client
        self._subject = subject
        self._sign = sign
        self._seconds = seconds
        self._room_seconds = room_seconds
        self._tasks: set[asyncio.Task[int]] = set()
        self._room = asyncio.Event()
        self._unread: deque[int] = deque()
        """Sizes of the messages that the reader has not read; without a reader, of those that fit into the window."""
        self._unread_bytes = 0
        self._read = 0
        self._error: BaseException | None = None
        self.limited = limited
        """Whether to wait for the reader when the window is full."""
        self.number = 0
        """The number of the next message: how many there are."""

    @property
    def is_blocked(self) -> bool:
        """Whether the reader has to read before more is written."""
        return self.limited and self._unread_bytes >= WINDOW_BYTES

    @property
    def is_busy(self) -> bool:
        """Whether as many messages are on their way as may be."""
        return len(self._tasks) >= _ON_THEIR_WAY

    def note_read(self, number: int) -> bool:
        """Note that a reader has read all messages before this number. The one that has read most counts.

        Returns:
            Whether that reader is so near that the window is not exceeded.
        """
        is_near = number >= self._read
        while self._read < min(number, self.number):
            self._forget_first()
        self._room.set()
        return is_near

    def stop_limiting(self) -> None:
        """Wait for no reader any more, because there is none."""
        self.limited = False
        self._room.set()

    def _forget_first(self) -> None:
        self._unread_bytes -= self._unread.popleft()
        self._read += 1

    async def write(self, data: bytes, *, last: bool = False, whole: bool = False) -> None:
        """Send the next message, after there is room for it. It may not have been stored yet on return.

        Args:
            data: its content.
            last: whether it is the last one.
            whole: whether what the reader needs is whole with it.

        Raises:
            LinkError: this message or an earlier one could not be stored.
        """
        while (self.is_blocked or self.is_busy) and self._error is None:
            self._room.clear()
            await self._room.wait()
        self._check()
        number, self.number = self.number, self.number + 1
        self._unread.append(len(data))
        self._unread_bytes += len(data)
        while not self.limited and self._unread_bytes > WINDOW_BYTES:
            self._forget_first()
        headers = {name: "1" for name, given in ((LAST, last), (WHOLE, whole)) if given}
        subject = f"{self._subject}.{number}"
        if self._sign is not None:
            headers[SIGNATURE] = self._sign(subject, data, list(headers))
        task = asyncio.create_task(
            self._client.store(
                subject,
                data,
                seconds=self._seconds,
                room_seconds=self._room_seconds,
                headers=headers,
            )
        )
        self._tasks.add(task)
        task.add_done_callback(self._note_done)

    async def flush(self) -> None:
        """Wait until all messages are stored.

        Raises:
            LinkError: one could not be stored.
        """
        while self._tasks:
            await asyncio.wait(set(self._tasks))
        self._check()

    async def close(self) -> None:
        """Give up what is not stored yet."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(set(self._tasks))

    def _note_done(self, task: asyncio.Task[int]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._error = self._error or error
        self._room.set()

    def _check(self) -> None:
        if self._error is not None:
            raise self._error


class ChunkReader:
    """Reads one direction of a job, in order and without gaps.

    Args:
        client: the connection.
        stream: the stream that stores the messages.
        subject: their subject, without the number.
        first: the number of the first message to read.
    """

    def __init__(self, client: MeshClient, stream: str, subject: str, first: int = 0) -> None:
        self._client = client
        self._stream = stream
        self._subject = subject
        self._held: dict[int, Chunk] = {}
        self._held_bytes = 0
        self._arrived = asyncio.Event()
        self._subscription: Subscription | None = None
        self._connections = 0
        self._may_be_stored = True
        """Whether the next message may be stored already, and not be delivered again."""
        self._missing_since: float | None = None
        """Since when the next message was stored and is not returned; None if that is not so."""
        self._ahead = 0
        """How many are fetched together with it."""
        self.number = first
        """The number of the next message: all before it were read."""

    async def open(self) -> None:
        """Subscribe to new messages."""
        self._connections = self._client.connections
        self._subscription = await self._client.subscribe(f"{self._subject}.*", self._take, max_bytes=_HELD_BYTES)

    async def close(self) -> None:
        """End the subscription."""
        if self._subscription is not None:
            await self._subscription.close()
            self._subscription = None

    async def read(self) -> Chunk:
        """Return the next message, after it has arrived.

        Raises:
            RemoteProtocolError: what was published is not a message of this kind.
            LinkError: the server has dropped a message.
            AuthenticationFailed: this identity may not read it.
        """
        pause = _GAP_SECONDS
        while (chunk := self._held.pop(self.number, None)) is None:
            self._arrived.clear()
            if self._connections != self._client.connections:
                self._connections = self._client.connections
                self._may_be_stored = True
            if self._may_be_stored or self._held:
                self._may_be_stored = await self._fetch()
                if self.number in self._held:
                    continue
            try:
                await asyncio.wait_for(self._arrived.wait(), pause if self._held else _IDLE_SECONDS)
            except TimeoutError:
                self._may_be_stored = True
            pause = min(2 * pause, _IDLE_SECONDS)
        return self._pass_on(chunk)

    async def read_stored(self, *, seconds: float, lag: float = 0.0) -> Chunk | None:
        """Return the next message if it has arrived or is stored; None if it is not there now.

        Args:
            seconds: how long to try to find out.
            lag: how long to wait for one that a server does not return.

        Raises:
            LinkError: it is not known.
        """
        if self.number not in self._held:
            await self._fetch()
        if (chunk := self._held.pop(self.number, None)) is not None:
            return self._pass_on(chunk)
        until = time.monotonic() + lag
        while True:
            message = await self._client.find(self._stream, f"{self._subject}.{self.number}", seconds=seconds)
            if message is not None:
                break
            if time.monotonic() >= until:
                return None
            await asyncio.sleep(_GAP_SECONDS)
        chunk = _chunk(message, self._subject)
        self._held_bytes += len(chunk.data)
        return self._pass_on(chunk)

    def _pass_on(self, chunk: Chunk) -> Chunk:
        self._held_bytes -= len(chunk.data)
        self.number += 1
        return chunk

    async def _fetch(self) -> bool:
        """Fetch the next message if it is stored. Return whether the one after it may be stored too."""
        number = self.number
        was_stored = any(later >= number + _NEVER_YET for later in self._held)
        wanted = [number, *(later for later in range(number + 1, number + 1 + self._ahead) if later not in self._held)]
        wanted = wanted[: 1 + max(0, _HELD_BYTES - self._held_bytes) // CHUNK_BYTES]
        fetching = [self._client.fetch(self._stream, f"{self._subject}.{each}") for each in wanted]
        found = await asyncio.gather(*fetching, return_exceptions=True)
        for each in found:
            if isinstance(each, Message):
                self._hold(_chunk(each, self._subject))
        message = found[0]
        if isinstance(message, NoAnswer):
            return True
        if isinstance(message, BaseException):
            raise message
        self._ahead = 0 if message is None else min(2 * self._ahead + 1, _AHEAD)
        if message is not None or not was_stored or number in self._held:
            self._missing_since = None
            return message is not None
        now = time.monotonic()
        self._missing_since = now if self._missing_since is None else self._missing_since
        if now - self._missing_since > LAG_SECONDS:
            raise LinkError(
                f"the server has dropped message {number} of the job before it was read: the stream {self._stream} is "
                "too small for all that is read slowly at the same time"
            )
        return True

    async def _take(self, message: Message) -> None:
        try:
            self._hold(_chunk(message, self._subject))
        except RemoteProtocolError:
            pass  # whoever may publish here can only delay this job, which is read by number
        self._arrived.set()

    def _hold(self, chunk: Chunk) -> None:
        """Keep a message until its turn; one that is had is dropped, and so is one for which there is no room."""
        if chunk.number < self.number or chunk.number in self._held:
            return
        if chunk.number == self.number or self._held_bytes + len(chunk.data) <= _HELD_BYTES:
            self._held[chunk.number] = chunk
            self._held_bytes += len(chunk.data)


def _chunk(message: Message, subject: str) -> Chunk:
    number = message.subject.removeprefix(subject + ".")
    if not (number.isascii() and number.isdigit() and len(number) < 16):
        raise RemoteProtocolError(f"expected a numbered message, got one with the subject {message.subject!r}")
    is_last = LAST in message.headers
    marks = tuple(name for name in (LAST, WHOLE) if name in message.headers)
    signature = message.headers.get(SIGNATURE, "")
    return Chunk(int(number), message.data, is_last, is_last or WHOLE in message.headers, marks, signature)
