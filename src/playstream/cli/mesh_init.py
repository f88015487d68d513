"""`playstream mesh init`: make the directory of a mesh."""

from __future__ import annotations

import argparse
import ipaddress
import re
from pathlib import Path

from playstream.cli.parser import Parser
from playstream.mesh.directory import FIRST_OPERATOR, make_mesh
from playstream.mesh.identity import SUFFIX
from playstream.mesh.registry import server_name
from playstream.mesh.server_config import DEFAULT_PORT, USERS, Server
from playstream.pipeline.errors import ConfigurationError

_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?", re.ASCII)
_SHORTEST, _LONGEST = 3.0, 600.0


def set_up(parser: Parser) -> None:
    """Add the arguments of the subcommand."""
    parser.usage = "%(prog)s DIR [--server HOST[:PORT]]… [FLAGS]"
    parser.description = (
        "Make a mesh: DIR gets the configuration of its servers, a CA, their certificates and keys, and the identity "
        "of an operator. It contains the secrets of the mesh, so only its owner can read it."
    )
    parser.add_argument("mesh_directory", metavar="DIR", help="the directory to make")
    parser.add_flags("mesh init")


def run(flags: argparse.Namespace) -> int:
    """Make the mesh; return the exit status."""
    if flags.lost_after is not None and not _SHORTEST <= flags.lost_after <= _LONGEST:
        raise ConfigurationError(
            f"--lost-after: expected a number of seconds from {_SHORTEST:g} to {_LONGEST:g}, got {flags.lost_after:g}"
        )
    servers = [parse_server(text) for text in flags.server or [f"localhost:{DEFAULT_PORT}"]]
    if len(servers) == 2 or len(set(servers)) < len(servers):
        raise ConfigurationError(
            "--server: expected one server, or at least three different ones: a cluster works while more than half of "
            "its servers do, so a second one would only make it more fragile"
        )
    directory = Path(flags.mesh_directory)
    make_mesh(directory, servers, listen=flags.listen, lost_after=flags.lost_after)
    print(f"The mesh is in {directory}. Next, copy to a directory of the host of each server, and start it there:")
    for number, server in enumerate(servers, 1):
        name = server_name(number)
        print(f"  {server.host}: ca.pem {USERS} {name}.conf {name}.pem {name}.key")
        print(f"    nats-server -c {name}.conf")
    print(f"and then, here: playstream mesh check --identity {directory / (FIRST_OPERATOR + SUFFIX)}")
    return 0


def parse_server(text: str) -> Server:
    """Return the server that `HOST[:PORT]` names.

    Raises:
        ConfigurationError: it has another form.
    """
    host, port = text, str(DEFAULT_PORT)
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        port = rest.removeprefix(":") or port
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    number = int(port) if port.isascii() and port.isdigit() and len(port) < 6 else 0
    if not (_HOST.fullmatch(host) or _is_address(host)) or not 0 < number < 65536:
        raise ConfigurationError(f"--server {text!r}: expected HOST or HOST:PORT, such as nats.example.com:4222")
    return Server(host, number)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
