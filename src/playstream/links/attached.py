"""A job of a mesh that is under way, or has ended: its results, as from a link."""

from __future__ import annotations

import asyncio

from playstream.links.link import OpenLink
from playstream.links.mesh_thread import OpenMesh
from playstream.mesh.client import MeshClient
from playstream.mesh.following import Follower, Sink
from playstream.mesh.identity import Identity
from playstream.mesh.listing import find_job, find_listed
from playstream.mesh.messages import Outcome
from playstream.pipeline.errors import PlaystreamError
from playstream.pipeline.io.cancellation import Cancellation


class AttachedLink:
    """The results of a job, from their beginning. Nothing can be sent.

    Args:
        job: the name of the job.
        identity: its submitter.
    """

    def __init__(self, job: str, identity: Identity) -> None:
        self.name = f"job {job}"
        self._job = job
        self._identity = identity
        self._attachment: _Attachment | None = None

    def open(self, _cancellation: Cancellation | None = None, /) -> OpenLink:
        """Connect, and find the job.

        Raises:
            ConfigurationError: the mesh has no such job.
            LinkError: no server answers, or none accepts the identity.
        """
        return OpenMesh(self.name, self._identity, self._make)

    async def _make(self, client: MeshClient, own: MeshClient) -> _Attachment:
        job = await find_job(client, self._identity, self._job)
        listed = await find_listed(client, job)
        follower = Follower(client, own, self._identity, job, self.name, encrypted=listed.encrypted, is_late=True)
        self._attachment = _Attachment(follower)
        return self._attachment

    @property
    def canceled(self) -> str | None:
        """Who has ended the job before it could say so itself; None if nobody has."""
        return None if self._attachment is None else self._attachment.canceled


class _Attachment:
    def __init__(self, follower: Follower) -> None:
        self._follower = follower
        self.canceled: str | None = None
        self.failure: PlaystreamError | None = None

    @property
    def remains(self) -> str | None:
        """None: who attaches knows the name."""
        return None

    def note_sent(self, size: int) -> None:
        """Do nothing: this side sends nothing."""

    async def run(self, _source: asyncio.StreamReader, sink: Sink) -> None:
        """Follow the job to its end."""
        try:
            await self._follower.run(sink)
        except PlaystreamError as error:
            self.failure = error
            end = self._follower.end
            if end is not None and end.outcome is Outcome.CANCELED:
                self.canceled = end.reason
