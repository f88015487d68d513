"""Checking that a directory can be packed, before anything is sent."""

from __future__ import annotations

import os
from pathlib import Path

from playstream.pipeline.errors import ConfigurationError
from playstream.pipeline.io import system
from playstream.pipeline.tree.ignore import Ignore
from playstream.pipeline.tree.paths import printable

ROOT_FLAGS = os.O_RDONLY | system.O_DIRECTORY | system.O_CLOEXEC
"""Flags for opening the root, which may be a symlink because the user names it."""


def open_root(root: Path) -> int:
    """Open the directory that is packed. Raises ConfigurationError if there is none that can be read."""
    try:
        return os.open(root, ROOT_FLAGS)
    except OSError as error:
        raise ConfigurationError(
            f"cannot read the directory {root}: {error.strerror}. "
            f"Name an existing directory that user id {system.geteuid()} can read"
        ) from error


def unreadable(root: Path, path: bytes, reason: str) -> ConfigurationError:
    """Return the error for an entry below `root` that cannot be read."""
    return ConfigurationError(
        f"cannot read {printable(path)} in {root}: {reason}. Make it readable for user id {system.geteuid()}, or "
        "exclude it with --exclude or a line in .playstreamignore"
    )


def check_readable(root: Path, ignore: Ignore | None = None) -> None:
    """Check that every file and directory that `pack(root, ignore=ignore)` would read can be read.

    The superuser can read everything, so nothing below the root is checked for user id 0. Later changes are not
    detected.

    Raises ConfigurationError for the first file or directory that cannot be read, or if `root` is not a directory.
    """
    root_fd = open_root(root)
    try:
        if system.geteuid() != 0:
            _check_below(root, root_fd, ignore)
    finally:
        os.close(root_fd)


def _check_below(root: Path, root_fd: int, ignore: Ignore | None) -> None:
    directories = _check_directory(root, root_fd, b"", ignore)
    while directories:
        path = directories.pop()
        try:
            fd = os.open(path, system.READ_DIRECTORY, dir_fd=root_fd)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise unreadable(root, path, error.strerror or str(error)) from error
        try:
            directories += _check_directory(root, fd, path + b"/", ignore)
        finally:
            os.close(fd)


def _check_directory(root: Path, fd: int, prefix: bytes, ignore: Ignore | None) -> list[bytes]:
    """Check the files of one directory and return the paths of the directories in it."""
    directories = []
    ignored = ignore.ignored if ignore is not None else None
    access = os.access
    with os.scandir(fd) as entries:
        for entry in entries:
            is_directory = entry.is_dir(follow_symlinks=False)
            if not is_directory and not entry.is_file(follow_symlinks=False):
                continue
            name = os.fsencode(entry.name)
            path = prefix + name
            if ignored is not None and ignored(path, is_directory):
                continue
            if is_directory:
                directories.append(path)
            elif not access(name, os.R_OK, dir_fd=fd, effective_ids=True) and entry.is_file(follow_symlinks=False):
                raise unreadable(root, path, "Permission denied")
    return directories
