"""What this side keeps between runs, in directories that only this user can enter."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from playstream.pipeline.io import system


def cache_place(name: str) -> Path:
    """Return the directory `playstream/NAME` in the user's cache, `$XDG_CACHE_HOME` or `~/.cache`; it may be missing.

    The path is relative if that of the home directory is. A relative `$XDG_CACHE_HOME` is not valid, as the XDG Base
    Directory Specification says.
    """
    base = os.environ.get("XDG_CACHE_HOME", "")
    return Path(base if os.path.isabs(base) else os.path.expanduser("~/.cache")) / "playstream" / name


def state_place() -> Path:
    """Return the directory of the user's state, `$XDG_STATE_HOME/playstream` or `~/.local/state/playstream`.

    As with `cache_place` it may be missing, and the path may be relative.
    """
    base = os.environ.get("XDG_STATE_HOME", "")
    return Path(base if os.path.isabs(base) else os.path.expanduser("~/.local/state")) / "playstream"


def is_private(directory: Path | int) -> bool:
    """Return whether a directory, or the open directory of a descriptor, belongs to this user and is closed to others.

    Raises:
        OSError: it cannot be examined.
    """
    found = os.stat(directory)
    return found.st_uid == system.geteuid() and not stat.S_IMODE(found.st_mode) & 0o077


def write_whole(path: Path, text: str) -> None:
    """Write a small file, whole or not at all.

    Raises:
        OSError: it cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
