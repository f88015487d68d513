"""`playstream cache verify`: read everything in the cache, and remove what is damaged."""

from __future__ import annotations

import argparse

from playstream.cli.cache import opened
from playstream.cli.output import print_message
from playstream.cli.parser import Parser
from playstream.pipeline.errors import JobError, counted
from playstream.worker.cache.inspection import verify


def set_up(parser: Parser) -> None:
    """Add the arguments of the subcommand."""
    parser.usage = "%(prog)s [FLAGS]"
    parser.description = (
        "Read everything in the cache of a worker on this host, and remove what is damaged. A worker verifies what it "
        "reads anyway, so this only tells whether a disk damages files. The exit status is 0 if the cache is intact "
        "now."
    )
    parser.add_flags("cache verify")


def run(flags: argparse.Namespace) -> int:
    """Verify the cache; return the exit status."""
    with opened(flags) as (directory, place):
        if place is None:
            print(f"There is no cache at {directory}")
            return 0
        done = verify(place)
    for path, reason in done.stuck:
        print_message("cache verify", f"{path} in {directory} is damaged and cannot be removed: {reason}")
    for algorithm in done.unknown:
        print_message("cache verify", f"objects named by {algorithm} were not read: install the package {algorithm}")
    damaged = f"; {done.removed} damaged, removed" if done.removed else ""
    print(f"{counted(done.intact, 'object')} intact{damaged}")
    return JobError.exit_status if done.stuck or done.unknown else 0
