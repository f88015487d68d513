"""`playstream store prune`: remove old runs from a store."""

from __future__ import annotations

import argparse

from playstream.cli.parser import Parser
from playstream.cli.stored import find_store
from playstream.cli.tables import absolute
from playstream.pipeline.errors import ConfigurationError, counted
from playstream.process import store as stores  # each name is loaded when it is used


def set_up(parser: Parser) -> None:
    """Add the arguments of the subcommand."""
    parser.usage = "%(prog)s [--older-than WHEN] [--keep N] [FLAGS]"
    parser.description = (
        "Remove runs from a store that are old, that are not among the newest ones, or with both flags those that are "
        "old and not among the newest ones. The file of an SQLite store keeps its size; later runs use the space."
    )
    parser.add_flags("store prune")


def run(flags: argparse.Namespace) -> int:
    """Remove the runs; return the exit status."""
    if flags.older_than is None and flags.keep is None:
        raise ConfigurationError("which runs? Expected --older-than WHEN, such as 90d, --keep N, or both, got neither")
    if flags.keep is not None and flags.keep < 0:
        raise ConfigurationError(f"--keep: expected 0 or more, got {flags.keep}")
    older_than = None if flags.older_than is None else stores.parse_since(flags.older_than)
    # Not writable: a store that does not exist is an error.
    with stores.open_store(find_store(flags.store), writable=False) as store:
        done = stores.prune_runs(store, older_than=older_than, keep=flags.keep, dry_run=flags.dry_run)
    if done.first is None or done.last is None:
        print("There is nothing to remove")
        return 0
    what = f"{counted(done.runs, 'run')} with {counted(done.results, 'result')}"
    times = f"started from {absolute(done.first)} to {absolute(done.last)}"
    print(f"{'Would remove' if flags.dry_run else 'Removed'} {what}, {times}")
    return 0
