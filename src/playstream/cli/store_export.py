"""`playstream store export`: write a run of a store to a file."""

from __future__ import annotations

import argparse

from playstream.captures.finding import find_stored
from playstream.cli.parser import Parser
from playstream.cli.stored import find_store
from playstream.cli.written import write_pieces
from playstream.interface.terminal_text import make_safe_json
from playstream.pipeline.io.json_text import dump_json
from playstream.process import store as stores  # each name is loaded when it is used


def set_up(parser: Parser) -> None:
    """Add the arguments of the subcommand."""
    parser.usage = "%(prog)s IDENT [-o FILE] [FLAGS]"
    parser.description = (
        "Write a run of a store as JSON lines, which playstream store import writes to another store. It has the "
        "results of the run: keep it private."
    )
    parser.add_argument(
        "ident",
        metavar="IDENT",
        type=str,
        help="name of the run, or its beginning if no other name starts so, last or last-failed",
    )
    parser.add_flags("store export")


def run(flags: argparse.Namespace) -> int:
    """Write the run; return the exit status."""
    with stores.open_store(find_store(flags.store), writable=False) as store:
        found = find_stored(store, flags.ident)
        lines = (make_safe_json(dump_json(each)) + "\n" for each in stores.export_run(store, found.run.id))
        write_pieces("the run", flags.output, lines)
    return 0
