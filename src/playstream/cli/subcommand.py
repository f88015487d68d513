"""The subcommands: their names, what they are for, and the modules that do them."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from playstream.cli.parser import Parser

COMMANDS = {
    "run": "run a playbook, a module or a role, and wait for its end",
    "start": "the same in the background",
    "stop": "end a run that goes on",
    "is-alive": "say whether a run goes on",
    "adhoc": "run a module on hosts, without a private data directory",
    "playbook": "run a playbook file, without a private data directory",
    "transmit": "write a job and its private data directory to standard output",
    "worker": "run the job that comes on standard input",
    "process": "rebuild a run from the stream on standard input",
    "runs": "list the runs of a store",
    "show": "show one run of a store",
    "plugin-path": "print where the callback plugin is, for use without playstream",
}


def set_up(name: str) -> Callable[[Parser], None]:
    """What sets up the parser of the subcommand `name`; its module is loaded only then."""

    def setup(parser: Parser) -> None:
        module = import_module(f"playstream.cli.{name.replace('-', '_').replace(' ', '_')}")
        module.set_up(parser)
        parser.set_defaults(run=module.run, name=name)

    return setup
