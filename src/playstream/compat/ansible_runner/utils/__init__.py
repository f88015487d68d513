"""Functions that programs take from ansible-runner."""

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
        """Add values, or change them."""
        self.__dict__.update(kwargs)

    def get(self, key: str) -> Any:
        """A value; None when there is none."""
        return self.__dict__.get(key)


def isplaybook(obj: object) -> bool:
    """True for a list of plays."""
    return isinstance(obj, Iterable) and not isinstance(obj, (str, Mapping))


def isinventory(obj: object) -> bool:
    """True for a text or a dict."""
    return isinstance(obj, (str, Mapping))


def args2cmdline(*args: str) -> str:
    """Words as one line for a shell."""
    return shlex.join(args)


def ensure_str(s: str | bytes, encoding: str = "utf-8", errors: str = "strict") -> str:
    """Text of text or bytes.

    Raises:
        TypeError: it is neither.
        UnicodeDecodeError: it is not text in this encoding.
    """
    if isinstance(s, bytes):
        return s.decode(encoding, errors)
    if not isinstance(s, str):
        raise TypeError(f"expected str or bytes, got {type(s).__name__}")
    return s


def sanitize_container_name(original_name: object) -> str:
    """A name that container engines take."""
    return re.sub(r"[^a-zA-Z0-9_-]", "_", str(original_name))


def sanitize_json_response(data: str) -> str:
    """The text from its first brace on: what stands before it are warnings."""
    start = data.find("{")
    return data[start:].strip() if start >= 0 else data


def get_executable_path(name: str) -> str:
    """Where a program is.

    Raises:
        ConfigurationError: it is not on the PATH.
    """
    path = shutil.which(name)
    if path is None:
        raise ConfigurationError(f"{name!r} was not found on the PATH: install it")
    return path


def check_isolation_executable_installed(isolation_executable: str) -> bool:
    """True if the program can be started and tells its version."""
    try:
        done = subprocess.run([isolation_executable, "--version"], capture_output=True, check=False)
    except OSError:
        return False
    return done.returncode == 0


def dump_artifact(obj: str, path: str, filename: str | None = None) -> str:
    """Write a file that only this user can read.

    Args:
        obj: what it holds.
        path: its directory, made if it is missing.
        filename: its name; one is made up when None.

    Returns:
        Its path.
    """
    os.makedirs(path, mode=0o700, exist_ok=True)
    # A rename puts it in its place, so that nobody reads half of it.
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
        path: the directory that they are in.
        num_keep: how many may stay; 0 for all.
    """
    rotate(Path(path), num_keep)


def cleanup_folder(folder: str) -> bool:
    """Remove a directory; True if it was there."""
    if not os.path.isdir(folder) or os.path.islink(folder):
        return False
    remains = remove_tree(folder)
    if remains is not None:
        raise OSError(f"{folder} cannot be removed: {remains}")
    return True


def register_for_cleanup(folder: str) -> None:
    """Remove a directory when the program ends; a process that it has forked does not."""
    atexit.register(Owned(cleanup_folder, folder))


def open_fifo_write(path: str, data: str | bytes) -> None:
    """Make a FIFO, and write to it in a thread of its own, which waits for a reader.

    Args:
        path: where it is made.
        data: what its reader gets.

    Raises:
        OSError: it cannot be made.
    """
    os.mkfifo(path, 0o600)
    content = data.encode() if isinstance(data, str) else data
    threading.Thread(target=Path(path).write_bytes, args=(content,)).start()


def signal_handler() -> SignalWatch | None:
    """A function that is true once SIGINT or SIGTERM has come; None in any other thread than the main one."""
    if threading.current_thread() is not threading.main_thread():
        return None
    watch = SignalWatch()
    watch.start()
    return watch
