"""`playstream is-alive`: report whether a run is active."""

from __future__ import annotations

import argparse
from pathlib import Path

from playstream.cli.active_runs import find, note_directories, resolve
from playstream.cli.output import print_message
from playstream.cli.parser import Parser, suggest_ident
from playstream.cli.stop import LIKE_START, SHOWN, explain_none

_NOT_FOUND_EXIT_STATUS = 1


def set_up(parser: Parser) -> None:
    """Add the arguments of the subcommand."""
    parser.usage = "%(prog)s DIR [-i IDENT] [FLAGS]"
    parser.description = (
        "Report whether a run started with start or run is active. The exit status is 0 if it is and 1 if it is not; "
        "with --quiet nothing is printed."
    )
    parser.epilog = LIKE_START
    parser.add_argument("private_data_dir", metavar="DIR", type=Path, help="private data directory of the run")
    parser.suggest = suggest_ident
    parser.add_flags("is-alive", shown=SHOWN)


def run(flags: argparse.Namespace) -> int:
    """Find the run; return the exit status."""
    places = note_directories(flags.private_data_dir, flags.artifact_dir)
    ident = resolve(places, flags.ident)
    found = find(places, ident)
    if not found:
        if not flags.quiet:
            print_message("is-alive", explain_none(flags.private_data_dir, ident))
        return _NOT_FOUND_EXIT_STATUS
    if not flags.quiet:
        names = ", ".join(f"{item.ident} (process {item.pid or 'unknown'})" for item in found)
        print(f"alive: {names}")
    return 0
