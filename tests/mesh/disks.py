"""Small disks for servers. A mount of its own, which ends with the test, is all that they need."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.processes import MOUNTS_ALONE

_MOUNT = 'mount -t tmpfs -o size="$2" tmpfs "$1" && echo mounted && exec cat'
_AS_USER = () if os.geteuid() == 0 else ("--user", "--preserve-credentials")


class Disk:
    """A file system in memory that only processes with `prefix` see.

    Args:
        directory: where it is mounted.
        size: its size, as mount(8) knows it.
    """

    def __init__(self, directory: Path, size: str) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        words = [*MOUNTS_ALONE, "sh", "-c", _MOUNT, "sh", str(directory), size]
        self._holder = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._holder.stdout is not None
        assert self._holder.stdout.readline() == b"mounted\n"

    def prefix(self, working_directory: Path) -> tuple[str, ...]:
        """Words before a command that is to see it, and to start in a directory."""
        entering = ("nsenter", f"--target={self._holder.pid}", "--mount", *_AS_USER)
        return (*entering, "sh", "-c", 'cd "$0" && exec "$@"', str(working_directory))

    @property
    def used(self) -> int:
        """Bytes that are used."""
        found = self._look()
        return (found.f_blocks - found.f_bfree) * found.f_frsize

    @property
    def free(self) -> int:
        """Bytes that are free."""
        found = self._look()
        return found.f_bfree * found.f_frsize

    def _look(self) -> os.statvfs_result:
        return os.statvfs(f"/proc/{self._holder.pid}/root{self._directory}")

    def resize(self, size: int) -> None:
        """Give it another size, in bytes."""
        # With both names, mount(8) does not repeat the options that it has: an ordinary user may not give its owner.
        words = ("mount", "-o", f"remount,size={size}", "tmpfs", str(self._directory))
        subprocess.run([*self.prefix(Path("/")), *words], check=True)

    def close(self) -> None:
        """End it, when nothing uses it any more."""
        self._holder.communicate()
