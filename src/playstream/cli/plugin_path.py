"""`playstream plugin-path`: print the directory of the callback plugin, for running Ansible without playstream."""

from __future__ import annotations

import argparse

from playstream.cli.parser import Parser
from playstream.worker.paths import PLUGIN_DIR


def set_up(parser: Parser) -> None:
    """Add the arguments of the subcommand."""
    parser.usage = "%(prog)s [FLAGS]"
    parser.description = (
        "Print the directory of the callback plugin. If ANSIBLE_CALLBACK_PLUGINS contains this directory and "
        "PLAYSTREAM_EVENTS names a file, every run of ansible-playbook and ansible-pull records its events in that "
        "file, one JSON object per line, for playstream process. ansible and ansible-console also require "
        "ANSIBLE_LOAD_CALLBACK_PLUGINS=1. PLAYSTREAM_IDENT names the run (default: a new UUID)."
    )
    parser.add_flags("plugin-path")


def run(flags: argparse.Namespace) -> int:  # noqa: ARG001 - all subcommands have this signature
    """Print the directory; return the exit status."""
    print(PLUGIN_DIR)
    return 0
