"""`playstream mesh check`: check the servers of a mesh, and create the streams that they lack."""

from __future__ import annotations

import argparse
import asyncio
import time
from dataclasses import dataclass, replace

from playstream.cli.mesh import identity_of
from playstream.cli.output import print_message
from playstream.cli.parser import Parser
from playstream.mesh.client import MeshClient
from playstream.mesh.expiry import explain_expiries, explain_server
from playstream.mesh.identity import Identity, Kind
from playstream.mesh.replicas import explain_behind, find_behind
from playstream.mesh.streams import Sizes, change_streams, find_kept, make_all
from playstream.mesh.versions import explain_version
from playstream.pipeline.durations import parse_duration
from playstream.pipeline.errors import ConfigurationError, counted

_SHORTEST, _LONGEST = 3600.0, 366 * 86_400.0
_LEAST_BYTES = 1 << 20
_REPLICAS = 3


@dataclass(frozen=True, slots=True)
class _Found:
    version: str
    """That of the server."""
    made: list[str]
    """The names of what was created or published."""
    changed: list[str]
    """The names of what was changed."""
    advice: list[str]
    """What to do about certificates and servers."""


def set_up(parser: Parser) -> None:
    """Add the arguments of the subcommand."""
    parser.usage = "%(prog)s [--identity FILE] [FLAGS]"
    parser.description = (
        "Connect to a mesh as an operator, say which version its server has and which certificates expire within 30 "
        "days, create the streams of groups and submitters that have none yet, and publish who belongs to the mesh. "
        "Run it after the servers were started for the first time, and whenever something was added or removed."
    )
    parser.add_flags("mesh check")


def run(flags: argparse.Namespace) -> int:
    """Check the servers; return the exit status."""
    keep_seconds = None if flags.keep is None else _parse_keep(flags.keep)
    rooms = {"input_bytes": flags.max_waiting_bytes, "output_bytes": flags.max_result_bytes}
    for name, given in (("waiting", flags.max_waiting_bytes), ("result", flags.max_result_bytes)):
        if given is not None and given < _LEAST_BYTES:
            raise ConfigurationError(
                f"--max-{name}-bytes: expected a number of bytes, {_LEAST_BYTES:,} or more, got {given}"
            )
    identity = identity_of(flags, Kind.OPERATOR)
    replicas = flags.replicas or min(len(identity.urls), _REPLICAS)
    found = asyncio.run(_check(identity, replicas, keep_seconds, rooms))
    print(f"nats-server {found.version}, {counted(len(identity.groups), 'group')}")
    print(f"Created: {', '.join(found.made)}" if found.made else "All streams are there")
    if found.changed:
        print(f"Changed: {', '.join(found.changed)}")
    for advice in (*found.advice, explain_version(found.version)):
        if advice is not None:
            print_message("mesh check", advice)
    return 0


def _parse_keep(text: str) -> float:
    """Return the seconds of --keep.

    Raises:
        ConfigurationError: it has another form, or is too short or too long.
    """
    try:
        seconds = parse_duration(text)
    except ConfigurationError as error:
        raise ConfigurationError(f"--keep: {error}") from None
    if not _SHORTEST <= seconds <= _LONGEST:
        raise ConfigurationError(f"--keep: expected a duration from 1h to 366d, got {text}")
    return seconds


async def _check(identity: Identity, replicas: int, keep_seconds: float | None, rooms: dict[str, int | None]) -> _Found:
    client = MeshClient(identity.endpoint)
    await client.connect()
    try:
        changed = await change_streams(client, identity, keep_seconds=keep_seconds, **rooms)
        kept = await find_kept(client, identity) if keep_seconds is None else keep_seconds
        sizes = Sizes(replicas=replicas, keep_seconds=kept)
        sizes = replace(sizes, **{name: room for name, room in rooms.items() if room is not None})
        made = await make_all(client, identity, sizes)
        now = time.time()
        advice = explain_expiries(identity.expiries, identity.ca, now)
        advice += explain_behind(await find_behind(client))
        advice += explain_server(client.server_expiry, now, client.server_url)
        return _Found(client.server_version, made, changed, advice)
    finally:
        await client.close()
