"""The content of a directory in the cache: its digest, and whether it is as it was when it was installed."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playstream.galaxy.files import hash_file

_NAME_LENGTH = 32
_DATED = "/meta/.galaxy_install_info"
"""A file with the time of the installation of a role, which is not content."""
COMPILED = "__pycache__"
"""Directories that Python makes while a job runs. They do not count, and are not sent."""


@dataclass(frozen=True, slots=True)
class Description:
    """What is in a directory."""

    name: str
    """The digest of the names, the modes and the content of the files."""
    files: Mapping[str, list[Any]]
    """Path to what stat(2) says of each file, or to the target of a link."""


def describe(directory: Path) -> Description:
    """Read a directory.

    Raises:
        OSError: it cannot be read.
    """
    found = hashlib.sha256()
    files = {}
    for path, entry in sorted(_walk(directory, "")):
        files[path] = _look_at(entry)
        content = os.readlink(entry.path).encode("utf-8", "surrogateescape") if entry.is_symlink() else None
        mode = entry.stat(follow_symlinks=False).st_mode
        data = hashlib.sha256(content).digest() if content is not None else hash_file(entry.path)
        if path.endswith(_DATED):
            continue
        name = path.encode("utf-8", "surrogateescape")
        found.update(b"%d:%b%o:%b" % (len(name), name, mode & (stat.S_IFMT(mode) | 0o111), data))
    return Description(found.hexdigest()[:_NAME_LENGTH], files)


def is_intact(directory: Path, files: Mapping[str, Any]) -> bool:
    """Return whether the files of a directory are those that were described. Their content is not read."""
    try:
        return {path: _look_at(entry) for path, entry in _walk(directory, "")} == files
    except OSError:
        return False


def _look_at(entry: os.DirEntry[str]) -> list[Any]:
    if entry.is_symlink():
        return [os.readlink(entry.path)]
    found = entry.stat(follow_symlinks=False)
    return [found.st_mode, found.st_size, found.st_mtime_ns]


def _walk(directory: Path | str, prefix: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Yield everything that is not a directory, and its path."""
    with os.scandir(directory) as entries:
        for entry in entries:
            if not entry.is_dir(follow_symlinks=False):
                yield prefix + entry.name, entry
            elif entry.name != COMPILED:
                yield from _walk(entry.path, f"{prefix}{entry.name}/")


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a file; an empty one if there is none."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
