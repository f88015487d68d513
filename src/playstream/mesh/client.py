"""A connection to the servers of a mesh. This is the only module that knows the NATS client.

The library reconnects by itself. What it does not do is done here: a message is stored once, however often the
connection is lost meanwhile, and an error says what to do.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import ssl
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from playstream.mesh.library import import_nats
from playstream.pipeline.errors import (
    AuthenticationFailed,
    HostKeyRejected,
    LinkError,
    PlaystreamError,
    RemoteProtocolError,
    UnreachableHost,
)

CONNECT_SECONDS: Final = 10.0
"""How long the first connection may take."""
_ATTEMPT_SECONDS = 2.0
"""How long the server may take to answer before a request is repeated."""
_LONGEST_SECONDS = 15.0
"""The same after several attempts."""
_HANDSHAKE_SECONDS = 5
"""How long one server may take to accept a connection, and then to complete the handshake."""
_RECONNECT_SECONDS = 0.1
"""Time between two attempts to reconnect."""
_PING_SECONDS = 2
_PINGS = 2
"""A connection on which two pings were not answered is lost."""
_PAUSE_SECONDS = 0.1
"""Time before a request that the server has refused for lack of room is repeated."""
_NANOSECONDS = 1_000_000_000
_FULL = frozenset({10023, 10047, 10077})
"""Numbers of JetStream for a lack of room: resources, storage, the size of a stream."""
_NOT_FIRST = 10071
"""Number of JetStream for a message that is not the first one of its subject."""
_logger = logging.getLogger("playstream")


class _AboutTheLibrary(logging.Filter):
    """Drops a warning of asyncio about how the library starts TLS, at the end of each connection."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether to log a record."""
        return not str(record.msg).startswith("returning true from eof_received()")


logging.getLogger("asyncio").addFilter(_AboutTheLibrary())


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to connect, and as whom."""

    urls: Sequence[str]
    """The servers, `nats://HOST:PORT` or `tls://HOST:PORT`."""
    name: str
    """A name for the server's log."""
    inbox: str = "_INBOX"
    """The prefix of the subjects on which this side gets answers."""
    tls: ssl.SSLContext | None = None
    """The certificates; None for a connection without TLS."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message from the mesh."""

    subject: str
    data: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    reply: str = ""
    """The subject for the answer; empty if none is expected."""


class NoAnswer(LinkError):
    """A request was not answered in time, because the connection is lost or the other side hangs."""


class NobodyThere(NoAnswer):
    """Nobody has subscribed to the subject of a request."""


class AlreadyStored(PlaystreamError):
    """The subject has a message, and the one to store was to be its first."""


class NoRoom(LinkError):
    """The server has no room for a message: a stream or a disk is full."""


