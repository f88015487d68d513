"""Reading whole files, such as those of `env/`, with a limit on their size: on a worker they may have been sent."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path
from typing import Final

from playstream.pipeline.errors import ConfigurationError
from playstream.pipeline.io import system

MAX_BYTES: Final = 1 << 22
"""Maximum size of one file: 4 MiB, which takes up to a minute and 1.4 GB as YAML. Other files of a tree have no such
limit."""


def read_text(path: Path, directory: Path) -> str | None:
    """Return the text of a file with line ends normalized to LF; None if there is no file.

    Reading a FIFO blocks, so it must lie in `directory` itself: a link may lead to a FIFO of anyone, and on a worker
    the link may have been sent. A tree cannot contain a FIFO.

    Args:
        path: a file, a FIFO, or the null device, which is an empty file; links are followed.
        directory: the private data directory that `path` is in.

    Raises:
        ConfigurationError: it is of another type, too large, not UTF-8, or cannot be read.
    """
    if "\0" in str(path):
        return None  # there is no such file, and Python has a bare ValueError for it
    try:
        data = _read(path, directory)
        text = data.decode("utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except UnicodeDecodeError as error:
        raise ConfigurationError(
            f"{path}: expected UTF-8 text, got the byte {error.object[error.start]:#04x} at position {error.start}"
        ) from None
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _read(path: Path, directory: Path) -> bytes:
    """Return at most MAX_BYTES. Raise OSError or ConfigurationError."""
    found = path.stat()
    if sys.platform != "win32" and stat.S_ISCHR(found.st_mode) and found.st_rdev == os.stat(os.devnull).st_rdev:
        return b""
    waited_for = stat.S_ISFIFO(found.st_mode)
    if waited_for and not _lies_in(path, directory):
        raise ConfigurationError(
            f"{path}: expected a file, got a link to a FIFO outside {str(directory)!r}, which might never be written "
            "to. Create the FIFO here instead of the link"
        )
    if not waited_for and not stat.S_ISREG(found.st_mode):
        raise ConfigurationError(f"{path}: expected a file or a FIFO, got {_kind_of(found.st_mode)}")
    # If it was replaced by a FIFO meanwhile, opening it does not block.
    with os.fdopen(
        os.open(path, os.O_RDONLY | system.O_CLOEXEC | (0 if waited_for else system.O_NONBLOCK)), "rb"
    ) as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise ConfigurationError(
            f"{path}: expected at most {MAX_BYTES} bytes, got more. Put larger data for a playbook into a file of the "
            "project and read it with vars_files or include_vars"
        )
    return data


def _lies_in(path: Path, directory: Path) -> bool:
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(directory))


def _kind_of(mode: int) -> str:
    kinds = {stat.S_IFDIR: "a directory", stat.S_IFSOCK: "a socket"}
    return kinds.get(stat.S_IFMT(mode), "a device")
