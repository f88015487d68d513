"""Convert the flags of a run on another host to keyword arguments of `playstream.run`."""

from __future__ import annotations

import argparse
import os
from typing import Any

from playstream.cli.keepalive import keepalive_seconds, liveness_seconds
from playstream.pipeline.errors import ConfigurationError

_VARIABLE = "PLAYSTREAM_ON"
_LOCAL = "local:"
_OF_BOOTSTRAP = ("bootstrap", "wheels")
_OF_LINKS = (
    *_OF_BOOTSTRAP,
    "start_within",
    "need",
    "no_encryption",
    "exclude",
    "keepalive_seconds",
    "liveness_seconds",
    "encrypt_to",
    "identity",
    "max_tree_bytes",
    "max_tree_entries",
    "max_record_bytes",
)
"""Options of the connection, which a run on this host does not have."""


def link_url(flags: argparse.Namespace) -> str | None:
    """Return the URL of the link, from the flag or the environment; None for this host."""
    if not hasattr(flags, "on"):
        return None
    url = flags.on or os.environ.get(_VARIABLE) or _LOCAL
    return None if url == _LOCAL else str(url)


def link_options(flags: argparse.Namespace) -> dict[str, Any]:
    """Return the options given by the flags of the link and of its connection.

    Raises:
        ConfigurationError: a flag of the connection is given without a link, or its value is invalid.
    """
    url = link_url(flags)
    if url is None:
        if given := _given_options(flags):
            name = "--" + next(iter(given)).replace("_", "-")
            raise ConfigurationError(f"{name} concerns the connection to another host: pass --on LINK too, or omit it")
        return {}
    return {"on": url, **connection_options(flags)}


def connection_options(flags: argparse.Namespace) -> dict[str, Any]:
    """Return the options given by the flags of a connection; a subcommand may have some of them only.

    Raises:
        ConfigurationError: a value is invalid.
    """
    seconds = {"keepalive_seconds": keepalive_seconds(flags), "liveness_seconds": liveness_seconds(flags)}
    return {**_given_options(flags), **seconds}


def bootstrap_options(flags: argparse.Namespace) -> dict[str, Any]:
    """Return what the flags say about sending a worker, as options of `find_link`."""
    return {name: value for name in _OF_BOOTSTRAP if (value := getattr(flags, name)) is not None}


def _given_options(flags: argparse.Namespace) -> dict[str, Any]:
    """Return the options of the connection that were given."""
    values = {name: getattr(flags, name, None) for name in _OF_LINKS}
    return {name: value for name, value in values.items() if value not in (None, []) and value is not False}
