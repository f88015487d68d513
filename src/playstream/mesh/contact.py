"""Asking the node that runs a job how far it is. Its answers are also its signs of life."""

from __future__ import annotations

import time
from typing import Final

from playstream.mesh.client import MeshClient
from playstream.mesh.delivery import NoAnswer, NobodyThere
from playstream.mesh.liveness import Times
from playstream.mesh.messages import Positions, decode
from playstream.mesh.subjects import JobSubjects
from playstream.pipeline.errors import RemoteProtocolError

BUSY_SECONDS: Final = 0.01
"""How often to ask how far the node is, while this side waits for it."""


class Contact:
    """The contact of one side to the node of a job.

    Args:
        client: the connection.
        job: the job.
        node: the name of the node.
        times: the times of the mesh.
    """

    def __init__(self, client: MeshClient, job: JobSubjects, node: str, times: Times) -> None:
        self._client = client
        self._subject = job.control(node)
        self._times = times
        self._heard = time.monotonic()
        self._nobody_since: float | None = None
        """Since when nobody has subscribed, after the node had answered."""
        self._deaf = self._heard
        """When the server, too, has last not answered: then this side may be the one that is cut off."""
        self._moves = 0
        """How often another server was tried since then."""
        self.answered = False
        """Whether the node has answered at all."""

    async def ask(self, question: bytes) -> Positions | None:
        """Ask once. Return the answer; None if there was none.

        Raises:
            AuthenticationFailed: this identity may not ask.
        """
        left = self._heard + self._times.silence - time.monotonic()
        seconds = min(self._times.lost_after / 4, max(left, BUSY_SECONDS))
        try:
            answer = await self._client.request(self._subject, question, seconds=seconds)
            positions = decode(Positions, answer.data)
        except NobodyThere:
            if self.answered and self._nobody_since is None:
                self._nobody_since = time.monotonic()
        except (NoAnswer, RemoteProtocolError):
            self._nobody_since = None
            await self._check_server()
        else:
            self._heard, self._nobody_since, self.answered = time.monotonic(), None, True
            self._moves = 0
            return positions
        self._try_another_server()
        return None

    def _try_another_server(self) -> None:
        """Connect to another server after each third of the time: this one may be cut off from that of the node."""
        silence = time.monotonic() - max(self._heard, self._client.up_since or self._heard)
        if silence > (self._moves + 1) * self._times.lost_after / 3:
            self._moves += 1
            self._client.move()

    async def _check_server(self) -> None:
        try:
            await self._client.flush(self._times.question)
        except NoAnswer:
            self._deaf = time.monotonic()

    @property
    def is_lost(self) -> bool:
        """Whether the node is lost. Time in which this side could not have heard it does not count.

        A node that has lost its server connects to another one, or to the same again, and nobody answers meanwhile.
        """
        up_since, now = self._client.up_since, time.monotonic()
        if up_since is None:
            return False
        if self._nobody_since is not None and now - max(self._nobody_since, up_since) > self._times.lost_after / 2:
            return True
        return now - max(self._heard, self._deaf, up_since) > self._times.silence
