"""What this host has."""

from __future__ import annotations

from pathlib import Path

from playstream.worker import capacity

__all__ = ["ensure_uuid", "get_cpu_count", "get_mem_in_bytes"]


def get_cpu_count() -> int:
    """Processors of this host."""
    return capacity.cpu_count()


def get_mem_in_bytes() -> int | str:
    """Bytes of memory of this host; a text that says why when they are not known."""
    try:
        return capacity.memory_bytes()
    except (OSError, ValueError) as error:
        return f"The memory of this host is unknown: {error}"


def ensure_uuid(uuid_file_path: Path | None = None, mode: int = 0o0600) -> str:
    """The name of this host and user, made when it is asked for the first time.

    Args:
        uuid_file_path: the file that keeps it; None for the one in the home directory.
        mode: the file's mode.

    Raises:
        OSError: it can be neither read nor kept.
        ValueError: the file holds something else.
    """
    name = capacity.host_uuid(uuid_file_path)
    (uuid_file_path or Path.home() / ".ansible_runner_uuid").chmod(mode)
    return name
