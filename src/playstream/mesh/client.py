"""What is done over a connection to the mesh: storing, reading, pulling, and the other calls of JetStream.

A message is stored once, however often the connection is lost meanwhile.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import defaultdict
from collections.abc import Callable, Coroutine, Mapping
from datetime import datetime
from typing import Any, Final

from playstream.mesh.connection import ATTEMPT_SECONDS, CONNECT_SECONDS, DROP_SECONDS, Connection
from playstream.mesh.delivery import Message, NoAnswer, NobodyThere
from playstream.mesh.refusals import Endpoint
from playstream.pipeline.errors import LinkError, PlaystreamError, RemoteProtocolError

_MOVE_SECONDS = 4.0
"""How long a server may reach no leader of what is asked for until this side tries another server."""
_LONGEST_SECONDS: Final = 15.0
"""How long the server may take to answer a request that was repeated several times."""
_STUCK_SECONDS = 25.0
"""How long a server that answers otherwise may take to store a message: that of a full disk never says so."""
_PAUSE_SECONDS = 0.1
"""Time before a request that the server has refused for lack of room is repeated."""
_NANOSECONDS = 1_000_000_000
_NOBODY = "503"
"""The status of a request for a message if its queue has no leader."""
_TIME_PLACES = {9: 7, 12: 9}
"""Where the time is in the subject for an acknowledgement, by the number of its words; JetStream has two forms."""
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
_UNSETTLED = frozenset({10005, 10008, 10009, 10158})
"""Numbers of JetStream for a cluster some of whose servers, or whose leader, are not there at the moment, or which has
not decided yet whether an earlier attempt to store the same message was stored."""
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


class MeshClient(Connection):
    """A connection to the mesh with JetStream. Call `connect` first, and `close` at the end.

    Args:
        endpoint: where to connect, and as whom.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        super().__init__(endpoint)
        self._silent_since: float | None = None
        """Since when nothing was answered for which a leader is needed; None if it was."""

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
            self._note_silence(began)
            raise
        self._silent_since = None
        return answer

    def _note_silence(self, began: float) -> None:
        """Note that a request had no answer."""
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
                if time.monotonic() + _PAUSE_SECONDS >= min(until, room_until):
                    raise
            except NobodyThere:
                if time.monotonic() + _PAUSE_SECONDS >= until:
                    raise LinkError(
                        f"no stream of the mesh takes {subject!r}: the server does not know the group or the submitter "
                        "yet, is recovering its streams, or has disabled JetStream because its disk is full. Run "
                        "playstream mesh check as an operator, and look into the log of nats-server"
                    ) from None
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _store_once(self, subject: str, data: bytes, headers: Mapping[str, str], until: float) -> int:
        found = _parse(await self._ask_to_store(subject, data, headers, until))
        error = found.get("error")
        if error is None:
            return 0 if found.get("duplicate") else int(found.get("seq", 0))
        number, text = error.get("err_code"), error.get("description", "no reason given")
        if number in _UNSETTLED:
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
            if seconds >= min(_STUCK_SECONDS, until - stuck_since):
                raise NotStored(
                    f"the server is there, but has not stored {subject} for {seconds:.0f} seconds: its disk is full or "
                    "very slow, or most servers of its cluster are missing. Look into the log of nats-server. After a "
                    "disk was full, free space there and restart nats-server, which may store nothing more until then"
                )

        return await self.ask(subject, data, until=until, headers=headers, missed=missed)

    async def _is_there(self, until: float) -> bool:
        """Return whether the server answers. A connection that hangs with one of its streams is replaced before."""
        while True:
            left = max(_PAUSE_SECONDS, until - time.monotonic())
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

    async def fetch(self, stream: str, subject: str, *, seconds: float = ATTEMPT_SECONDS) -> Message | None:
        """Return the last message of a subject; None if there is none.

        Raises:
            NoAnswer: there was no answer.
            AuthenticationFailed: this identity may not read the subject.
        """
        answer = await self.request(f"$JS.API.DIRECT.GET.{stream}.{subject}", seconds=seconds)
        status = answer.headers.get("Status")
        if status == "404":
            return None
        if status is not None:
            raise LinkError(f"the server does not return {subject!r}: {answer.headers.get('Description', status)}")
        return Message(answer.headers.get("Nats-Subject", subject), answer.data, answer.headers)

    async def fetch_all(self, stream: str, subject: str, *, seconds: float) -> list[Message]:
        """Return the messages of a stream whose subjects match one with wildcards, in the order of storing.

        Args:
            stream: a stream all of which this identity may read.
            subject: the subjects.
            seconds: how long each answer may take.

        Raises:
            NoAnswer: there was no answer.
            AuthenticationFailed: this identity may not read the stream.
        """
        found: list[Message] = []
        number = 1
        while True:
            body = json.dumps({"seq": number, "next_by_subj": subject}).encode()
            answer = await self.request(f"$JS.API.DIRECT.GET.{stream}", body, seconds=seconds)
            status = answer.headers.get("Status")
            if status == "404":
                return found
            if status is not None:
                raise LinkError(f"the server does not return {subject!r}: {answer.headers.get('Description', status)}")
            found.append(Message(answer.headers.get("Nats-Subject", ""), answer.data, answer.headers))
            number = int(answer.headers["Nats-Sequence"]) + 1

    async def find(self, stream: str, subject: str, *, seconds: float) -> Message | None:
        """Do as `fetch`, and try again for some time.

        Raises:
            NoAnswer: there was no answer in all that time.
            AuthenticationFailed: this identity may not read the subject, or was removed.
        """
        until = time.monotonic() + seconds
        while True:
            try:
                if await self.wait_connected(until - time.monotonic()):
                    return await self.fetch(stream, subject)
            except NoAnswer as error:
                if time.monotonic() + _PAUSE_SECONDS < until:
                    await asyncio.sleep(_PAUSE_SECONDS)
                    continue
                if isinstance(error, NobodyThere):
                    raise NobodyThere(f"the server has no stream {stream}, or is recovering it") from None
            raise NoAnswer(f"the server has not answered for {subject!r}: the connection to the mesh is lost")

    async def pull(self, stream: str, consumer: str, *, seconds: float) -> Message | None:
        """Wait for the next message of a queue. It belongs to this side until `acknowledge`, or until it is silent.

        Args:
            stream: the queue.
            consumer: the consumer that all sides share.
            seconds: how long to wait.

        Returns:
            The message; None if there was none, or the connection was lost.
        """
        if not self.is_connected:
            return None
        inbox = self.new_inbox()
        got: asyncio.Future[Message] = asyncio.get_running_loop().create_future()

        async def take(message: Message) -> None:
            if not got.done():
                got.set_result(message)

        dropped = asyncio.ensure_future(self.dropped.wait())
        waiting: set[asyncio.Future[Any]] = {got, dropped}
        subscription = await self.subscribe(inbox, take)
        began = time.monotonic()
        request = {"batch": 1, "expires": int(seconds * _NANOSECONDS)}
        try:
            await self.publish(
                f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}", json.dumps(request).encode(), reply=inbox
            )
            await asyncio.wait(waiting, timeout=seconds + ATTEMPT_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        finally:
            dropped.cancel()
            await subscription.close()
        if not got.done() or got.result().headers.get("Status") == _NOBODY:
            self._note_silence(began)
            await asyncio.sleep(_PAUSE_SECONDS if got.done() else 0)
            return None
        self._silent_since = None
        message = got.result()
        return None if "Status" in message.headers else message

    async def acknowledge(self, message: Message, *, seconds: float) -> None:
        """Remove a message from its queue.

        Raises:
            NoAnswer: there was no connection, or no answer.
        """
        await self.ask(message.reply, b"+ACK", until=time.monotonic() + seconds)

    async def keep(self, message: Message) -> None:
        """Say that this side is still at work on a message of a queue."""
        await self.publish(message.reply, b"+WPI")

    async def give_back(self, message: Message, *, seconds: float = 0.0) -> None:
        """Put a message back into its queue, for the next one to take it after some time."""
        delay = {"delay": int(seconds * _NANOSECONDS)}
        await self.publish(message.reply, b"-NAK " + json.dumps(delay).encode())

    async def discard(self, message: Message) -> None:
        """Remove a message that nobody can use from its queue."""
        await self.publish(message.reply, b"+TERM")

    async def administer(self, name: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Call the API of JetStream, which only operators may.

        Args:
            name: what follows `$JS.API.`, such as `STREAM.INFO.NAME`.
            body: the request.

        Returns:
            The answer, with `error` in it if there was one.

        Raises:
            LinkError: there was no answer, or no right.
        """
        data = b"" if body is None else json.dumps(body).encode()
        until = time.monotonic() + CONNECT_SECONDS
        while True:
            is_late = time.monotonic() + _PAUSE_SECONDS >= until
            try:
                found = _parse(await self.ask(f"$JS.API.{name}", data, until=until))
            except NobodyThere:  # a server accepts connections before it has recovered its streams
                if is_late:
                    raise
            else:
                if is_late or found.get("error", {}).get("err_code") not in _UNSETTLED:
                    return found
            await asyncio.sleep(_PAUSE_SECONDS)


def stored_at(message: Message) -> float:
    """Return when the server has stored a message that was fetched, in seconds since the epoch by its clock.

    Raises:
        RemoteProtocolError: the server does not say so.
    """
    text = message.headers.get("Nats-Time-Stamp", "")
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        raise RemoteProtocolError(f"expected the time of a message of the mesh, got {text[:80]!r}") from None


def queued_at(message: Message) -> float:
    """Return the same for a message that a queue has delivered.

    Raises:
        RemoteProtocolError: the subject for its acknowledgement has another form.
    """
    words = message.reply.split(".")
    place = _TIME_PLACES.get(len(words))
    if place is None or not words[place].isdecimal():
        raise RemoteProtocolError(f"expected the time of a message of a queue, got {message.reply[:200]!r}")
    return int(words[place]) / _NANOSECONDS


def _parse(answer: Message) -> dict[str, Any]:
    try:
        found = json.loads(answer.data)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise RemoteProtocolError(f"expected an answer of JetStream to {answer.subject!r}, got {answer.data[:80]!r}")
    return found
