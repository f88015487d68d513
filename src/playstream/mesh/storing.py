"""Storing messages on the mesh: each is stored once, however often the connection is lost meanwhile."""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections import defaultdict
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final

from playstream.mesh.connection import ATTEMPT_SECONDS, DROP_SECONDS, Connection
from playstream.mesh.delivery import Message, NoAnswer, NobodyThere
from playstream.mesh.refusals import Endpoint
from playstream.pipeline.errors import LinkError, PlaystreamError, RemoteProtocolError

PAUSE_SECONDS: Final = 0.1
"""Time before a request is repeated that the server has refused for now."""
UNSETTLED: Final = frozenset({10005, 10008, 10009, 10158})
"""Numbers of JetStream for a cluster some of whose servers, or whose leader, are not there at the moment, or which has
not decided yet whether an earlier attempt to store the same message was stored."""
_MOVE_SECONDS = 4.0
"""How long a server may reach no leader of what is asked for until this side tries another server."""
_LONGEST_SECONDS: Final = 15.0
"""How long the server may take to answer a request that was repeated several times."""
_STUCK_SECONDS = 25.0
"""How long a server that answers otherwise may take to store a message: that of a full disk never says so. A cluster
that elects a leader may take as long, so it has all the time that there is."""
_DISK_SECONDS = 10.0
"""How long to try while the disk is full, which only somebody there can change."""
_FULL = frozenset({10023, 10047, 10077})
"""Numbers of JetStream for a lack of room: resources, storage, the size of a stream."""
_NO_SPACE = "no space left on device"
_ADVICE = defaultdict(
    lambda: "Free space there, or let an operator raise the limit of the stream",
    {
        "in": "Jobs that wait for nodes take it: start more nodes, cancel jobs (playstream mesh jobs, mesh cancel), or "
        "let an operator give jobs more room: playstream mesh check --max-waiting-bytes N",
        "out": "Let an operator give results more room or keep them for less time: playstream mesh check "
        "--max-result-bytes N --keep DURATION",
    },
)
"""What to do when a stream is full, by the first word of its subjects."""
_NOT_FIRST = 10071
"""Number of JetStream for a message that is not the first one of its subject."""


class AlreadyStored(PlaystreamError):
    """The subject has a message, and the one to store was to be its first."""


class NoRoom(LinkError):
    """The server has no room for a message: a stream or a disk is full."""


class DiskFull(NoRoom):
    """The disk of the server is full, and not only a stream."""


class NotStored(NoAnswer):
    """The server is there, and has not answered that it has stored a message."""


