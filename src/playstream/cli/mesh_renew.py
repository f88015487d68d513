"""`playstream mesh renew`: make new certificates before they expire."""

from __future__ import annotations

import argparse
from pathlib import Path

from playstream.cli.mesh_add import show_changed
from playstream.cli.parser import Parser
from playstream.mesh.directory import reload_servers, renew
from playstream.mesh.identity import SUFFIX, Kind, read_identity


def set_up(parser: Parser) -> None:
    """Add the arguments of the subcommand."""
    parser.usage = "%(prog)s NAME… [FLAGS]"
    parser.description = (
        "Make new certificates, valid for two years, and keys for them. The old ones remain valid until they expire, "
        "so nothing stops while the files are copied. An identity whose file was stolen has to be removed and added "
        "again instead."
    )
    parser.add_argument("names", metavar="NAME", nargs="+", help="an identity, or a server: server1, server2 …")
    parser.add_flags("mesh renew")


def run(flags: argparse.Namespace) -> int:
    """Make the certificates; return the exit status."""
    directory = Path(flags.directory)
    files = renew(directory, flags.names)
    others = files.pop("")
    for name, written in files.items():
        paths = " and ".join(map(str, written))
        if written[0].suffix == SUFFIX:
            is_node = read_identity(written[0]).kind is Kind.NODE
            print(f"Wrote {paths}: copy it to where {name} is used{', and start the node again' if is_node else ''}")
        else:
            print(f"Wrote {paths}: copy them to the host of {name}, and send SIGHUP to nats-server there")
    if any(written[0].suffix != SUFFIX for written in files.values()) and reload_servers(directory):
        print("The server on this host has read its certificate again")
    if others:
        show_changed(others)
    return 0
