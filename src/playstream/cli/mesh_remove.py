"""`playstream mesh remove`: remove a node, a submitter or an operator from a mesh."""

from __future__ import annotations

import argparse
from pathlib import Path

from playstream.cli.mesh_add import show_changed, show_reload
from playstream.cli.parser import Parser
from playstream.mesh.directory import remove_member
from playstream.mesh.identity import Kind


def set_up(parser: Parser) -> None:
    """Add the arguments of the subcommand."""
    parser.usage = "%(prog)s NAME [FLAGS]"
    parser.description = (
        "Remove an identity from a mesh. The servers close its connections when they read their users again; jobs of a "
        "node that is removed are lost, and the groups in which it was get new keys."
    )
    parser.add_argument("member", metavar="NAME", help="its name in the mesh")
    parser.add_flags("mesh remove")


def run(flags: argparse.Namespace) -> int:
    """Remove the identity; return the exit status."""
    directory = Path(flags.directory)
    removed = remove_member(directory, flags.member)
    member = removed.member
    print(f"Removed the {member.kind.value} {member.name}")
    show_changed(removed.changed)
    show_reload(directory)
    if member.kind is Kind.SUBMITTER:
        print("Then playstream mesh check as an operator publishes the new list of submitters")
    elif member.kind is Kind.NODE:
        groups = ", ".join(member.groups)
        new = f"gives the other nodes new keys ({groups}), and " if groups else ""
        print(f"Then playstream mesh check as an operator {new}publishes the new list of groups")
    return 0
