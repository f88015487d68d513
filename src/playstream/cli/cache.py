"""`playstream cache`: look at the cache of a worker on this host, verify it, or reduce it."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playstream.cli.main import set_up as set_up_subcommand
from playstream.cli.parser import Parser
from playstream.cli.worker_cache import cache_directory
from playstream.pipeline.errors import ConfigurationError, JobError, remedy
from playstream.worker.cache.place import open_place

_COMMANDS = {
    "stats": "show what is in the cache, and when it was last used",
    "verify": "read everything in the cache, and remove what is damaged",
    "prune": "remove what was not used for the longest time",
}


def set_up(parser: Parser) -> None:
    """Add the subcommands."""
    parser.usage = "%(prog)s COMMAND [FLAGS]"
    parser.description = (
        "Look at the cache of a worker on this host (playstream worker --cache), verify it, or reduce it. Jobs may run "
        "meanwhile: what one of them uses now is kept."
    )
    parser.add_flags("cache")
    commands = ((name, about, set_up_subcommand(f"cache {name}")) for name, about in _COMMANDS.items())
    parser.add_commands(commands, required=True)


@contextmanager
def opened(flags: argparse.Namespace) -> Iterator[tuple[Path, int | None]]:
    """Yield the directory of the cache that the flags name, and a descriptor of its content; None if there is none.

    Raises:
        ConfigurationError: it belongs to another user, or is open to others; or the flags name one that is not there.
        JobError: it cannot be read or changed.
    """
    directory = cache_directory(flags.cache)
    place = open_place(directory, make=False)
    if place is None and flags.cache:
        raise ConfigurationError(f"--cache: there is no cache in {str(directory)!r}. Check its path")
    try:
        yield directory, place
    except OSError as error:
        raise JobError(
            f"the cache {str(directory)!r} cannot be read or changed: {error.strerror or error}. {remedy(error)}"
        ) from None
    finally:
        if place is not None:
            os.close(place)
