"""What a node learns from the server while it runs: signed lists, of which it uses the newest."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from playstream.mesh.client import MeshClient
from playstream.mesh.delivery import Message
from playstream.mesh.signing import KeyList, ListKind, read_list
from playstream.pipeline.errors import LinkError, RemoteProtocolError

_LOOK_SECONDS: Final = 60.0
_FETCH_SECONDS: Final = 10.0


class Watch:
    """Watches one list. Call `open` first, and keep `run` running.

    Args:
        client: the connection of the node.
        kind: what the list is about.
        stream: the stream that has it.
        subject: its subject.
        ca: the certificate of the CA of the mesh, in PEM format.
        take: takes each list that is newer than those before, and its text.
        log: takes what happens.
    """

    def __init__(
        self,
        client: MeshClient,
        kind: ListKind,
        stream: str,
        subject: str,
        ca: str,
        take: Callable[[KeyList, bytes], None],
        log: Callable[..., None],
    ) -> None:
        self._client = client
        self._kind = kind
        self._stream = stream
        self._subject = subject
        self._ca = ca
        self._take_list = take
        self._log = log
        self.serial = -1
        """The number of the newest list."""

    async def open(self) -> None:
        """Take lists as they are published."""
        await self._client.subscribe(self._subject, self._take)

    async def run(self) -> None:
        """Take the list that the server has, and look again, in case one was not delivered."""
        while True:
            await self.fetch()
            await asyncio.sleep(_LOOK_SECONDS)

    async def fetch(self) -> None:
        """Look for a newer list now."""
        try:
            message = await self._client.find(self._stream, self._subject, seconds=_FETCH_SECONDS)
        except LinkError as error:
            self._log("error", reason=f"the list of {self._kind.value} cannot be read: {error}")
            return
        if message is not None:
            await self._take(message)

    def read(self, text: str | bytes) -> None:
        """Take a list, unless a newer one was taken before.

        Raises:
            RemoteProtocolError: the CA has not signed it.
        """
        found = read_list(text, self._kind, self._ca)
        if found.serial > self.serial:
            self.serial = found.serial
            self._take_list(found, text if isinstance(text, bytes) else text.encode())

    async def _take(self, message: Message) -> None:
        try:
            self.read(message.data)
        except RemoteProtocolError as error:
            self._log("error", reason=str(error))
