"""`playstream playbook`: a playbook file, without a private data directory."""

from __future__ import annotations

import argparse
import os

from playstream.cli.local_run import run_here
from playstream.cli.parser import Parser
from playstream.cli.standalone import standalone_options
from playstream.pipeline.errors import ConfigurationError
from playstream.pipeline.job.lookup import is_closed
from playstream.pipeline.tree.directories import absolute_path


def set_up(parser: Parser) -> None:
    """Add the arguments of the subcommand."""
    parser.usage = "%(prog)s FILE [FLAGS]"
    parser.description = (
        "Run a playbook file in its own directory, with the ansible.cfg and roles found there. The exit status is "
        "Ansible's, or 254 if the job was canceled."
    )
    parser.add_argument("playbook", metavar="FILE", help="playbook file, or NAMESPACE.NAME.PLAYBOOK from a collection")
    parser.add_flags("playbook")


def run(flags: argparse.Namespace) -> int:
    """Run the playbook; return the exit status."""
    directory, name = os.path.split(absolute_path(os.path.expanduser(flags.playbook)))
    if not os.path.isdir(directory) and not is_closed(directory):
        raise ConfigurationError(
            f"playbook {flags.playbook!r} was not found in {directory!r}, which is not a directory"
        )
    options = standalone_options(flags)
    options |= {"playbook": name, "project_dir": directory}
    return run_here(flags, options)
