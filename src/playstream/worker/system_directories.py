"""Directories that are never removed or emptied."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

_PROTECTED = (
    "/",
    "/bin",
    "/boot",
    "/dev",
    "/etc",
    "/home",
    "/lib",
    "/lib64",
    "/media",
    "/mnt",
    "/opt",
    "/proc",
    "/root",
    "/run",
    "/sbin",
    "/srv",
    "/sys",
    "/usr",
    "/var",
    "/var/lib",
    "/tmp",  # noqa: S108 - as the next two: never removed
    "/var/tmp",  # noqa: S108
    "/dev/shm",  # noqa: S108
)
_PROTECTED_TREES = ("/bin", "/boot", "/etc", "/lib", "/lib64", "/proc", "/sbin", "/sys", "/usr")


def is_system_directory(path: Path) -> bool:
    """Return whether a directory is the system's, the home, the one for temporary files, or a parent of these."""
    never = {Path(name).resolve() for name in (*_PROTECTED, tempfile.gettempdir(), os.path.expanduser("~"))}
    never |= {parent for known in never for parent in known.parents}
    real = path.resolve()
    return real in never or any(real.is_relative_to(Path(name).resolve()) for name in _PROTECTED_TREES)
