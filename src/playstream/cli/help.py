"""`playstream help`: show the help of a command."""

from __future__ import annotations

import argparse

from playstream.cli.main import parse
from playstream.cli.parser import Parser


def set_up(parser: Parser) -> None:
    """Add the arguments of the subcommand."""
    parser.usage = "%(prog)s [COMMAND]"
    parser.description = "Show the help of a command, or of playstream: the same as playstream COMMAND --help."
    parser.add_argument("of", metavar="COMMAND", nargs="*", help="the command, such as run or worker cleanup")
    parser.add_flags("help")


def run(flags: argparse.Namespace) -> int:
    """Show the help; return the exit status.

    Raises:
        SystemExit: the help has been shown, or there is no such command.
    """
    parse([*flags.of, "--help"])
    return 0
