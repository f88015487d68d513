"""`playstream plugin-path`: where the callback plugin is, for running Ansible without playstream."""

from __future__ import annotations

import argparse

from playstream.cli.parser import Parser


def set_up(parser: Parser) -> None:
    """Add what the subcommand takes."""
    parser.usage = "%(prog)s [FLAGS]"
    parser.description = (
        "Print the directory of the callback plugin. With it in ANSIBLE_CALLBACK_PLUGINS and a file's name in "
        "PLAYSTREAM_EVENTS, every run of ansible-playbook and ansible-pull records its events in that file, one JSON "
        "object a line, for playstream process; ansible and ansible-console do so with ANSIBLE_LOAD_CALLBACK_PLUGINS=1 "
        "too. PLAYSTREAM_IDENT names the run; a new uuid when left out."
    )
    parser.add_flags("plugin-path")


def run(flags: argparse.Namespace) -> int:  # noqa: ARG001 - all subcommands are called so
    """Print the directory; return the exit status."""
    from playstream.worker.paths import PLUGIN_DIR  # noqa: PLC0415 - only what this subcommand needs is loaded

    print(PLUGIN_DIR)
    return 0
