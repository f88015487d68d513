"""Directories of a new name, known to the guard before they are made."""

from __future__ import annotations

import base64
import contextlib
import os
from pathlib import Path

from playstream.worker.guard import Guard


def make_new_directory(place: Path, prefix: str, guard: Guard | None) -> Path:
    """Create a directory that only this user can enter, with an unpredictable name.

    Args:
        place: what it is made in.
        prefix: what its name begins with; 8 letters and digits follow.
        guard: removes it if this process dies; from the moment that it is there.

    Returns:
        The directory.

    Raises:
        OSError: it cannot be made.
    """
    while True:
        path = place / (prefix + base64.b32encode(os.urandom(5)).decode().lower())
        if guard is not None:
            guard.own(path)
        try:
            path.mkdir(mode=0o700)
        except FileExistsError:
            if guard is not None:
                guard.disown(path)
        else:
            # The umask may have taken from it. A sweeping worker may have taken it for a leftover.
            with contextlib.suppress(FileNotFoundError):
                path.chmod(0o700)
            return path
