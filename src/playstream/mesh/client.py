"""What is done over a connection to the mesh: storing, reading, pulling, and the other calls of JetStream."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from playstream.mesh.connection import ATTEMPT_SECONDS, CONNECT_SECONDS
from playstream.mesh.delivery import Message, NoAnswer, NobodyThere
from playstream.mesh.storing import PAUSE_SECONDS, UNSETTLED, StoringConnection, parse_answer
from playstream.pipeline.errors import LinkError, RemoteProtocolError

_NANOSECONDS = 1_000_000_000
_NOBODY = "503"
"""The status of a request for a message if its queue has no leader."""
_TIME_PLACES = {9: 7, 12: 9}
"""Where the time is in the subject for an acknowledgement, by the number of its words; JetStream has two forms."""


class MeshClient(StoringConnection):
    """A connection to the mesh with JetStream. Call `connect` first, and `close` at the end."""

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
                if time.monotonic() + PAUSE_SECONDS < until:
                    await asyncio.sleep(PAUSE_SECONDS)
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
            self.note_silence(began)
            await asyncio.sleep(PAUSE_SECONDS if got.done() else 0)
            return None
        self.note_answer()
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
            is_late = time.monotonic() + PAUSE_SECONDS >= until
            try:
                found = parse_answer(await self.ask(f"$JS.API.{name}", data, until=until))
            except NobodyThere:  # a server accepts connections before it has recovered its streams
                if is_late:
                    raise
            else:
                if is_late or found.get("error", {}).get("err_code") not in UNSETTLED:
                    return found
            await asyncio.sleep(PAUSE_SECONDS)


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
