"""Shared by the commands that use a store: its URL."""

from __future__ import annotations

import os

from playstream.pipeline.errors import ConfigurationError


def named_store(url: str | None) -> str | None:
    """Return the store's URL from the flag or the environment, or None."""
    return url or os.environ.get("PLAYSTREAM_STORE") or None


def find_store(url: str | None) -> str:
    """Return the store's URL from the flag or the environment, which hides a password in it from other users.

    Raises:
        ConfigurationError: neither is set.
    """
    found = named_store(url)
    if found is None:
        raise ConfigurationError("expected --store URL or PLAYSTREAM_STORE, such as sqlite:///runs.db, got neither")
    return found
