"""`playstream adhoc`: a module on hosts, without a private data directory."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from playstream.cli.link_options import link_options
from playstream.cli.local_run import run_here
from playstream.cli.parser import Parser
from playstream.cli.standalone import standalone_options
from playstream.cli.suggestions import suggest_module
from playstream.pipeline.errors import ConfigurationError
from playstream.pipeline.io.small_files import read_text
from playstream.pipeline.tree.directories import current_directory


def set_up(parser: Parser) -> None:
    """Add the arguments of the subcommand."""
    parser.usage = "%(prog)s HOSTS [-m MODULE] [-a ARGS] [FLAGS]"
    parser.description = (
        "Run a module on hosts from the current directory, as `ansible` does. The exit status is Ansible's, or 254 if "
        "the job was canceled. With --on, files of hosts (-i) are sent, and nothing else."
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
    options |= {"host_pattern": flags.host_pattern, "module": module, **link_options(flags)}
    if "on" not in options:
        options["project_dir"] = current_directory()
    elif flags.inventory:
        options["inventory"] = [_content(item) for item in flags.inventory]
    if flags.module_args:
        options["module_args"] = flags.module_args
    return run_here(flags, options)


def _content(item: str) -> str:
    """Return the content of an inventory, which is sent; a list of hosts, and the name of a host, unchanged.

    Raises:
        ConfigurationError: it is a directory or a program, or cannot be read.
    """
    if "," in item or not os.path.exists(item):
        return item
    is_directory = os.path.isdir(item)
    if is_directory or (os.path.isfile(item) and os.access(item, os.X_OK)):
        what = "a directory" if is_directory else "a program"
        raise ConfigurationError(
            f"inventory {item!r} is {what}: adhoc sends only files with hosts to another host. Put it into a private "
            "data directory, and use playstream run DIR -m MODULE"
        )
    return read_text(Path(item), Path(item).parent) or ""
