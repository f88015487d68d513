"""Shared by the commands that list and show runs: the URL of a store, or the directory of the artifacts."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playstream.pipeline.errors import ConfigurationError, remedy


def named_store(url: str | None) -> str | None:
    """Return the store's URL from the flag or the environment, or None."""
    return url or os.environ.get("PLAYSTREAM_STORE") or None


def readable_store(url: str | None) -> str | None:
    """Return the URL of the store to read: of the flag or the environment, else the user's own if it exists, or None.

    The environment hides a password in it from other users.
    """
    from playstream.process.store.own import OWN, own_store  # noqa: PLC0415 - most commands read no store

    return named_store(url) or (OWN if os.path.exists(own_store()) else None)


def find_store(url: str | None) -> str:
    """Return the URL of the store to read, as `readable_store` does.

    Raises:
        ConfigurationError: there is none.
    """
    found = readable_store(url)
    if found is None:
        raise ConfigurationError(
            "expected --store URL or PLAYSTREAM_STORE, such as sqlite:///runs.db, or a directory with artifacts, got "
            "neither. Your own store does not exist yet: playstream run --store user creates it"
        )
    return found


@contextmanager
def reading(directory: Path) -> Iterator[None]:
    """Return a context in which a directory is read; an OSError in it becomes a ConfigurationError."""
    try:
        yield
    except OSError as error:
        raise ConfigurationError(f"{str(directory)!r} cannot be read: {error.strerror}. {remedy(error)}") from None


def find_artifacts(directory: Path, url: str | None) -> Path:
    """Return the directory with the artifacts of runs.

    Args:
        directory: a private data directory, or the directory of its artifacts itself (`--artifact-dir`).
        url: the flag of a store, which must not be given too.

    Raises:
        ConfigurationError: there is no such directory, or a store is given too.
    """
    if url is not None:
        raise ConfigurationError(f"expected either a directory or --store, got both: {str(directory)!r} and a store")
    if directory.is_file():
        raise ConfigurationError(f"{str(directory)!r} is a file: for a store, pass --store {directory}")
    if not directory.is_dir():
        raise ConfigurationError(
            f"there is no directory {str(directory)!r}: expected a private data directory, with artifacts/ in it"
        )
    below = directory / "artifacts"
    return below if below.is_dir() else directory
