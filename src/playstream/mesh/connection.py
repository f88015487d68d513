"""A connection to the servers of a mesh: it is made, lost and made again, and carries requests and subscriptions.

This module, `transport` and `refusals` are the only ones that know the NATS client. That library reconnects by itself,
except after errors that it does not expect: then a new client takes its place. A request ends when the connection is
lost, and an error says what to do.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Mapping
from typing import Any, Final

from playstream.mesh.delivery import Message, NoAnswer, NobodyThere, Subscription, Take, to_message
from playstream.mesh.library import import_nats
from playstream.mesh.refusals import Endpoint, explain, is_final, is_refusal
from playstream.pipeline.errors import AuthenticationFailed, LinkError

CONNECT_SECONDS: Final = 10.0
"""How long the first connection may take."""
ATTEMPT_SECONDS: Final = 2.0
"""How long the server may take to answer a request."""
_HANDSHAKE_SECONDS = 5
"""How long one server may take to accept a connection, and then to complete the handshake."""
_WRITE_SECONDS = 0.001
"""How often to look whether the library has written what it was told to send."""
_ANSWER_SECONDS = 60
"""How long the library waits for an answer to a ping: far longer than a connection lasts on which there is none."""
_RECONNECT_SECONDS = 0.1
"""Time between two attempts to reconnect."""
_PING_SECONDS = 2
_PINGS = 2
"""A connection on which two pings were not answered is lost."""
DROP_SECONDS: Final = _PING_SECONDS * (_PINGS + 2.0)
"""After how long it is lost at the latest."""
_logger = logging.getLogger("playstream")


class Connection:
    """A connection to the mesh, in one event loop. Call `connect` first, and `close` at the end.

    Args:
        endpoint: where to connect, and as whom.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self._nats = import_nats()
        self._endpoint = endpoint
        self._client = self._new_client()
        self._subscriptions: set[Subscription] = set()
        self._reviving: asyncio.Task[None] | None = None
        """Makes a new client of the library; None while that connects by itself."""
        self._asking: set[asyncio.Future[None]] = set()
        """Questions whether the server has seen everything, which it has not answered."""
        self._is_closing = False
        self._connected = asyncio.Event()
        self._dropped = asyncio.Event()
        """Set when the connection is lost; replaced by another one when there is a new connection."""
        self._refused = asyncio.Event()
        """Set when the servers do not know this identity any more."""
        self._denied: set[str] = set()
        """Subjects to which this identity may not publish, in lower case."""
        self._requests: dict[asyncio.Future[None], str] = {}
        """The subjects of requests, each by what it waits for: its answer, or that there cannot be one."""
        self._trouble: BaseException | None = None
        """The last error of connecting."""
        self._left: dict[str, float] = {}
        """When servers were left, on the monotonic clock, by their addresses."""
        self._kept_since: float | None = None
        """Since when the connection was there that is replaced by one to another server; None if it was lost."""
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
    def server_url(self) -> str:
        """The address of the server."""
        return str(self._client.connected_url.netloc)

    @property
    def max_payload(self) -> int:
        """The largest message that the server takes, in bytes."""
        return int(self._client.max_payload)

    @property
    def server_expiry(self) -> float | None:
        """When the certificate of the server expires, in seconds since the epoch; None without TLS."""
        expiry: float | None = self._client._transport.server_expiry
        return expiry

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection now, as far as is known."""
        return self._connected.is_set()

    @property
    def dropped(self) -> asyncio.Event:
        """Set when the connection that there is now is lost."""
        return self._dropped

    def _new_client(self) -> Any:
        from playstream.mesh.transport import StreamTransport  # noqa: PLC0415 - it imports the library

        client = self._nats.NATS()
        client._transport = StreamTransport()
        return client

    async def _open(self, client: Any) -> None:
        """Connect a client of the library to one of the servers: to the one that was left the longest ago, or never."""
        urls = random.sample(list(self._endpoint.urls), len(self._endpoint.urls))
        await client.connect(
            servers=sorted(urls, key=lambda url: self._left.get(url.partition("//")[2], 0.0)),
            dont_randomize=True,
            name=self._endpoint.name,
            tls=self._endpoint.tls,
            inbox_prefix=self._endpoint.inbox,
            error_cb=self._note_error,
            disconnected_cb=self._note_lost,
            reconnected_cb=self._note_connected,
            closed_cb=self._note_closed,
            connect_timeout=_HANDSHAKE_SECONDS,
            reconnect_time_wait=_RECONNECT_SECONDS,
            max_reconnect_attempts=-1,
            ping_interval=_PING_SECONDS,
            max_outstanding_pings=_PINGS,
        )

    async def connect(self, seconds: float = CONNECT_SECONDS) -> None:
        """Connect.

        Args:
            seconds: how long to try.

        Raises:
            UnreachableHost: no server answers.
            HostKeyRejected: the certificate of the server is not accepted.
            AuthenticationFailed: the servers do not know this identity.
        """
        connecting = asyncio.ensure_future(self._open(self._client))
        try:
            until = time.monotonic() + seconds
            while not connecting.done():
                await asyncio.wait({connecting}, timeout=0.05)
                if is_final(self._trouble) or time.monotonic() > until:
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
        self._is_closing = True
        if self._reviving is not None:
            await _abandon(self._reviving)
        await _end(self._client)
        for asking in list(self._asking):
            await _abandon(asking)

    async def wait_connected(self, seconds: float) -> bool:
        """Wait until there is a connection. Return whether there is one.

        Raises:
            AuthenticationFailed: this identity was removed.
        """
        until = time.monotonic() + seconds
        # Each message that is stored asks this first, so that it costs no task while there is a connection.
        while self._refused.is_set() or not self._connected.is_set():
            events = [asyncio.ensure_future(event.wait()) for event in (self._connected, self._refused)]
            try:
                left = max(0.0, until - time.monotonic())
                await asyncio.wait(events, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for event in events:
                    event.cancel()
            if self._refused.is_set():
                raise self._explain()
            # A connection may be lost again before this side is resumed; then it waits for the next one.
            if time.monotonic() >= until:
                break
        return self._connected.is_set()

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
        asked: asyncio.Future[Any] = asyncio.ensure_future(
            self._client.request(subject, data, timeout=seconds, headers=dict(headers) if headers else None)
        )
        decided: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        asked.add_done_callback(lambda _asked: _decide(decided))
        self._requests[decided] = subject.lower()
        try:
            await decided
            if not asked.done():
                self._check_denied(subject)
                raise NoAnswer("the connection to the mesh was lost")
            return to_message(asked.result())
        except self._nats.errors.NoRespondersError:
            raise NobodyThere(f"nobody answers {subject!r}") from None
        except (self._nats.errors.Error, TimeoutError, OSError) as error:
            raise NoAnswer(f"no answer to {subject!r}: {error or type(error).__name__}") from None
        finally:
            del self._requests[decided]
            asked.cancel()

    async def publish(self, subject: str, data: bytes, *, reply: str = "") -> None:
        """Publish a message that is not stored and may be lost."""
        if self._connected.is_set():
            try:
                await self._client.publish(subject, data, reply=reply)
            except (self._nats.errors.Error, OSError) as error:
                _logger.debug("publishing to %s: %s", subject, error)

    async def subscribe(self, subject: str, take: Take, *, max_bytes: int = 1 << 24) -> Subscription:
        """Subscribe to a subject, in which `*` and `>` are wildcards.

        Args:
            subject: the subject.
            take: called with each message, one after the other. Messages beyond `max_bytes` that wait for it are lost.
            max_bytes: how much may wait.
        """
        subscription = Subscription(subject, take, max_bytes, self._subscriptions.discard)
        self._subscriptions.add(subscription)
        if not self._client.is_closed:
            await subscription.open(self._client)
        return subscription

    async def flush(self, seconds: float = ATTEMPT_SECONDS) -> None:
        """Wait until the server has seen what was sent, such as a subscription.

        Raises:
            NoAnswer: it did not answer.
        """
        try:
            await self._flush(self._client, seconds)
        except (self._nats.errors.Error, TimeoutError, OSError) as error:
            raise NoAnswer(f"the server does not answer: {error or type(error).__name__}") from None

    async def _flush(self, client: Any, seconds: float) -> None:
        """Wait until the server has seen what a client of the library was told to send.

        The library asks it with a ping, which overtakes what the library has not written yet. And it stops to read from
        the connection when the answer comes after it has given that up, which it therefore does not do.
        """
        async with asyncio.timeout(seconds):
            while client.pending_data_size:
                await asyncio.sleep(_WRITE_SECONDS)
            asking = asyncio.ensure_future(client.flush(timeout=_ANSWER_SECONDS))
            self._asking.add(asking)
            asking.add_done_callback(self._note_asked)
            await asyncio.shield(asking)

    def _note_asked(self, asking: asyncio.Future[None]) -> None:
        self._asking.discard(asking)
        if not asking.cancelled():
            asking.exception()  # whoever has waited for it knows

    def new_inbox(self) -> str:
        """Return a subject on which only this identity can get an answer."""
        return str(self._client.new_inbox())

    def _check_denied(self, subject: str) -> None:
        if subject.lower() in self._denied:
            raise AuthenticationFailed(
                f"the servers of the mesh do not allow {self._endpoint.name} to publish to {subject!r}. Use the "
                "identity that was made for this, or ask the operator of the mesh"
            )

    async def _note_error(self, error: Exception) -> None:
        _logger.debug("connection to the mesh: %s", error)
        text = str(error)
        if "permissions violation for publish" in text.lower():
            denied = text.partition('"')[2].rpartition('"')[0].lower()
            self._denied.add(denied)
            for decided, subject in self._requests.items():
                if subject == denied:
                    _decide(decided)
        elif not self._connected.is_set():
            self._trouble = error
        if self.connections and is_refusal(error):
            self._trouble = error
            self._refused.set()

    def _lose(self) -> None:
        self._connected.clear()
        self.up_since = None
        self._dropped.set()
        for decided in self._requests:
            _decide(decided)

    async def _note_lost(self) -> None:
        self._lose()
        task = asyncio.current_task()
        if task is not None and self.connections and self._reviving is None and not self._is_closing:
            task.add_done_callback(self._note_end)  # it is the one in which the library connects again

    def _note_end(self, task: asyncio.Task[Any]) -> None:
        """Connect if the library does not any more: an error that it does not expect ends the task in which it does."""
        if not task.cancelled() and (task.exception() is not None or self._client.is_closed):
            _logger.debug("connecting to the mesh again: %r", task.exception())
            self._revive()

    async def _note_closed(self) -> None:
        await self._note_lost()
        self._revive()

    def move(self) -> None:
        """Connect to another server if the mesh has several, because this one may be cut off from the others.

        A connection that was made at once counts as the same one in `up_since`.
        """
        if len(self._endpoint.urls) > 1 and self.is_connected and self._reviving is None and not self._is_closing:
            _logger.debug("connecting to another server of the mesh")
            self._kept_since = self.up_since
            if self._client.connected_url is not None:
                self._left[self._client.connected_url.netloc] = time.monotonic()
            self._reviving = asyncio.create_task(self._replace())
            self._lose()

    def _revive(self) -> None:
        if self.connections and not self._is_closing and self._reviving is None:
            self._reviving = asyncio.create_task(self._replace())

    async def _replace(self) -> None:
        """Connect with a new client of the library, because the one that was used does not connect any more."""
        await _end(self._client)
        while True:
            client = self._new_client()
            try:
                await self._open(client)
                self._client = client
                for subscription in list(self._subscriptions):
                    await subscription.open(client)
                await self._flush(client, ATTEMPT_SECONDS)
            except Exception as error:  # noqa: BLE001 - it is not known which errors the library does not expect
                await self._note_error(error)
                await _end(client)
                self._kept_since = None
                await asyncio.sleep(_RECONNECT_SECONDS)
            except BaseException:
                await _end(client)
                raise
            else:
                break
        self._reviving = None
        await self._note_connected()

    async def _note_connected(self) -> None:
        self.connections += 1
        self._dropped = asyncio.Event()
        self.up_since, self._kept_since = self._kept_since or time.monotonic(), None
        self._connected.set()

    def _explain(self) -> LinkError:
        return explain(self._endpoint, self._trouble)


def _decide(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


async def _end(client: Any) -> None:
    if not client.is_closed:
        try:
            await client.close()
        except Exception as error:  # noqa: BLE001 - it is lost anyway
            _logger.debug("closing the connection to the mesh: %s", error)


async def _abandon(task: asyncio.Future[Any]) -> None:
    task.cancel()
    await asyncio.wait({task})
    if not task.cancelled():
        task.exception()
