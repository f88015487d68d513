"""`playstream mesh add`: add a node, a submitter or an operator to a mesh."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from playstream.cli.parser import Parser
from playstream.mesh.directory import add_member, reload_servers
from playstream.mesh.identity import SUFFIX, Kind
from playstream.mesh.server_config import USERS
from playstream.pipeline.errors import ConfigurationError, did_you_mean

_KINDS = tuple(kind.value for kind in Kind)


def set_up(parser: Parser) -> None:
    """Add the arguments of the subcommand."""
    parser.usage = "%(prog)s KIND NAME [--group NAME]… [FLAGS]"
    parser.description = (
        f"Add an identity to a mesh, and write its file NAME{SUFFIX} with all that its host needs: copy it there, and "
        "keep it private. A node runs jobs of its groups, a submitter sends jobs and gets their results, an operator "
        "may do everything."
    )
    parser.add_argument("kind", metavar="KIND", help="node, submitter or operator")
    parser.add_argument("member", metavar="NAME", help="its name in the mesh")
    parser.add_flags("mesh add")


def run(flags: argparse.Namespace) -> int:
    """Add the identity; return the exit status."""
    if flags.kind not in _KINDS:
        raise ConfigurationError(
            f"mesh add: expected node, submitter or operator, got {flags.kind!r}{did_you_mean(flags.kind, _KINDS)}"
        )
    kind, directory = Kind(flags.kind), Path(flags.directory)
    written = add_member(directory, kind, flags.member, flags.group or ())
    print(f"Wrote {written[0]}: copy it to the host of the {kind.value}, readable by its user only")
    if kind is Kind.NODE:
        print(f"  playstream node --identity {written[0].name}")
    if len(written) > 1:
        show_changed(written[1:])
    show_reload(directory)
    if kind is Kind.NODE:
        print("Then playstream mesh check as an operator creates the streams of groups that are new")
    elif kind is Kind.SUBMITTER:
        print(
            "Then playstream mesh check as an operator creates the list of its jobs, and publishes that of submitters"
        )
    return 0


def show_changed(files: Sequence[Path]) -> None:
    """Say which files of others have changed."""
    names = ", ".join(path.name for path in files)
    print(f"If it is used elsewhere than in this directory, copy again, because the content has changed: {names}")


def show_reload(directory: Path) -> None:
    """Let the servers of this host read the users again, and say what is to be done on others."""
    if reload_servers(directory):
        print("The server on this host has read its users again")
    else:
        print(f"Copy {USERS} to each server of the mesh, and send SIGHUP to nats-server there")
