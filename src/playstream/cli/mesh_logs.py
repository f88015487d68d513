"""`playstream mesh logs`: show the last lines of a node's own log."""

from __future__ import annotations

import argparse
import asyncio

from playstream.cli.mesh import identity_of
from playstream.cli.parser import Parser
from playstream.interface.terminal_text import make_plain
from playstream.mesh.client import MeshClient
from playstream.mesh.identity import Identity, Kind
from playstream.mesh.logs import read_log


def set_up(parser: Parser) -> None:
    """Add the arguments of the subcommand."""
    parser.usage = "%(prog)s NODE [--identity FILE] [FLAGS]"
    parser.description = (
        "Show the last 1,000 lines of a node's own log, as an operator: which jobs it has taken, and how they have "
        "ended, but nothing of what they print."
    )
    parser.add_argument("node", metavar="NODE", help="the name of the node")
    parser.add_flags("mesh logs")


def run(flags: argparse.Namespace) -> int:
    """Show the log; return the exit status."""
    for line in asyncio.run(_read(identity_of(flags, Kind.OPERATOR), flags.node)):
        print(make_plain(line))
    return 0


async def _read(identity: Identity, node: str) -> list[str]:
    client = MeshClient(identity.endpoint)
    await client.connect()
    try:
        return await read_log(client, node)
    finally:
        await client.close()
