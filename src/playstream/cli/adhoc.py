"""`playstream adhoc`: a module on hosts, without a private data directory."""

from __future__ import annotations

import argparse
import os

from playstream.cli.local_run import run_here
from playstream.cli.parser import Parser
from playstream.cli.standalone import standalone_options
from playstream.cli.suggestions import suggest_module
from playstream.pipeline.errors import ConfigurationError
from playstream.pipeline.tree.directories import current_directory


def set_up(parser: Parser) -> None:
    """Add the arguments of the subcommand."""
    parser.usage = "%(prog)s HOSTS [-m MODULE] [-a ARGS] [FLAGS]"
    parser.description = (
        "Run a module on hosts from the current directory, as `ansible` does. The exit status is Ansible's, or 254 if "
        "the job was canceled."
    )
    parser.add_argument("host_pattern", metavar="HOSTS", help="host pattern, such as all or the name of a group")
    parser.suggest = suggest_module
    parser.add_flags("adhoc")


def run(flags: argparse.Namespace) -> int:
    """Run the module; return the exit status."""
    module = flags.module or os.environ.get("RUNNER_MODULE") or "command"
    if module == "command" and not flags.module_args and not flags.list_hosts:
        raise ConfigurationError("expected a module (-m NAME) or a command (-a 'COMMAND'), got neither")
    options = standalone_options(flags)
    options |= {"host_pattern": flags.host_pattern, "module": module, "project_dir": current_directory()}
    if flags.module_args:
        options["module_args"] = flags.module_args
    return run_here(flags, options)
