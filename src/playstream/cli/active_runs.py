"""Which runs go on in a private data directory: a file for each, locked by the process that runs it.

The lock (flock) says that the run goes on, and the kernel drops it with the process; the process id in the file only
says whom to signal.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playstream.pipeline.errors import ConfigurationError, JobError
from playstream.pipeline.io.locks import is_at, try_lock
from playstream.pipeline.io.owned import close_owned, own_descriptor
from playstream.pipeline.tree.directories import absolute_path, make_private

_PLACE = ".running"
_MARK = "@"
"""In front of the run's name, which may be empty, or that of an artifact."""
_PATIENCE_SECONDS = 1.0
"""How long a lock may be held by somebody who only looks."""


@dataclass(frozen=True, slots=True)
class Ongoing:
    """A run that goes on."""

    ident: str
    pid: int | None
    """The process to signal; None if it cannot be told."""
    path: Path

    def goes_on(self) -> bool:
        """True until it has ended."""
        return _read(self.path) is not None

    def ask_to_end(self) -> bool:
        """SIGTERM to its process; False if it has ended.

        Raises:
            ConfigurationError: it is not this user's to signal, or not known.
        """
        if self.pid is None:
            raise ConfigurationError(
                f"run {self.ident!r} is active, but {str(self.path)!r} does not name its process: find and stop that "
                "process yourself"
            )
        try:
            handle = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return False
        except OSError:
            handle = -1  # a kernel before 5.3
        try:
            # Whoever has the lock lives, so what the handle stands for now is no other process of the same number.
            now = _read(self.path)
            if now is None or now.pid != self.pid:
                return False
            if handle < 0:
                os.kill(self.pid, signal.SIGTERM)
            else:
                signal.pidfd_send_signal(handle, signal.SIGTERM)
        except ProcessLookupError:
            return False
        except PermissionError:
            raise ConfigurationError(
                f"process {self.pid} of run {self.ident!r} belongs to another user: stop the run as that user, or as "
                "root"
            ) from None
        finally:
            if handle >= 0:
                os.close(handle)
        return True


def bases(private_data_dir: Path, artifact_dir: str | None) -> list[Path]:
    """The directories that runs of a private data directory may be noted in, the first choice first.

    Raises:
        ConfigurationError: one is relative to a current directory that cannot be found.
    """
    named = [private_data_dir / "artifacts", *([Path(artifact_dir)] if artifact_dir else [])]
    return [Path(absolute_path(path)) for path in named]


@contextmanager
def noted(places: Sequence[Path], ident: str) -> Iterator[None]:
    """While the context lasts, this process is known to run `ident`.

    Args:
        places: as `bases` gives them; the first that can be written is used, and none if none can.
        ident: name of the run.

    Raises:
        ConfigurationError: a run of this name goes on.
    """
    for base in places:
        made = not base.exists()
        try:
            fd = _claim(base / _PLACE / (_MARK + ident), ident)
        except OSError:
            continue
        try:
            yield
        finally:
            _unlink(base / _PLACE / (_MARK + ident))
            close_owned(fd)
            _sweep(base / _PLACE)
            _remove_if_empty(base / _PLACE, *([base] if made else []))
        return
    yield


def _claim(path: Path, ident: str) -> int:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        make_private(path.parent)
        try:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:
            continue  # a run that ended took the directory with it
        try:
            locked = try_lock(fd)
            if locked and is_at(path, fd):
                os.ftruncate(fd, 0)
                os.pwrite(fd, json.dumps({"pid": os.getpid(), "ident": ident}).encode(), 0)
                return own_descriptor(fd)
        except OSError:
            os.close(fd)
            raise
        os.close(fd)
        if locked:
            continue  # the run that had it removed it
        if time.monotonic() > deadline:
            raise ConfigurationError(
                f"run {ident!r} is already active: choose another --ident or stop it first"
            )
        time.sleep(0.02)


def _unlink(path: Path) -> None:
    """Remove a note. One that stays says nothing without its lock, and the next run sweeps it."""
    try:
        path.unlink()
    except OSError:
        pass


def _sweep(directory: Path) -> None:
    """Remove the files of runs that were killed. A shared lock keeps others out that would claim one meanwhile."""
    try:
        names = os.listdir(directory)
    except OSError:
        return  # another run that ended took the directory with it
    for path in (directory / name for name in names if name.startswith(_MARK)):
        try:
            fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            if try_lock(fd, shared=True) and is_at(path, fd):
                path.unlink()
        except OSError:
            pass  # another sweeps, or the file system has no locks
        finally:
            os.close(fd)


def _remove_if_empty(*directories: Path) -> None:
    try:
        for directory in directories:
            directory.rmdir()
    except OSError:
        pass  # it is not empty


def find(places: Sequence[Path], ident: str | None = None) -> list[Ongoing]:
    """Runs that go on.

    Args:
        places: as `bases` gives them.
        ident: only the run of this name; None for all.

    Raises:
        JobError: none was found, and this user may not look everywhere.
    """
    found = []
    closed: Path | None = None
    for base in places:
        try:
            paths = sorted((base / _PLACE).iterdir())
        except PermissionError:
            closed = closed or base / _PLACE
            continue
        except OSError:
            continue
        for path in paths:
            if path.name.startswith(_MARK) and ident in {None, path.name[1:]}:
                try:
                    run = _read(path)
                except PermissionError:
                    closed = closed or path
                    continue
                if run is not None:
                    found.append(run)
    if closed is not None and not found:
        raise JobError(
            f"cannot tell whether a run is active: no permission to read {str(closed)!r}, which probably belongs to "
            "another user. Run this command as that user, or as root"
        )
    return found


def _read(path: Path) -> Ongoing | None:
    """The run that the file stands for; None when nobody holds its lock.

    Raises:
        PermissionError: this user may not see that.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except PermissionError:
        raise
    except OSError:
        return None
    try:
        return None if try_lock(fd, shared=True) else Ongoing(path.name[1:], _read_pid(fd), path)
    finally:
        os.close(fd)


def _read_pid(fd: int) -> int | None:
    """The process id in a file, if it is one of the file's owner."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not (text := os.pread(fd, 4096, 0)) and time.monotonic() < deadline:
        time.sleep(0.01)  # it has been locked and not yet written
    try:
        pid = int(json.loads(text)["pid"])
        return pid if Path(f"/proc/{pid}").stat().st_uid == os.fstat(fd).st_uid else None
    except (ValueError, KeyError, TypeError, OSError):
        return None
