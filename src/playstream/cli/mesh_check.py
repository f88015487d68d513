"""`playstream mesh check`: check the servers of a mesh, and create the streams that they lack."""

from __future__ import annotations

import argparse
import asyncio

from playstream.cli.mesh import identity_of
from playstream.cli.output import print_message
from playstream.cli.parser import Parser
from playstream.mesh.client import MeshClient
from playstream.mesh.identity import Identity, Kind
from playstream.mesh.streams import Sizes, make_all
from playstream.mesh.versions import explain_version
from playstream.pipeline.errors import counted


def set_up(parser: Parser) -> None:
    """Add the arguments of the subcommand."""
    parser.usage = "%(prog)s [--identity FILE] [FLAGS]"
    parser.description = (
        "Connect to a mesh as an operator, say which version its server has, and create the streams of groups and "
        "submitters that have none yet. Run it after the servers were started for the first time, and after a group or "
        "a submitter was added."
    )
    parser.add_flags("mesh check")


def run(flags: argparse.Namespace) -> int:
    """Check the servers; return the exit status."""
    identity = identity_of(flags, Kind.OPERATOR)
    version, made = asyncio.run(_check(identity, flags.replicas))
    print(f"nats-server {version}, {counted(len(identity.groups), 'group')}")
    print(f"Created: {', '.join(made)}" if made else "All streams are there")
    if (advice := explain_version(version)) is not None:
        print_message("mesh check", advice)
    return 0


async def _check(identity: Identity, replicas: int) -> tuple[str, list[str]]:
    client = MeshClient(identity.endpoint)
    await client.connect()
    try:
        made = await make_all(client, identity, Sizes(replicas=replicas))
        return client.server_version, made
    finally:
        await client.close()
