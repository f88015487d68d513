"""`playstream cache prune`: reduce the cache to a size, or empty it."""

from __future__ import annotations

import argparse
import time

from playstream.cli.cache import opened
from playstream.cli.parser import Parser
from playstream.cli.tables import binary_size
from playstream.pipeline.errors import ConfigurationError, JobError, counted
from playstream.worker.cache.defaults import DEFAULT_CACHE_BYTES
from playstream.worker.cache.eviction import Evicted, evict, evicting
from playstream.worker.cache.store import EVICTION_SECONDS

_PATIENCE_SECONDS = 5 * EVICTION_SECONDS
_LOOK_SECONDS = 0.05


def set_up(parser: Parser) -> None:
    """Add the arguments of the subcommand."""
    parser.usage = "%(prog)s [--cache-size SIZE | --all] [FLAGS]"
    parser.description = (
        "Reduce the cache of a worker on this host to a size (default: 2G). What was not used for the longest time is "
        "removed first, whoever has sent it. What an active job uses is kept."
    )
    parser.add_flags("cache prune")


def run(flags: argparse.Namespace) -> int:
    """Reduce the cache; return the exit status."""
    if flags.all and flags.cache_size is not None:
        raise ConfigurationError("--all does not go with --cache-size: expected one of them")
    size = 0 if flags.all else DEFAULT_CACHE_BYTES if flags.cache_size is None else flags.cache_size
    with opened(flags) as (directory, place):
        if place is None:
            print(f"There is no cache at {directory}")
            return 0
        done = _evict(place, size)
    freed = binary_size(done.bytes)
    kept = " (active jobs use it)" if done.left > size else ""
    print(f"Removed {counted(done.objects, 'object')}, {freed}. {binary_size(done.left)} left{kept}")
    return 0


def _evict(place: int, size: int) -> Evicted:
    """Evict as soon as no other process does.

    Raises:
        JobError: another process evicts for a long time.
    """
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        with evicting(place) as alone:
            if alone:
                return evict(place, size)
        if time.monotonic() > deadline:
            raise JobError("another process is reducing the cache, and takes long: wait for it, and try again")
        time.sleep(_LOOK_SECONDS)
