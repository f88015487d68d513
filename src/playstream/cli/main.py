"""Select and run a subcommand, and turn errors into a message and an exit status."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from importlib import import_module

from playstream.cli import INTERRUPTED_EXIT_STATUS
from playstream.cli.entry import InterruptsWait
from playstream.cli.flags import GENERIC, flags_of, list_commands
from playstream.cli.output import StandardStream, open_missing_streams, print_message
from playstream.cli.parser import Parser, join_dashed_values
from playstream.pipeline.errors import ConfigurationError, JobError, PlaystreamError, as_error

HELP = "help"
COMMANDS = {
    "run": "run a playbook, a module or a role, and wait for it to end",
    "start": "start a run in the background",
    "stop": "stop a running job",
    "is-alive": "report whether a run is active",
    "adhoc": "run a module on hosts, without a private data directory",
    "playbook": "run a playbook file, without a private data directory",
    "check": "find out whether a job would run on other hosts",
    "bootstrap": "send playstream to hosts, or remove it there",
    "transmit": "write a job and its private data directory to standard output",
    "worker": "run the job read from standard input",
    "cache": "look at the cache of a worker on this host, verify it, or reduce it",
    "node": "run jobs of a mesh on this host",
    "mesh": "make a mesh of nodes that run jobs, and look at it",
    "process": "rebuild a run from the stream read from standard input",
    "runs": "list the runs in a directory or a store",
    "show": "show one run in a directory or a store",
    "store": "remove old runs from a store, or move a run to another one",
    "inspect": "show what is in a capture or a recording, and whether it is whole",
    "replay": "show a run again that is kept in a capture, a recording or a directory",
    "report": "write a report of a run that is kept, such as a page for a browser",
    "diff": "show what differs between two runs",
    "extract": "unpack the tree of a captured job, or the artifacts of a captured run",
    "plugin-path": "print the directory of the callback plugin, for use without playstream",
    "completion": "print the script with which a shell completes words of the command line",
    HELP: "show the help of a command",
}


def set_up(name: str) -> Callable[[Parser], None]:
    """Return a function that sets up the parser of the subcommand `name` and loads its module."""

    def setup(parser: Parser) -> None:
        module = import_module(f"playstream.cli.{name.replace('-', '_').replace(' ', '_')}")
        module.set_up(parser)
        run = getattr(module, "run", None)  # a command that only has subcommands has none
        parser.set_defaults(run=run, name=name)

    return setup


def make_parser(*, as_ansible_runner: bool = False) -> Parser:
    """Return the parser of the whole command line; see `parse`."""
    parser = Parser(
        prog="playstream",
        usage="%(prog)s [FLAGS] COMMAND [FLAGS] …",
        description="Run Ansible anywhere a byte pipe reaches.",
        epilog="Run playstream COMMAND --help to list the flags of a command. They may also precede its name. Example: "
        "playstream transmit demo -p site.yml | ssh host playstream worker | playstream process demo",
    )
    parser.as_ansible_runner = as_ansible_runner
    parser.set_defaults(as_ansible_runner=as_ansible_runner)
    parser.add_version()
    names = [name for name in COMMANDS if name != HELP or not as_ansible_runner]
    parser.add_commands(((name, COMMANDS[name], set_up(name)) for name in names), required=True)
    return parser


def parse(words: Sequence[str], *, as_ansible_runner: bool = False) -> argparse.Namespace:
    """Parse the arguments of the command line.

    Args:
        words: the arguments, without the program's name.
        as_ansible_runner: whether to accept what ansible-runner accepts: paths and names may be empty in flags that it
            has too, and there are no `-V` and no `help`. The command does nothing that ansible-runner does not.

    Raises:
        SystemExit: the arguments are invalid, or ask for help or the version, which has been printed.
    """
    parser = make_parser(as_ansible_runner=as_ansible_runner)
    if words and words[0].startswith("-"):
        parser.forward(GENERIC)
        for command in list_commands():
            parser.forward(flags_of(command))
    return parser.parse_args(join_dashed_values(words))


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line.

    Args:
        argv: the arguments, without the program's name; None uses those of the process.

    Returns:
        The exit status; docs/errors.md lists those of errors.
    """
    open_missing_streams()
    with InterruptsWait():
        arguments = parse(sys.argv[1:] if argv is None else list(argv))
    return perform(arguments)


def perform(arguments: argparse.Namespace) -> int:
    """Run a parsed command line.

    Args:
        arguments: as returned by `parse`.

    Returns:
        The exit status; errors have been printed.
    """
    try:
        if arguments.debug or arguments.logfile:
            from playstream.interface.logs import set_up_logging  # noqa: PLC0415 - loaded only if needed

            set_up_logging({"debug": arguments.debug, "logfile": arguments.logfile})
        return int(arguments.run(arguments))
    except (PlaystreamError, OSError) as caught:
        error = as_error(caught)
        print_message(arguments.name, _message_of(error, arguments))
        return error.exit_status
    except KeyboardInterrupt:
        StandardStream.until = time.monotonic()  # do not wait for a reader that takes no output
        print_message(arguments.name, "interrupted")
        return INTERRUPTED_EXIT_STATUS


def _message_of(error: PlaystreamError, arguments: argparse.Namespace) -> str:
    if isinstance(error, (ConfigurationError, JobError)):
        from playstream.cli.flag_names import name_flags  # noqa: PLC0415 - loaded only if needed

        return name_flags(str(error), arguments)
    return str(error)
