"""What a connection to the mesh delivers: messages, subscriptions to them, and requests that have no answer."""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any

from playstream.pipeline.errors import LinkError

_logger = logging.getLogger("playstream")

Take = Callable[["Message"], Coroutine[Any, Any, None]]
"""Takes a message of a subscription."""


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


class Subscription:
    """A subscription; `Connection.subscribe` makes it."""

    def __init__(self, subject: str, take: Take, max_bytes: int, closed: Callable[[Subscription], None]) -> None:
        self._subject = subject
        self._take = take
        self._max_bytes = max_bytes
        self._closed = closed
        self._inner: Any = None

    async def open(self, client: Any) -> None:
        """Subscribe on a client of the library."""
        self._inner = await client.subscribe(self._subject, cb=self._call, pending_bytes_limit=self._max_bytes)

    async def close(self) -> None:
        """End the subscription."""
        self._closed(self)
        try:
            if self._inner is not None:
                await self._inner.unsubscribe()
        except Exception as error:  # noqa: BLE001 - a lost connection has no subscriptions
            _logger.debug("unsubscribing: %s", error)

    async def _call(self, message: Any) -> None:
        await self._take(to_message(message))


def to_message(inner: Any) -> Message:
    """Return a message of the library as one of the mesh."""
    headers = {str(getattr(key, "value", key)): str(value) for key, value in (inner.headers or {}).items()}
    return Message(inner.subject, bytes(inner.data), headers, inner.reply or "")
