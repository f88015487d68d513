"""The capacity of this host: processors, memory, and its UUID."""

from __future__ import annotations

import os
import re
import tempfile
import uuid
from pathlib import Path
from typing import Any

from playstream._version import __version__

_UUID_FILE = ".ansible_runner_uuid"
"""A file in the home directory, with ansible-runner's name: a host keeps its identity when it changes from one to the
other."""
_MEMORY_FILE = Path("/proc/meminfo")


def worker_info() -> dict[str, Any]:
    """Return `cpu_count`, `mem_in_bytes`, `runner_version`, `uuid` and `errors`; unknown values are None.

    The numbers are those of the whole machine, as with ansible-runner; limits of a container or cgroup do not count.

    Example:
        >>> sorted(worker_info())
        ['cpu_count', 'errors', 'mem_in_bytes', 'runner_version', 'uuid']
    """
    errors: list[str] = []
    info: dict[str, Any] = {"cpu_count": cpu_count(), "errors": errors, "runner_version": __version__}
    for name, find in (("mem_in_bytes", memory_bytes), ("uuid", host_uuid)):
        try:
            info[name] = find()
        except (OSError, ValueError) as error:
            info[name] = None
            errors.append(f"{name} cannot be determined: {error}")
    return info


def cpu_count() -> int:
    """Return the number of processors of this host."""
    return os.cpu_count() or 1


def memory_bytes() -> int:
    """Return the size of this host's memory in bytes.

    Raises:
        OSError: the kernel does not report it.
        ValueError: the kernel reports it in an unknown form.
    """
    match = re.search(r"^MemTotal:\s+(\d+) kB", _MEMORY_FILE.read_text(encoding="ascii"), re.MULTILINE)
    if match is None:
        raise ValueError(f"expected a line MemTotal in {_MEMORY_FILE}")
    return int(match[1]) * 1024


def host_uuid(path: Path | None = None) -> str:
    """Return the UUID of this host and user; the first call creates it.

    Args:
        path: the file that stores it; None for the one in the home directory.

    Raises:
        OSError: it can be neither read nor stored.
        ValueError: the file contains something else.
    """
    try:
        path = path or Path.home() / _UUID_FILE
    except RuntimeError as error:  # no home directory
        raise OSError(str(error)) from None
    try:
        return _read_uuid(path)
    except FileNotFoundError:
        pass
    fd, temporary = tempfile.mkstemp(prefix=path.name, dir=path.parent)
    try:
        with os.fdopen(fd, "w", encoding="ascii") as file:
            file.write(str(uuid.uuid4()))
        # A link, unlike a rename, does not replace a file that another process created meanwhile.
        os.link(temporary, path)
    except FileExistsError:
        pass
    finally:
        os.unlink(temporary)
    return _read_uuid(path)


def _read_uuid(path: Path) -> str:
    text = path.read_text(encoding="utf-8").strip()
    try:
        uuid.UUID(text)
    except ValueError:
        raise ValueError(f"expected a uuid in {str(path)!r}; remove the file to have a new one created") from None
    return text
