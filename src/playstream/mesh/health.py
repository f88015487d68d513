"""How a mesh is: its server, the nodes, and the queues of the groups."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from playstream.mesh.client import MeshClient
from playstream.mesh.connection import ATTEMPT_SECONDS
from playstream.mesh.delivery import NoAnswer
from playstream.mesh.identity import Identity, Kind
from playstream.mesh.messages import Announcement, Condition, decode
from playstream.mesh.nodes import find_announcements
from playstream.mesh.publishing import find_groups
from playstream.mesh.subjects import STATUS, Streams, own_group, question
from playstream.pipeline.errors import RemoteProtocolError

_AT_ONCE = 32
"""Groups that are looked at together."""


class NodeState(StrEnum):
    """How a node is."""

    READY = "ready"
    STOPPING = "stopping"
    """It lets its jobs end, and takes no more."""
    STOPPED = "stopped"
    """It has ended as it was told to."""
    LOST = "lost"
    """It does not answer: it was killed, is frozen, or cut off."""


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """One node."""

    name: str
    state: NodeState
    groups: Sequence[str]
    """Without its own one."""
    slots: int
    running: int | None
    """Jobs that run there; None if it does not answer."""
    versions: Mapping[str, str]
    features: Sequence[str]


@dataclass(frozen=True, slots=True)
class GroupStatus:
    """One group."""

    name: str
    nodes: int
    """Nodes that are ready."""
    running: int | None
    """Jobs that nodes have taken and that have not ended; None for whoever may not know."""
    waiting: int | None
    """Jobs that wait for a node."""
    oldest_seconds: float | None
    """How long the oldest of them has been waiting; None if there is none."""


@dataclass(frozen=True, slots=True)
class MeshStatus:
    """A mesh."""

    server: str
    """The version of the server that this side is connected to."""
    nodes: Sequence[NodeStatus]
    groups: Sequence[GroupStatus]


async def read_status(client: MeshClient, identity: Identity) -> MeshStatus:
    """Return how a mesh is. A submitter learns nothing about queues, which have the jobs of others.

    Args:
        client: the connection.
        identity: an operator or a submitter.

    Raises:
        LinkError: there is no answer.
    """
    said = {each.node: each for each in await find_announcements(client)}
    conditions = dict(zip(said, await asyncio.gather(*(_ask(client, each) for each in said.values())), strict=True))
    nodes = [_node(said[name], conditions[name]) for name in sorted(said)]
    known = [found for found in conditions.values() if found is not None]
    at_once = asyncio.Semaphore(_AT_ONCE)

    async def look_at(group: str) -> GroupStatus:
        ready = sum(group in said[node.name].groups for node in nodes if node.state is NodeState.READY)
        if identity.kind is not Kind.OPERATOR:
            return GroupStatus(group, ready, None, None, None)
        async with at_once:
            return GroupStatus(group, ready, *await _queue(client, group, known))

    groups = await asyncio.gather(*map(look_at, sorted(await find_groups(client, identity))))
    return MeshStatus(client.server_version, nodes, groups)


async def _ask(client: MeshClient, said: Announcement) -> Condition | None:
    try:
        answer = await client.request(question(said.node, STATUS), seconds=ATTEMPT_SECONDS)
        return decode(Condition, answer.data)
    except (NoAnswer, RemoteProtocolError):
        return None


def _node(said: Announcement, condition: Condition | None) -> NodeStatus:
    if condition is None:
        state = NodeState.STOPPED if said.stopped else NodeState.LOST
    else:
        state = NodeState.STOPPING if condition.stopping else NodeState.READY
    return NodeStatus(
        said.node,
        state,
        [group for group in said.groups if group != own_group(said.node)],
        said.slots,
        None if condition is None else sum(condition.running.values()),
        said.versions,
        said.features,
    )


async def _queue(
    client: MeshClient, group: str, conditions: Sequence[Condition]
) -> tuple[int | None, int | None, float | None]:
    """Return how many jobs of a group run and wait, and how long the oldest of these has been waiting."""
    queue = Streams(group).jobs
    info = await client.administer(f"CONSUMER.INFO.{queue}.{group}")
    if "error" in info:
        return None, None, None  # the streams of a new group have not been created yet
    held = sum(condition.held.get(group, 0) for condition in conditions)
    new = int(info["num_pending"])
    ages = [condition.held_seconds for condition in conditions if condition.held.get(group)]
    if new:
        after = int(info["delivered"]["stream_seq"]) + 1
        ages += await _age(client, queue, {"seq": after, "next_by_subj": f"job.{group}.*.*"})
    running = max(0, int(info["num_ack_pending"]) - held)
    return running, new + held, max(ages, default=None)


async def _age(client: MeshClient, queue: str, which: Mapping[str, Any]) -> list[float]:
    found = await client.administer(f"STREAM.MSG.GET.{queue}", which)
    try:
        stored = datetime.fromisoformat(found["message"]["time"]).timestamp()
    except (KeyError, TypeError, ValueError):
        return []  # it was taken meanwhile
    return [max(0.0, time.time() - stored)]
