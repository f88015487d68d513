"""What a node says about itself: it announces what it has, and answers when it is asked how it is."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from playstream.mesh.client import MeshClient
from playstream.mesh.delivery import Message
from playstream.mesh.features import Features
from playstream.mesh.messages import Announcement, encode
from playstream.mesh.subjects import announcement, question
from playstream.pipeline.errors import PlaystreamError, RemoteProtocolError

INBOXES: Final = "_INBOX."
"""The beginning of the subjects to which a node answers. Whoever asks could name any other, to which the server would
let the node publish too."""
_LOOK_SECONDS = 60.0
_REPEAT_SECONDS = 3600.0
"""An announcement is dropped after a day."""
_STORE_SECONDS = 10.0
_RETRY_SECONDS = 10.0


class Presence:
    """The presence of a node. Call `open` first, keep `run` running, and call `leave` at the end.

    Args:
        client: the connection of the node.
        first: what it announces: its name, groups and slots.
        look: returns what the host has; called in a thread.
        answers: returns the answer to a question, by the word for it.
        log: takes what happens.
    """

    def __init__(
        self,
        client: MeshClient,
        first: Announcement,
        look: Callable[[], Features],
        answers: Mapping[str, Callable[[bytes], bytes]],
        log: Callable[..., None],
    ) -> None:
        self._client = client
        self._first = first
        self._look = look
        self._answers = answers
        self._log = log
        self._announced = -_REPEAT_SECONDS
        self.features = Features({})
        """What the host has, as it was found last."""

    async def open(self) -> None:
        """Look around, and answer from now on."""
        self.features = await asyncio.to_thread(self._look)
        for word, answer in self._answers.items():
            await self._client.subscribe(question(self._first.node, word), partial(self._answer, answer))

    async def run(self) -> None:
        """Announce the node, and again when something has changed on the host."""
        while True:
            found = await asyncio.to_thread(self._look)
            if found != self.features or time.monotonic() - self._announced >= _REPEAT_SECONDS:
                self.features = found
                if not await self._announce(stopped=False):
                    await asyncio.sleep(_RETRY_SECONDS)
                    continue
            await asyncio.sleep(_LOOK_SECONDS)

    async def leave(self) -> None:
        """Announce that the node has ended."""
        await self._announce(stopped=True)

    async def _announce(self, *, stopped: bool) -> bool:
        first = self._first
        said = Announcement(
            first.node, first.groups, first.slots, self.features.versions, self.features.names, stopped=stopped
        )
        try:
            for group in first.groups:
                await self._client.store(
                    announcement(group, first.node),
                    encode(said),
                    seconds=_STORE_SECONDS,
                    message_id=secrets.token_hex(16),
                )
        except PlaystreamError as error:
            self._log("error", reason=f"the node cannot announce itself: {error}")
            return False
        self._announced = time.monotonic()
        return True

    async def _answer(self, answer: Callable[[bytes], bytes], message: Message) -> None:
        if not message.reply.startswith(INBOXES):
            return
        try:
            data = answer(message.data)
        except RemoteProtocolError as error:
            self._log("error", reason=str(error))
        else:
            await self._client.publish(message.reply, data)
