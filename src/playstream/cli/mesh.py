"""`playstream mesh`: make a mesh, say who belongs to it, and look at it."""

from __future__ import annotations

import argparse

from playstream.cli.main import set_up as set_up_subcommand
from playstream.cli.parser import Parser
from playstream.mesh.identity import Identity, Kind, find_identity

_COMMANDS = {
    "up": "for a first try: a mesh with a server and a node on this host",
    "init": "make a mesh: the configuration of its servers, certificates and keys",
    "add": "add a node, a submitter or an operator",
    "remove": "remove one",
    "renew": "make new certificates before they expire",
    "status": "show the server, the nodes and the queues",
    "logs": "show the log of a node",
    "check": "check the servers of a mesh, and create what they lack",
    "attach": "follow a job, or show one that has ended",
    "jobs": "list jobs",
    "cancel": "end a job",
}


def set_up(parser: Parser) -> None:
    """Add the subcommands."""
    parser.usage = "%(prog)s COMMAND [FLAGS]"
    parser.description = (
        "Make a mesh of nodes that run jobs, on servers of NATS with JetStream, say who belongs to it, and look at it."
    )
    parser.add_flags("mesh")
    commands = ((name, about, set_up_subcommand(f"mesh {name}")) for name, about in _COMMANDS.items())
    parser.add_commands(commands, required=True)


def identity_of(flags: argparse.Namespace, *kinds: Kind) -> Identity:
    """Return the identity that the flags or the environment name.

    Raises:
        ConfigurationError: there is none, or its file cannot be used.
    """
    return find_identity(flags.identity, *kinds)