class Subscription:
    """A subscription; made by `MeshClient.subscribe`."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    async def close(self) -> None:
        """End the subscription."""
        try:
            await self._inner.unsubscribe()
        except Exception as error:  # noqa: BLE001 - a lost connection has no subscriptions
            _logger.debug("unsubscribing: %s", error)


class MeshClient:
    """A connection to the mesh, in one event loop. Call `connect` first, and `close` at the end.

    Args:
        endpoint: where to connect, and as whom.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self._nats = import_nats()
        self._endpoint = endpoint
        self._client: Any = self._nats.NATS()
        self._connected = asyncio.Event()
        self._dropped = asyncio.Event()
        """Set when the connection is lost; replaced by another one when there is a new connection."""
        self._refused = asyncio.Event()
        """Set when the servers do not know this identity any more."""
        self._denied: set[str] = set()
        """Subjects to which this identity may not publish, in lower case."""
        self._news = asyncio.Event()
        """Set when a subject was denied."""
        self._trouble: BaseException | None = None
        """The last error of connecting."""
        self.up_since: float | None = None
        """When the connection was made, on the monotonic clock; None while there is none."""
        self.connections = 0
        """How many connections there were."""

    @property
    def server_version(self) -> str:
        """The version of the server."""
        found = self._client.connected_server_version
        return f"{found.major}.{found.minor}.{found.patch}"

    @property
    def max_payload(self) -> int:
        """The largest message that the server takes, in bytes."""
        return int(self._client.max_payload)

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection now, as far as is known."""
        return self._connected.is_set()

    async def connect(self, seconds: float = CONNECT_SECONDS) -> None:
        """Connect.

        Args:
            seconds: how long to try.

        Raises:
            UnreachableHost: no server answers.
            HostKeyRejected: the certificate of the server is not accepted.
            AuthenticationFailed: the servers do not know this identity.
        """
        connecting = asyncio.ensure_future(
            self._client.connect(
                servers=list(self._endpoint.urls),
                name=self._endpoint.name,
                tls=self._endpoint.tls,
                inbox_prefix=self._endpoint.inbox,
                error_cb=self._note_error,
                disconnected_cb=self._note_lost,
                reconnected_cb=self._note_connected,
                closed_cb=self._note_lost,
                connect_timeout=_HANDSHAKE_SECONDS,
                reconnect_time_wait=_RECONNECT_SECONDS,
                max_reconnect_attempts=-1,
                ping_interval=_PING_SECONDS,
                max_outstanding_pings=_PINGS,
            )
        )
        try:
            until = time.monotonic() + seconds
            while not connecting.done():
                await asyncio.wait({connecting}, timeout=0.05)
                if self._is_final(self._trouble) or time.monotonic() > until:
                    break
            if not connecting.done() or connecting.exception() is not None:
                self._trouble = connecting.exception() if connecting.done() else self._trouble
                raise self._explain()  # noqa: TRY301 - what was begun is ended below
        except BaseException:
            await _abandon(connecting)
            await self.close()
            raise
        await self._note_connected()

    async def close(self) -> None:
        """Close the connection."""
        if not self._client.is_closed:
            try:
                await self._client.close()
            except Exception as error:  # noqa: BLE001 - it is lost anyway
                _logger.debug("closing the connection to the mesh: %s", error)

    async def wait_connected(self, seconds: float) -> bool:
        """Wait until there is a connection. Return whether there is one.

        Raises:
            AuthenticationFailed: this identity was removed.
        """
        events = [asyncio.ensure_future(event.wait()) for event in (self._connected, self._refused)]
        try:
            await asyncio.wait(events, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for event in events:
                event.cancel()
        if self._refused.is_set():
            raise self._explain()
        return self._connected.is_set()

    async def store(
        self,
        subject: str,
        data: bytes,
        *,
        seconds: float,
        message_id: str | None = None,
        only_first: bool = False,
        headers: Mapping[str, str] | None = None,
    ) -> int:
        """Publish a message, and wait until the server has stored it. It is stored once, however often it is sent.

        Args:
            subject: a subject of a stream.
            data: its content.
            seconds: how long to try, also without a connection and while there is no room.
            message_id: what the server recognizes the message by; None for the subject.
            only_first: store it only if the subject has no message.
            headers: further headers.

        Returns:
            The sequence of the message in its stream; 0 if an earlier attempt has stored it.

        Raises:
            AlreadyStored: the subject has a message; with `only_first`, it may be this one.
            NoRoom: the stream, or the disk of the server, is full.
            NoAnswer: there was no connection, or no answer.
            AuthenticationFailed: this identity may not publish to the subject.
        """
        given = {"Nats-Msg-Id": message_id or subject, **(headers or {})}
        if only_first:
            given["Nats-Expected-Last-Subject-Sequence"] = "0"
        until = time.monotonic() + seconds
        while True:
            try:
                return await self._store_once(subject, data, given, until)
            except NoRoom:
                if time.monotonic() + _PAUSE_SECONDS >= until:
                    raise
            except NobodyThere:
                if time.monotonic() + _PAUSE_SECONDS >= until:
                    raise LinkError(
                        f"no stream of the mesh takes {subject!r}: the group does not exist on the server, or its "
                        "streams are being recovered. Run playstream mesh check as an operator"
                    ) from None
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _store_once(self, subject: str, data: bytes, headers: Mapping[str, str], until: float) -> int:
        answer = await self.ask(subject, data, until=until, headers=headers)
        found = _parse(answer)
        error = found.get("error")
        if error is None:
            return 0 if found.get("duplicate") else int(found.get("seq", 0))
        number, text = error.get("err_code"), error.get("description", "no reason given")
        if number == _NOT_FIRST:
            raise AlreadyStored(f"{subject}: {text}")
        if number in _FULL:
            raise NoRoom(f"the server has no room for {subject}: {text}. Free space there, or raise the group's limit")
        raise LinkError(f"the server does not store {subject}: {text} (JetStream error {number})")

    async def ask(
        self, subject: str, data: bytes, *, until: float, headers: Mapping[str, str] | None = None
    ) -> Message:
        """Send a request until it is answered; the other side may get it several times.

        Args:
            subject: who is asked.
            data: the content.
            until: when to give up, on the monotonic clock.
            headers: headers.

        Raises:
            NobodyThere: nobody has subscribed.
            NoAnswer: there was no answer.
            AuthenticationFailed: this identity may not publish to the subject, or was removed.
        """
        patience = _ATTEMPT_SECONDS
        while (left := until - time.monotonic()) > 0:
            if not await self.wait_connected(left):
                break
            try:
                return await self.request(subject, data, seconds=min(patience, left), headers=headers)
            except NobodyThere:
                raise
            except NoAnswer:
                patience = min(2 * patience, _LONGEST_SECONDS)  # a busy server must not get more and more requests
        raise NoAnswer(f"the server has not answered {subject!r}: the connection to the mesh is lost, or it hangs")

    async def request(
        self, subject: str, data: bytes = b"", *, seconds: float, headers: Mapping[str, str] | None = None
    ) -> Message:
        """Send a request once, and wait for its answer.

        Raises:
            NobodyThere: nobody has subscribed.
            NoAnswer: there was no answer in time, or the connection was lost meanwhile.
            AuthenticationFailed: this identity may not publish to the subject.
        """
        self._check_denied(subject)
        if not self._connected.is_set():
            raise NoAnswer("there is no connection to the mesh")
        asked = asyncio.ensure_future(
            self._client.request(subject, data, timeout=seconds, headers=dict(headers) if headers else None)
        )
        dropped, news = self._dropped, self._news
        others = [asyncio.ensure_future(dropped.wait()), asyncio.ensure_future(news.wait())]
        try:
            while not asked.done():
                await asyncio.wait({asked, *others}, return_when=asyncio.FIRST_COMPLETED)
                if not asked.done() and dropped.is_set():
                    raise NoAnswer("the connection to the mesh was lost")
                if not asked.done():
                    self._check_denied(subject)
                    news = self._news
                    others[1].cancel()
                    others[1] = asyncio.ensure_future(news.wait())
            return _message(asked.result())
        except self._nats.errors.NoRespondersError:
            raise NobodyThere(f"nobody answers {subject!r}") from None
        except (self._nats.errors.Error, TimeoutError, OSError) as error:
            raise NoAnswer(f"no answer to {subject!r}: {error or type(error).__name__}") from None
        finally:
            for task in (asked, *others):
                task.cancel()

    async def publish(self, subject: str, data: bytes, *, reply: str = "") -> None:
        """Publish a message that is not stored and may be lost."""
        if self._connected.is_set():
            try:
                await self._client.publish(subject, data, reply=reply)
            except (self._nats.errors.Error, OSError) as error:
                _logger.debug("publishing to %s: %s", subject, error)

    async def fetch(self, stream: str, subject: str, *, seconds: float = _ATTEMPT_SECONDS) -> Message | None:
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
            except NoAnswer:
                if time.monotonic() + _PAUSE_SECONDS < until:
                    await asyncio.sleep(_PAUSE_SECONDS)
                    continue
            raise NoAnswer(f"the server has not answered for {subject!r}: the connection to the mesh is lost")

    async def subscribe(
        self, subject: str, take: Callable[[Message], Coroutine[Any, Any, None]], *, max_bytes: int = 1 << 24
    ) -> Subscription:
        """Subscribe to a subject, in which `*` and `>` are wildcards.

        Args:
            subject: the subject.
            take: called with each message, one after the other. Messages beyond `max_bytes` that wait for it are lost.
            max_bytes: how much may wait.
        """

        async def call(message: Any) -> None:
            await take(_message(message))

        return Subscription(await self._client.subscribe(subject, cb=call, pending_bytes_limit=max_bytes))

    async def pull(self, stream: str, consumer: str, *, seconds: float) -> Message | None:
        """Wait for the next message of a queue. It belongs to this side until `acknowledge`, or until it is silent.

        Args:
            stream: the queue.
            consumer: the consumer that all sides share.
            seconds: how long to wait.

        Returns:
            The message; None if there was none, or the connection was lost.
        """
        if not self._connected.is_set():
            return None
        inbox = self.new_inbox()
        got: asyncio.Future[Message] = asyncio.get_running_loop().create_future()

        async def take(message: Message) -> None:
            if not got.done():
                got.set_result(message)

        dropped = asyncio.ensure_future(self._dropped.wait())
        waiting: set[asyncio.Future[Any]] = {got, dropped}
        subscription = await self.subscribe(inbox, take)
        request = {"batch": 1, "expires": int(seconds * _NANOSECONDS)}
        try:
            await self.publish(
                f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}", json.dumps(request).encode(), reply=inbox
            )
            await asyncio.wait(waiting, timeout=seconds + _ATTEMPT_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        finally:
            dropped.cancel()
            await subscription.close()
        if not got.done():
            return None
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

    async def flush(self, seconds: float = _ATTEMPT_SECONDS) -> None:
        """Wait until the server has seen what was sent, such as a subscription.

        Raises:
            NoAnswer: it did not answer.
        """
        try:
            await self._client.flush(timeout=seconds)
        except (self._nats.errors.Error, TimeoutError, OSError) as error:
            raise NoAnswer(f"the server does not answer: {error or type(error).__name__}") from None

    def new_inbox(self) -> str:
        """Return a subject on which only this identity can get an answer."""
        return str(self._client.new_inbox())

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
            try:
                return _parse(await self.ask(f"$JS.API.{name}", data, until=until))
            except NobodyThere:  # a server accepts connections before it has recovered its streams
                if time.monotonic() + _PAUSE_SECONDS >= until:
                    raise
            await asyncio.sleep(_PAUSE_SECONDS)

    def _check_denied(self, subject: str) -> None:
        if subject.lower() in self._denied:
            raise AuthenticationFailed(
                f"the servers of the mesh do not allow {self._endpoint.name} to publish to {subject!r}. Use the "
                "identity that was made for this, or ask the operator of the mesh"
            )

    def _is_final(self, error: BaseException | None) -> bool:
        """Return whether trying again makes no sense."""
        return isinstance(error, ssl.SSLCertVerificationError) or self._is_refusal(error)

    def _is_refusal(self, error: BaseException | None) -> bool:
        """Return whether the server does not accept this identity: the library has a class for it, and a text.

        TLS has alerts for it. Its other errors may be those of a connection that was lost, or of a server that is busy.
        """
        if isinstance(error, ssl.SSLError):
            return "_ALERT_" in (error.reason or "")
        return (
            isinstance(error, self._nats.errors.AuthorizationError) or "authorization violation" in str(error).lower()
        )

    async def _note_error(self, error: Exception) -> None:
        _logger.debug("connection to the mesh: %s", error)
        text = str(error)
        if "permissions violation for publish" in text.lower():
            self._denied.add(text.partition('"')[2].rpartition('"')[0].lower())
            news, self._news = self._news, asyncio.Event()
            news.set()
        elif not self._connected.is_set():
            self._trouble = error
        if self.connections and self._is_refusal(error):
            self._trouble = error
            self._refused.set()

    async def _note_lost(self) -> None:
        self._connected.clear()
        self.up_since = None
        self._dropped.set()

    async def _note_connected(self) -> None:
        self.connections += 1
        self._dropped = asyncio.Event()
        self.up_since = time.monotonic()
        self._connected.set()

    def _explain(self) -> LinkError:
        """Return why there is no connection."""
        where, error = ", ".join(self._endpoint.urls), self._trouble
        if isinstance(error, ssl.SSLCertVerificationError):
            return HostKeyRejected(
                f"{where}: the certificate of the server is not accepted: {error.verify_message}. The identity file is "
                "of another mesh, the certificate has expired, or somebody is in between"
            )
        if self._is_final(error):
            return AuthenticationFailed(
                f"{where}: the server does not accept the identity {self._endpoint.name}: it was removed from the "
                "mesh, its certificate has expired, or the server has not read its configuration since it was added"
            )
        text = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else error
        reason = f": {text}" if text else ""
        return UnreachableHost(
            f"{where}: no server of the mesh answers{reason}. Check that nats-server runs there, the address in the "
            "identity file, and firewalls on the way"
        )


def _message(inner: Any) -> Message:
    headers = {str(getattr(key, "value", key)): str(value) for key, value in (inner.headers or {}).items()}
    return Message(inner.subject, bytes(inner.data), headers, inner.reply or "")


def _parse(answer: Message) -> dict[str, Any]:
    try:
        found = json.loads(answer.data)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise RemoteProtocolError(f"expected an answer of JetStream to {answer.subject!r}, got {answer.data[:80]!r}")
    return found


async def _abandon(task: asyncio.Future[Any]) -> None:
    task.cancel()
    await asyncio.wait({task})
    if not task.cancelled():
        task.exception()
