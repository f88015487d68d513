"""The streams of a group on the server: made by an operator, once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from playstream.mesh.client import MeshClient
from playstream.mesh.identity import Identity
from playstream.mesh.publishing import publish_list
from playstream.mesh.server_config import CLUSTER_PORT
from playstream.mesh.signing import ListKind
from playstream.mesh.subjects import (
    GROUPS,
    GROUPS_STREAM,
    MESH_STREAM,
    SEALED_STREAM,
    SUBMITTERS,
    SUBMITTERS_STREAM,
    Streams,
    announcement,
    is_own_group,
    list_of,
    sealed_keys,
)
from playstream.pipeline.errors import JobError

_NANOSECONDS = 1_000_000_000
_DAY = 86_400
_EXISTS = frozenset({10058, 10065})
"""Numbers of JetStream for a stream of this name with other settings, and for subjects that overlap."""
_NO_STREAM, _NO_CONSUMER = 10059, 10014
_PART, _LEAST = 16, 1 << 24
"""What the group of one node gets: a sixteenth, at least so many bytes. Else a disk would do for few nodes, because
the server reserves for each group."""
_NO_PEERS = 10005
"""Number of JetStream for a cluster of too few servers. They find each other within seconds."""
_CLUSTER_SECONDS = 15.0
_CLUSTER_PAUSE_SECONDS = 0.5
_LISTS = {SUBMITTERS_STREAM: SUBMITTERS, SEALED_STREAM: sealed_keys("*"), GROUPS_STREAM: GROUPS}
"""The streams that have signed lists, and their subjects."""
_MESSAGES = 1 << 20
"""Bytes of the largest message of a queue."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """The limits of one group, and of the list of one submitter. The server reserves the bytes."""

    queue_bytes: int = 1 << 26
    """Of jobs that wait for a node."""
    input_bytes: int = (1 << 30) + (1 << 28)
    """Of what jobs consist of and nodes have not read yet: one of the largest size, and what encryption adds to it."""
    output_bytes: int = 1 << 32
    """Of results; when there is no room for new ones, their jobs end in an error."""
    state_bytes: int = 1 << 26
    """Of claims, beats and ends."""
    mesh_bytes: int = 1 << 24
    """Of what nodes announce, for the whole mesh, and of each kind of signed lists."""
    list_bytes: int = 1 << 22
    """Of the list of a submitter's jobs."""
    keep_seconds: float = 7 * _DAY
    """How long all of that is kept."""
    replicas: int = 1
    """On how many servers of a cluster."""


