"""The words of signed jobs that a node has run, on its disk: none of them is run again."""

from __future__ import annotations

import asyncio
import fcntl
import os
import time
from pathlib import Path
from typing import Final

from playstream.pipeline.errors import ConfigurationError, JobError, remedy

_FILE: Final = "nonces"
_LOCK: Final = "lock"


class Nonces:
    """Remembers words, also after a restart.

    Args:
        directory: where to keep them; it is created for this user only.

    Raises:
        ConfigurationError: it cannot be used, or another node does.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = os.open(directory / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise _unusable(directory, error) from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            raise ConfigurationError(
                f"another node uses {str(directory)!r}, which remembers the jobs that were run. End it first"
            ) from None
        try:
            self._known = self._read()
            self._file = self._write_anew()
        except OSError as error:
            os.close(self._lock)
            raise _unusable(directory, error) from None

    def close(self) -> None:
        """Close the files."""
        os.close(self._file)
        os.close(self._lock)

    async def use(self, nonce: str, until: float) -> bool:
        """Use a word. Return whether it has not been used before; then it is on the disk.

        Args:
            nonce: the word, without spaces.
            until: how long to remember it, in seconds since the epoch.

        Raises:
            JobError: it cannot be written.
        """
        if nonce in self._known:
            return False
        self._known[nonce] = until  # before the first await: another job may come with it meanwhile
        try:
            await asyncio.to_thread(self._append, _line(nonce, until))
        except OSError as error:
            raise JobError(
                f"the node cannot remember the job in {str(self._directory)!r}, so it does not run it: "
                f"{error.strerror}. {remedy(error)}"
            ) from None
        now = time.time()
        self._known = {word: end for word, end in self._known.items() if end > now}
        return True

    def _read(self) -> dict[str, float]:
        """Return the words that are still to be remembered. A line that is cut is of a job that was not run."""
        found: dict[str, float] = {}
        try:
            lines = (self._directory / _FILE).read_text(encoding="ascii", errors="replace").split("\n")[:-1]
        except FileNotFoundError:
            return found
        for line in lines:
            until, _, nonce = line.partition(" ")
            try:
                end = float(until)
            except ValueError:
                continue
            if nonce and end > time.time():
                found[nonce] = end
        return found

    def _write_anew(self) -> int:
        """Write the file without words that are not needed any more, and return its descriptor."""
        new = self._directory / f".{_FILE}.new"
        new.unlink(missing_ok=True)
        fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        os.write(fd, b"".join(_line(nonce, until) for nonce, until in self._known.items()))
        os.fsync(fd)
        new.replace(self._directory / _FILE)
        return fd

    def _append(self, line: bytes) -> None:
        os.write(self._file, line)
        os.fsync(self._file)


def _line(nonce: str, until: float) -> bytes:
    return f"{until!r} {nonce}\n".encode("ascii")


def _unusable(directory: Path, error: OSError) -> ConfigurationError:
    return ConfigurationError(
        f"{str(directory)!r}, where the node remembers the jobs that were run, cannot be used: {error.strerror}. "
        f"{remedy(error)}"
    )
