"""What this side keeps between runs: wheels, and what hosts have compiled."""

from __future__ import annotations

import hashlib
import os
import re
from contextlib import suppress
from pathlib import Path

from playstream.pipeline.errors import BootstrapError, remedy
from playstream.pipeline.io import system
from playstream.pipeline.tree.directories import make_private
from playstream.pipeline.tree.user_cache import cache_place, is_private, write_whole

_DIGEST = re.compile(r"[0-9a-f]{64}\Z")


def cache_directory(name: str) -> Path:
    """Make and return a private directory in the user's cache.

    Raises:
        BootstrapError: it cannot be made, or others can write to it or put another one into its place.
    """
    from playstream.worker.bootstrap.owners import find_weakness  # noqa: PLC0415 - only imported on POSIX

    path = cache_place(name)
    if not path.is_absolute():
        raise BootstrapError(
            f"the home directory is {os.path.expanduser('~')!r}, which is not an absolute path, so this side has no "
            "place for what it sends. Correct HOME, or set XDG_CACHE_HOME"
        )
    try:
        make_private(path)
        private = is_private(path)
        weakness = find_weakness(str(path), system.geteuid())
    except OSError as error:
        raise BootstrapError(
            f"{str(path)!r}, where this side keeps what it sends, cannot be made: {error.strerror}. {remedy(error)}, "
            "or set XDG_CACHE_HOME"
        ) from None
    if not private:
        raise BootstrapError(
            f"{str(path)!r} belongs to another user, or is open to others, who could change what is sent. Set "
            "XDG_CACHE_HOME to a directory of this user, or correct its owner and mode (0700)"
        )
    if weakness is not None:
        raise BootstrapError(
            f"others could change what is sent from {str(path)!r}, because {weakness}. Correct its owner or mode "
            "(chmod go-w), or set XDG_CACHE_HOME to another directory"
        )
    return path


def recall_compiled(host: str, digest: str) -> str | None:
    """Return the digest of what a host has compiled of a directory; None if this side does not know."""
    try:
        text = _compiled_file(host, digest).read_text(encoding="ascii")
    except (OSError, ValueError):
        return None
    return text if is_digest(text) else None


def is_digest(text: object) -> bool:
    """Return whether something is a SHA-256 in hexadecimal digits."""
    return isinstance(text, str) and _DIGEST.match(text) is not None


def note_compiled(host: str, digest: str, compiled: str) -> None:
    """Remember the digest of what a host has compiled. If it cannot be written, the host compiles again."""
    with suppress(OSError):
        write_whole(_compiled_file(host, digest), compiled)


def _compiled_file(host: str, digest: str) -> Path:
    name = hashlib.sha256(f"{host}\n{digest}".encode()).hexdigest()
    return cache_directory("hosts") / name[:32]