def sizes_of(group: str, sizes: Sizes) -> Sizes:
    """Return the limits of a group: a part of those given if it is that of one node, of which a mesh has many."""
    if not is_own_group(group):
        return sizes
    names = ("queue_bytes", "input_bytes", "output_bytes", "state_bytes")
    limits = {name: getattr(sizes, name) for name in names}
    return replace(sizes, **{name: min(limit, max(limit // _PART, _LEAST)) for name, limit in limits.items()})


async def make_all(client: MeshClient, operator: Identity, sizes: Sizes) -> list[str]:
    """Create what the server lacks for the groups and submitters that an operator knows. As `make_streams`."""
    made = await make_mesh_stream(client, sizes)
    for stream, subject in _LISTS.items():
        made += await _make_list_stream(client, stream, subject, sizes)
    ca = operator.ca
    made += await publish_list(
        client, SUBMITTERS_STREAM, SUBMITTERS, ListKind.SUBMITTERS, operator.signed_submitters, ca
    )
    for node, text in operator.sealed_keys.items():
        made += await publish_list(client, SEALED_STREAM, sealed_keys(node), ListKind.SEALED, text, ca)
    for group in operator.groups:
        made += await make_streams(client, group, sizes_of(group, sizes), lost_after=operator.lost_after)
    for submitter in operator.submitters:
        made += await make_list(client, submitter, sizes)
    # The last one: submitters use a group, and its new key, from now on.
    return made + await publish_list(client, GROUPS_STREAM, GROUPS, ListKind.GROUPS, operator.signed_groups, ca)


async def _make_list_stream(client: MeshClient, name: str, subject: str, sizes: Sizes) -> list[str]:
    """Create a stream that has signed lists if the server lacks it. As `make_streams`."""
    if not await _is_missing(client, f"STREAM.INFO.{name}", _NO_STREAM):
        return []
    settings = {
        **_usual(sizes),
        "retention": "limits",
        "discard": "old",
        "subjects": [subject],
        "max_msgs_per_subject": 1,
        "max_bytes": sizes.mesh_bytes,
        "max_age": 0,
    }
    await _create(client, f"STREAM.CREATE.{name}", {"name": name, **settings})
    return [name]


async def find_kept(client: MeshClient, operator: Identity) -> float:
    """Return for how many seconds the mesh keeps results: as chosen before, or the default.

    Raises:
        LinkError: there is no answer.
    """
    for group in operator.groups:
        config = (await client.administer(f"STREAM.INFO.{Streams(group).output}")).get("config")
        if config is not None:
            return float(config["max_age"] / _NANOSECONDS)
    return Sizes().keep_seconds


async def change_streams(
    client: MeshClient,
    operator: Identity,
    *,
    keep_seconds: float | None = None,
    input_bytes: int | None = None,
    output_bytes: int | None = None,
) -> list[str]:
    """Change what the streams keep that there are already.

    Args:
        client: the connection of an operator.
        operator: the operator.
        keep_seconds: for how long they keep jobs and results; None for no change.
        input_bytes: the room for what the waiting jobs of each group consist of; None for no change.
        output_bytes: the room for the results of each group; None for no change.

    Returns:
        The names of what was changed.

    Raises:
        JobError: the server refuses it.
        LinkError: there is no answer.
    """
    changed = []
    rooms = {Streams(group).output: output_bytes for group in operator.groups}
    rooms |= {Streams(group).input: input_bytes for group in operator.groups}
    names = [name for group in operator.groups for name in _settings(group, Sizes())]
    for name in (*names, *map(list_of, operator.submitters)):
        config = (await client.administer(f"STREAM.INFO.{name}")).get("config")
        if config is None:
            continue
        wanted = dict(config)
        if keep_seconds is not None:
            wanted["max_age"] = int(keep_seconds * _NANOSECONDS)
        if (room := rooms.get(name)) is not None:
            wanted["max_bytes"] = room
        if wanted != config:
            await _create(client, f"STREAM.UPDATE.{name}", wanted)
            changed.append(name)
    return changed


async def make_list(client: MeshClient, submitter: str, sizes: Sizes) -> list[str]:
    """Create the list of a submitter's jobs if the server lacks it. As `make_streams`."""
    name = list_of(submitter)
    if not await _is_missing(client, f"STREAM.INFO.{name}", _NO_STREAM):
        return []
    settings = {
        **_usual(sizes),
        "retention": "limits",
        "discard": "old",
        "subjects": [f"list.{submitter}.*.*"],
        "max_msgs_per_subject": 1,
        "max_bytes": sizes.list_bytes,
    }
    await _create(client, f"STREAM.CREATE.{name}", {"name": name, **settings})
    return [name]


async def make_streams(client: MeshClient, group: str, sizes: Sizes, *, lost_after: float) -> list[str]:
    """Create what a group lacks on the server.

    Args:
        client: the connection of an operator.
        group: the group.
        sizes: its limits.
        lost_after: seconds after which a node counts as lost.

    Returns:
        The names of what was created.

    Raises:
        JobError: the server refuses it.
        LinkError: there is no answer.
    """
    made = []
    for name, settings in _settings(group, sizes).items():
        if await _is_missing(client, f"STREAM.INFO.{name}", _NO_STREAM):
            await _create(client, f"STREAM.CREATE.{name}", {"name": name, **settings})
            made.append(name)
    queue = Streams(group).jobs
    if await _is_missing(client, f"CONSUMER.INFO.{queue}.{group}", _NO_CONSUMER):
        config = {
            "durable_name": group,
            "ack_policy": "explicit",
            "ack_wait": int(lost_after * _NANOSECONDS),
            "deliver_policy": "all",
            "max_ack_pending": -1,
            "max_deliver": -1,
        }
        body = {"stream_name": queue, "config": config}
        await _create(client, f"CONSUMER.DURABLE.CREATE.{queue}.{group}", body)
        made.append(f"{queue}.{group}")
    return made


async def make_mesh_stream(client: MeshClient, sizes: Sizes) -> list[str]:
    """Create the stream that all groups share if the server lacks it. As `make_streams`."""
    if not await _is_missing(client, f"STREAM.INFO.{MESH_STREAM}", _NO_STREAM):
        return []
    settings = {
        **_usual(sizes),
        "name": MESH_STREAM,
        "subjects": [announcement("*", "*")],
        "retention": "limits",
        "discard": "old",
        "max_msgs_per_subject": 1,
        "max_bytes": sizes.mesh_bytes,
        "max_age": _DAY * _NANOSECONDS,
    }
    await _create(client, f"STREAM.CREATE.{MESH_STREAM}", settings)
    return [MESH_STREAM]


def _usual(sizes: Sizes) -> dict[str, Any]:
    return {
        "storage": "file",
        "num_replicas": sizes.replicas,
        "max_msgs": -1,
        "max_consumers": -1,
        "max_age": int(sizes.keep_seconds * _NANOSECONDS),
        "duplicate_window": 120 * _NANOSECONDS,
        "allow_direct": True,
    }


def _settings(group: str, sizes: Sizes) -> dict[str, dict[str, Any]]:
    streams = Streams(group)
    usual = _usual(sizes)
    refusing = {**usual, "retention": "limits", "discard": "new"}
    return {
        streams.jobs: {
            **usual,
            "retention": "workqueue",
            "discard": "new",
            "subjects": [f"job.{group}.*.*"],
            "max_bytes": sizes.queue_bytes,
            "max_msg_size": _MESSAGES,
        },
        streams.input: {**refusing, "subjects": [f"in.{group}.*.*.*"], "max_bytes": sizes.input_bytes},
        streams.output: {**refusing, "subjects": [f"out.{group}.*.*.*.*"], "max_bytes": sizes.output_bytes},
        streams.state: {
            **usual,
            "retention": "limits",
            "discard": "old",
            "subjects": [f"claim.{group}.*.*", f"beat.{group}.*.*.*", f"end.{group}.*.*"],
            "max_msgs_per_subject": 1,
            "max_bytes": sizes.state_bytes,
        },
    }


async def _is_missing(client: MeshClient, name: str, code: int) -> bool:
    error = (await client.administer(name)).get("error")
    if error is not None and error.get("err_code") != code:
        raise _refused(name, error)
    return error is not None


async def _create(client: MeshClient, name: str, body: Mapping[str, Any]) -> None:
    until = time.monotonic() + _CLUSTER_SECONDS
    while True:
        error = (await client.administer(name, body)).get("error")
        if error is None or error.get("err_code") in _EXISTS:
            return
        if error.get("err_code") != _NO_PEERS or time.monotonic() > until:
            raise _refused(name, error)
        await asyncio.sleep(_CLUSTER_PAUSE_SECONDS)


def _refused(name: str, error: Mapping[str, Any]) -> JobError:
    what = name.rpartition(".")[2]
    if error.get("err_code") == _NO_PEERS:
        return JobError(
            f"the server of the mesh does not create {what}: {error.get('description')}. Its cluster has fewer servers "
            "than are to keep the stream (--replicas), or they lack storage: see their logs, and whether they reach "
            f"each other on port {CLUSTER_PORT}"
        )
    return JobError(
        f"the server of the mesh does not create or change {what}: {error.get('description', 'no reason given')}. "
        "If it lacks storage, raise max_file_store in its configuration, or make the limits of the group smaller"
    )
