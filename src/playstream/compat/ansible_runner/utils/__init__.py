"""Functions that programs import from ansible-runner."""

from __future__ import annotations

import atexit
import os
import re
import shlex
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from playstream.compat.ansible_runner.exceptions import ConfigurationError
from playstream.compat.signals import SignalWatch
from playstream.interface.rotation import rotate
from playstream.pipeline.io.owned import Owned
from playstream.pipeline.io.removal import remove_tree

__all__ = [
    "Bunch",
    "args2cmdline",
    "check_isolation_executable_installed",
    "cleanup_artifact_dir",
    "cleanup_folder",
    "dump_artifact",
    "ensure_str",
    "get_executable_path",
    "isinventory",
    "isplaybook",
    "open_fifo_write",
    "register_for_cleanup",
    "sanitize_container_name",
    "sanitize_json_response",
    "signal_handler",
]


class Bunch:
    """Values as attributes."""

    def __init__(self, **kwargs: Any) -> None:
        self.update(**kwargs)

    def update(self, **kwargs: Any) -> None:
        """Add or change values."""
        self.__dict__.update(kwargs)

    def get(self, key: str) -> Any:
        """Return a value, or None."""
        return self.__dict__.get(key)


def isplaybook(obj: object) -> bool:
    """Return whether the object is a list of plays."""
    return isinstance(obj, Iterable) and not isinstance(obj, (str, Mapping))


def isinventory(obj: object) -> bool:
    """Return whether the object is a string or a dict."""
    return isinstance(obj, (str, Mapping))


def args2cmdline(*args: str) -> str:
    """Join words into one line for a shell."""
    return shlex.join(args)


def ensure_str(s: str | bytes, encoding: str = "utf-8", errors: str = "strict") -> str:
    """Convert str or bytes to str.

    Raises:
        TypeError: the value is neither.
        UnicodeDecodeError: the bytes are not text in this encoding.
    """
    if isinstance(s, bytes):
        return s.decode(encoding, errors)
    if not isinstance(s, str):
        raise TypeError(f"expected str or bytes, got {type(s).__name__}")
    return s


def sanitize_container_name(original_name: object) -> str:
    """Return a name that container engines accept."""
    return re.sub(r"[^a-zA-Z0-9_-]", "_", str(original_name))


def sanitize_json_response(data: str) -> str:
    """Return the text from its first brace on; warnings may precede it."""
    start = data.find("{")
    return data[start:].strip() if start >= 0 else data


def get_executable_path(name: str) -> str:
    """Return the path of a program.

    Raises:
        ConfigurationError: the program is not on the PATH.
    """
    path = shutil.which(name)
    if path is None:
        raise ConfigurationError(f"{name!r} was not found on the PATH: install it")
    return path


def check_isolation_executable_installed(isolation_executable: str) -> bool:
    """Return whether the program can be started and prints its version."""
    try:
        done = subprocess.run([isolation_executable, "--version"], capture_output=True, check=False)
    except OSError:
        return False
    return done.returncode == 0


def dump_artifact(obj: str, path: str, filename: str | None = None) -> str:
    """Write a file that only this user can read.

    Args:
        obj: the content.
        path: its directory, created if missing.
        filename: its name; None generates one.

    Returns:
        The path of the file.
    """
    os.makedirs(path, mode=0o700, exist_ok=True)
    # The file is renamed to its final name, so that no reader sees part of it.
    fd, temporary = tempfile.mkstemp(dir=path)
    with os.fdopen(fd, "w", encoding="utf-8") as file:
        file.write(obj)
    if filename is None:
        return temporary
    target = os.path.join(path, filename)
    os.replace(temporary, target)
    return target


def cleanup_artifact_dir(path: str, num_keep: int = 0) -> None:
    """Remove the oldest artifact directories of runs that have ended.

    Args:
        path: the directory that contains them.
        num_keep: number of directories to keep; 0 for all.
    """
    rotate(Path(path), num_keep)


def cleanup_folder(folder: str) -> bool:
    """Remove a directory; return whether it existed."""
    if not os.path.isdir(folder) or os.path.islink(folder):
        return False
    remains = remove_tree(folder)
    if remains is not None:
        raise OSError(f"{folder} cannot be removed: {remains}")
    return True


def register_for_cleanup(folder: str) -> None:
    """Remove a directory when the program ends, but not when a forked child ends."""
    atexit.register(Owned(cleanup_folder, folder))


def open_fifo_write(path: str, data: str | bytes) -> None:
    """Create a FIFO, and write to it in a new thread, which waits for a reader.

    Args:
        path: path of the FIFO.
        data: the data to write.

    Raises:
        OSError: the FIFO cannot be created.
    """
    os.mkfifo(path, 0o600)
    content = data.encode() if isinstance(data, str) else data
    threading.Thread(target=Path(path).write_bytes, args=(content,)).start()


def signal_handler() -> SignalWatch | None:
    """Return a function that returns True after SIGINT or SIGTERM; return None if not in the main thread."""
    if threading.current_thread() is not threading.main_thread():
        return None
    watch = SignalWatch()
    watch.start()
    return watch
