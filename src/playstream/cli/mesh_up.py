"""`playstream mesh up`: for a first try, a mesh with a server and a node on this host."""

from __future__ import annotations

import argparse
import asyncio
import shlex
import subprocess
from pathlib import Path

from playstream.cli.node import run_node, slots_of
from playstream.cli.parser import Parser
from playstream.mesh.client import MeshClient
from playstream.mesh.directory import FIRST_OPERATOR, add_member, make_mesh
from playstream.mesh.identity import SUFFIX, Kind, read_identity
from playstream.mesh.local_server import explain_exit, find_server, free_port, served
from playstream.mesh.node.agent import NodeOptions
from playstream.mesh.registry import FILE
from playstream.mesh.server_config import Server
from playstream.mesh.streams import Sizes, make_all
from playstream.pipeline.errors import UnreachableHost
from playstream.pipeline.io.age_keys import import_pyrage
from playstream.worker.listen.event_log import TEXT, EventLog

_NODE, _GROUP, _SUBMITTER = "node1", "demo", "me"
_SIZES = Sizes(queue_bytes=1 << 24, input_bytes=1 << 28, output_bytes=1 << 28, state_bytes=1 << 24)
_LOOK_SECONDS = 0.2
_LOOKS = 50


def set_up(parser: Parser) -> None:
    """Add the arguments of the subcommand."""
    parser.usage = "%(prog)s DIR [FLAGS]"
    parser.description = (
        "For a first try: make a mesh in DIR if there is none, run its server on the loopback interface and one node, "
        "and print the command that runs a job. Ctrl-C ends both. A mesh for several hosts begins with mesh init."
    )
    parser.add_argument("mesh_directory", metavar="DIR", help="the directory of the mesh")
    parser.add_flags("mesh up")


def run(flags: argparse.Namespace) -> int:
    """Run the mesh until a signal; return the exit status."""
    directory, program = Path(flags.mesh_directory), find_server()
    import_pyrage()
    slots = slots_of(flags)
    if not (directory / FILE).exists():
        make_mesh(directory, [Server("localhost", free_port())], listen="127.0.0.1")
        add_member(directory, Kind.NODE, _NODE, [_GROUP])
        add_member(directory, Kind.SUBMITTER, _SUBMITTER)
    node = read_identity(directory / f"{_NODE}{SUFFIX}", Kind.NODE)
    log = EventLog(flags.log_format or TEXT)
    with served(directory, program) as server:
        asyncio.run(_prepare(directory, server))
        path = shlex.quote(str((directory / f"{_SUBMITTER}{SUFFIX}").absolute()))
        print("The mesh is up. In another terminal, a job on it:")
        print(f"  PLAYSTREAM_MESH={path} playstream run demo -p site.yml --on nats:///{_GROUP}", flush=True)
        asyncio.run(run_node(node, NodeOptions(slots), log))
    return 0


async def _prepare(directory: Path, server: subprocess.Popen[bytes]) -> None:
    """Wait for the server, and create what it lacks.

    Raises:
        ConfigurationError: the server has ended.
        LinkError: it does not answer.
    """
    operator = read_identity(directory / f"{FIRST_OPERATOR}{SUFFIX}", Kind.OPERATOR)
    for look in range(_LOOKS):
        client = MeshClient(operator.endpoint)
        try:
            await client.connect(_LOOK_SECONDS)
        except UnreachableHost:
            if server.poll() is not None:
                raise explain_exit(directory) from None
            if look == _LOOKS - 1:
                raise
            continue
        break
    try:
        await make_all(client, operator, _SIZES)
    finally:
        await client.close()
