"""Capacity and identity of this host."""

from __future__ import annotations

from pathlib import Path

from playstream.worker import capacity

__all__ = ["ensure_uuid", "get_cpu_count", "get_mem_in_bytes"]


def get_cpu_count() -> int:
    """Return the number of processors of this host."""
    return capacity.cpu_count()


def get_mem_in_bytes() -> int | str:
    """Return the bytes of memory of this host; a message if they are unknown."""
    try:
        return capacity.memory_bytes()
    except (OSError, ValueError) as error:
        return f"The memory of this host is unknown: {error}"


def ensure_uuid(uuid_file_path: Path | None = None, mode: int = 0o0600) -> str:
    """Return the UUID of this host and user, created on the first call.

    Args:
        uuid_file_path: the file that stores it; None for the one in the home directory.
        mode: the file's mode.

    Raises:
        OSError: the file can be neither read nor written.
        ValueError: the file contains something else.
    """
    name = capacity.host_uuid(uuid_file_path)
    (uuid_file_path or Path.home() / ".ansible_runner_uuid").chmod(mode)
    return name
