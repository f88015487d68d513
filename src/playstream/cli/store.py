"""`playstream store`: remove old runs from a store, or move a run to another one."""

from __future__ import annotations

from playstream.cli.main import set_up as set_up_subcommand
from playstream.cli.parser import Parser

_COMMANDS = {
    "prune": "remove old runs",
    "export": "write a run to a file, for another store",
    "import": "write a run from such a file to a store",
}


def set_up(parser: Parser) -> None:
    """Add the subcommands."""
    parser.usage = "%(prog)s COMMAND [FLAGS]"
    parser.description = "Look after a store: remove old runs, or move a run to another store."
    parser.add_flags("store")
    commands = ((name, about, set_up_subcommand(f"store {name}")) for name, about in _COMMANDS.items())
    parser.add_commands(commands, required=True)