class StoringConnection(Connection):
    """A connection to the mesh on which messages are stored.

    Args:
        endpoint: where to connect, and as whom.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        super().__init__(endpoint)
        self._silent_since: float | None = None
        """Since when nothing was answered for which a leader is needed; None if it was."""
        self._stuck_seconds = _STUCK_SECONDS if len(endpoint.urls) == 1 else math.inf

    async def attempt(
        self, subject: str, data: bytes, *, seconds: float, headers: Mapping[str, str] | None = None
    ) -> Message:
        """Send once a request that the leader of a stream answers.

        If there was no answer for some time, this side connects to another server: a server that is cut off from the
        others of its cluster does not say so.

        Raises:
            NobodyThere: nobody has subscribed.
            NoAnswer: there was no answer in time, or the connection was lost meanwhile.
            AuthenticationFailed: this identity may not publish to the subject.
        """
        began = time.monotonic()
        try:
            answer = await self.request(subject, data, seconds=seconds, headers=headers)
        except NoAnswer:
            self.note_silence(began)
            raise
        self.note_answer()
        return answer

    def note_answer(self) -> None:
        """Note that the leader of a stream has answered."""
        self._silent_since = None

    def note_silence(self, began: float) -> None:
        """Note that a request, which was sent at a moment of the monotonic clock, had no answer."""
        if not self.is_connected:
            self._silent_since = None
            return
        self._silent_since = began if self._silent_since is None else self._silent_since
        if time.monotonic() - self._silent_since > _MOVE_SECONDS:
            self._silent_since = None
            self.move()

    async def store(
        self,
        subject: str,
        data: bytes,
        *,
        seconds: float,
        room_seconds: float | None = None,
        message_id: str | None = None,
        only_first: bool = False,
        headers: Mapping[str, str] | None = None,
    ) -> int:
        """Publish a message, and wait until the server has stored it. It is stored once, however often it is sent.

        Args:
            subject: a subject of a stream.
            data: its content.
            seconds: how long to try, also without a connection.
            room_seconds: how long to try while there is no room; None for the same.
            message_id: what the server recognizes the message by; None for the subject.
            only_first: store it only if the subject has no message.
            headers: further headers.

        Returns:
            The sequence of the message in its stream; 0 if an earlier attempt has stored it.

        Raises:
            AlreadyStored: the subject has a message; with `only_first`, it may be this one.
            NoRoom: the stream, or the disk of the server, is full.
            NotStored: the same, if the server does not say so.
            NoAnswer: there was no connection, or no answer.
            AuthenticationFailed: this identity may not publish to the subject.
        """
        given = {"Nats-Msg-Id": message_id or subject, **(headers or {})}
        if only_first:
            given["Nats-Expected-Last-Subject-Sequence"] = "0"
        until = time.monotonic() + seconds
        full_since: float | None = None
        while True:
            try:
                return await self._store_once(subject, data, given, until)
            except NoRoom as error:
                full_since = full_since or time.monotonic()
                patience = _DISK_SECONDS if isinstance(error, DiskFull) else room_seconds
                room_until = until if patience is None else full_since + patience
                if time.monotonic() + PAUSE_SECONDS >= min(until, room_until):
                    raise
            except NobodyThere:
                if time.monotonic() + PAUSE_SECONDS >= until:
                    raise LinkError(
                        f"no stream of the mesh takes {subject!r}: the server does not know the group or the submitter "
                        "yet, is recovering its streams, or has disabled JetStream because its disk is full. Run "
                        "playstream mesh check as an operator, and look into the log of nats-server"
                    ) from None
            await asyncio.sleep(PAUSE_SECONDS)

    async def _store_once(self, subject: str, data: bytes, headers: Mapping[str, str], until: float) -> int:
        found = parse_answer(await self._ask_to_store(subject, data, headers, until))
        error = found.get("error")
        if error is None:
            return 0 if found.get("duplicate") else int(found.get("seq", 0))
        number, text = error.get("err_code"), error.get("description", "no reason given")
        if number in UNSETTLED:
            raise NobodyThere(f"{subject}: {text}")
        if number == _NOT_FIRST:
            raise AlreadyStored(f"{subject}: {text}")
        if _NO_SPACE in text:
            raise DiskFull(
                f"the disk of the server is full, so it does not store {subject}: {text}. Free space there, and then "
                "restart nats-server, which may store nothing more until then"
            )
        if number in _FULL:
            raise NoRoom(f"the server has no room for {subject}: {text}. {_ADVICE[subject.partition('.')[0]]}")
        raise LinkError(f"the server does not store {subject}: {text} (JetStream error {number})")

    async def _ask_to_store(self, subject: str, data: bytes, headers: Mapping[str, str], until: float) -> Message:
        """Do as `ask`; give up earlier if the server is there and does not answer."""
        stuck_since: float | None = None

        async def missed(began: float) -> None:
            nonlocal stuck_since
            stuck_since = (stuck_since or began) if await self._is_there(until) else None
            if stuck_since is None:
                return
            seconds = time.monotonic() - stuck_since
            if seconds >= min(self._stuck_seconds, until - stuck_since):
                raise NotStored(
                    f"the server is there, but has not stored {subject} for {seconds:.0f} seconds: its disk is full or "
                    "very slow, or most servers of its cluster are missing. Look into the log of nats-server. After a "
                    "disk was full, free space there and restart nats-server, which may store nothing more until then"
                )

        return await self.ask(subject, data, until=until, headers=headers, missed=missed)

    async def _is_there(self, until: float) -> bool:
        """Return whether the server answers. A connection that hangs with one of its streams is replaced before."""
        while True:
            left = max(PAUSE_SECONDS, until - time.monotonic())
            dropped = self.dropped
            if not await self.wait_connected(min(ATTEMPT_SECONDS, left)):
                return False
            try:
                await self.flush(min(ATTEMPT_SECONDS, left))
            except NoAnswer:
                try:
                    await asyncio.wait_for(dropped.wait(), min(DROP_SECONDS, max(0.0, until - time.monotonic())))
                except TimeoutError:
                    return False
            else:
                return True

    async def ask(
        self,
        subject: str,
        data: bytes,
        *,
        until: float,
        headers: Mapping[str, str] | None = None,
        missed: Callable[[float], Coroutine[Any, Any, None]] | None = None,
    ) -> Message:
        """Send a request until it is answered; the other side may get it several times.

        Args:
            subject: who is asked.
            data: the content.
            until: when to give up, on the monotonic clock.
            headers: headers.
            missed: called when an attempt has had no answer, with the moment at which it was sent. It may raise.

        Raises:
            NobodyThere: nobody has subscribed.
            NoAnswer: there was no answer.
            AuthenticationFailed: this identity may not publish to the subject, or was removed.
        """
        patience = ATTEMPT_SECONDS
        while (left := until - time.monotonic()) > 0:
            if not await self.wait_connected(left):
                break
            began = time.monotonic()
            try:
                return await self.attempt(subject, data, seconds=min(patience, left), headers=headers)
            except NobodyThere:
                raise
            except NoAnswer:
                patience = min(2 * patience, _LONGEST_SECONDS)  # a busy server must not get more and more requests
            if missed is not None:
                await missed(began)
        raise NoAnswer(f"the server has not answered {subject!r}: the connection to the mesh is lost, or it hangs")


def parse_answer(answer: Message) -> dict[str, Any]:
    """Return an answer of JetStream.

    Raises:
        RemoteProtocolError: it is none.
    """
    try:
        found = json.loads(answer.data)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise RemoteProtocolError(f"expected an answer of JetStream to {answer.subject!r}, got {answer.data[:80]!r}")
    return found
