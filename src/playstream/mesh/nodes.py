"""The nodes of a group, as they have announced themselves."""

from __future__ import annotations

import asyncio
import time

from playstream.mesh.client import MeshClient
from playstream.mesh.delivery import NobodyThere
from playstream.mesh.features import Features
from playstream.mesh.messages import Announcement, decode
from playstream.mesh.subjects import MESH_STREAM, announcement
from playstream.pipeline.errors import LinkError, RemoteProtocolError

_SECONDS = 10.0
_PAUSE_SECONDS = 0.2


async def find_announcements(client: MeshClient, group: str = "*") -> list[Announcement]:
    """Return what nodes have announced in the last day; those that cannot be read are left out.

    Args:
        client: the connection of a submitter or an operator.
        group: the group; `*` for all, with several announcements of one node.

    Raises:
        LinkError: there is no answer.
    """
    until = time.monotonic() + _SECONDS
    while True:
        try:
            messages = await client.fetch_all(MESH_STREAM, announcement(group, "*"), seconds=_SECONDS)
            break
        except NobodyThere:  # also for a moment after a server of a cluster has ended
            if time.monotonic() > until:
                raise LinkError(
                    f"the server has no stream {MESH_STREAM}, in which nodes announce themselves, or is recovering it. "
                    "Run playstream mesh check as an operator"
                ) from None
        await asyncio.sleep(_PAUSE_SECONDS)
    found = []
    for message in messages:
        try:
            said = decode(Announcement, message.data)
        except RemoteProtocolError:
            continue  # by a later version
        if message.subject.split(".")[-1] == said.node:
            found.append(said)
    return found


async def find_nodes(client: MeshClient, group: str) -> dict[str, Features]:
    """Return what each node of a group has, by its name, without those that have ended as they were told to.

    Raises:
        LinkError: there is no answer.
    """
    return {
        said.node: Features(said.versions, said.features)
        for said in await find_announcements(client, group)
        if not said.stopped
    }
