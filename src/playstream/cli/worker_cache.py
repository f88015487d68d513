"""The cache of a worker, as the flags say."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from playstream.pipeline.errors import ConfigurationError
from playstream.pipeline.tree.directories import absolute_path
from playstream.worker.cache.defaults import DEFAULT_CACHE_BYTES, OWN_USER
from playstream.worker.cache.place import default_place
from playstream.worker.cache.senders import check_sender


def cache_options(flags: argparse.Namespace) -> dict[str, Any]:
    """Return the options of a worker with a cache.

    Raises:
        ConfigurationError: the home directory has no absolute path, or the sender is not valid.
    """
    return {
        "cache": cache_directory(flags.cache),
        "cache_size": DEFAULT_CACHE_BYTES if flags.cache_size is None else flags.cache_size,
        "sender": check_sender(OWN_USER if flags.cache_sender is None else flags.cache_sender),
    }


def cache_directory(given: str | None) -> Path:
    """Return the directory of the cache.

    Args:
        given: the value of --cache; None, or an empty text, for the default.

    Raises:
        ConfigurationError: the home directory has no absolute path.
    """
    if given:
        return Path(absolute_path(given))
    place = default_place()
    if not place.is_absolute():
        raise ConfigurationError(
            f"--cache: the home directory is {os.path.expanduser('~')!r}, which is not an absolute path. Correct HOME, "
            "or name a directory: --cache=DIR"
        )
    return place
