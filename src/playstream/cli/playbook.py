"""`playstream playbook`: a playbook file, without a private data directory."""

from __future__ import annotations

import argparse
import os
import shlex

from playstream.cli.link_options import link_options
from playstream.cli.local_run import run_here
from playstream.cli.parser import Parser
from playstream.cli.standalone import standalone_options
from playstream.cli.suggestions import suggest_together
from playstream.pipeline.errors import ConfigurationError
from playstream.pipeline.job.lookup import COLLECTION_NAME, Delivery, Lookup, is_closed
from playstream.pipeline.tree.directories import absolute_path


def set_up(parser: Parser) -> None:
    """Add the arguments of the subcommand."""
    parser.usage = "%(prog)s FILE [FILE …] [FLAGS]"
    parser.description = (
        "Run a playbook file in its own directory, with the ansible.cfg and roles found there. Several files are run "
        "one after another, in the directory of the first one, until one fails. The exit status is Ansible's, or 254 "
        "if the job was canceled. With --on, the directory of the first file is sent."
    )
    parser.add_argument(
        "playbook",
        metavar="FILE",
        nargs="+",
        help="playbook file, or NAMESPACE.NAME.PLAYBOOK from a collection; several must not have flags between them",
    )
    parser.suggest = suggest_together
    parser.add_flags("playbook")


def run(flags: argparse.Namespace) -> int:
    """Run the playbooks; return the exit status."""
    paths = [absolute_path(os.path.expanduser(given)) for given in flags.playbook]
    directory = os.path.dirname(paths[0])
    for given, path in zip(flags.playbook, paths, strict=True):
        place = os.path.dirname(path)
        if not os.path.isdir(place) and not is_closed(place):
            raise ConfigurationError(f"playbook {given!r} was not found in {place!r}, which is not a directory")
        if os.path.isdir(path):
            raise ConfigurationError(
                f"{given!r} is a directory, and playbook expects a file. To run a playbook of a private data "
                f"directory: playstream run {shlex.quote(given)} -p FILE"
            )
        Lookup(None, place, Delivery.IN_PLACE).playbook(os.path.basename(path))
    options = standalone_options(flags)
    names = [_name_in(directory, given, path) for given, path in zip(flags.playbook, paths, strict=True)]
    options |= {"playbook": names, "project_dir": directory, "galaxy": flags.galaxy, **link_options(flags)}
    return run_here(flags, options)


def _name_in(directory: str, given: str, path: str) -> str:
    """Return the path of a playbook relative to a directory; the name of one from a collection unchanged."""
    if COLLECTION_NAME.fullmatch(given) and not os.path.exists(path):
        return given
    return os.path.relpath(path, directory)
