"""Active runs of a private data directory: one file per run, locked by the process that runs it.

A run is active while its file is locked (flock). The kernel releases the lock when the process ends. The process ID in
the file is only used to signal the process.
"""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playstream.pipeline.errors import ConfigurationError, JobError
from playstream.pipeline.io.locks import is_at, try_lock
from playstream.pipeline.io.owned import close_owned, own_descriptor
from playstream.pipeline.job.ident import LATEST, UUID
from playstream.pipeline.tree.directories import absolute_path, make_private
from playstream.process.latest import read_latest

_PLACE = ".running"
_MARK = "@"
"""Prefix of the run's name, which may be empty or the name of an artifact."""
_UUID_BEGINNING = re.compile(r"[0-9a-f]{4}")
"""At least so much of a UUID is taken for it."""
_PATIENCE_SECONDS = 1.0
"""How long a process that only reads the file may hold its lock."""


@dataclass(frozen=True, slots=True)
class ActiveRun:
    """An active run."""

    ident: str
    pid: int | None
    """The process to signal; None if unknown."""
    path: Path

    def is_active(self) -> bool:
        """Return whether the run is still active."""
        return _read(self.path) is not None

    def terminate(self) -> bool:
        """Send SIGTERM to the process of the run; return False if the run has ended.

        Raises:
            ConfigurationError: the process is unknown, or this user may not signal it.
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
            # The holder of the lock is alive, so the handle cannot refer to another process with the same ID.
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


def note_directories(private_data_dir: Path, artifact_dir: str | None) -> list[Path]:
    """Return the directories for notes of a private data directory's active runs, in order of preference.

    Raises:
        ConfigurationError: a path is relative and the current directory cannot be found.
    """
    named = [private_data_dir / "artifacts", *([Path(artifact_dir)] if artifact_dir else [])]
    return [Path(absolute_path(path)) for path in named]


@contextmanager
def noted(places: Sequence[Path], ident: str) -> Iterator[None]:
    """Note this process as the one that runs `ident`, while the context lasts.

    Args:
        places: as returned by `note_directories`; the first writable one is used. Without one nothing is noted.
        ident: name of the run.

    Raises:
        ConfigurationError: a run with this name is active.
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
            continue  # a run that ended removed the directory
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
            continue  # the run that held the lock removed the file
        if time.monotonic() > deadline:
            raise ConfigurationError(f"run {ident!r} is already active: choose another --ident or stop it first")
        time.sleep(0.02)


def _unlink(path: Path) -> None:
    """Remove a file. If it remains, it has no meaning without its lock, and the next run removes it."""
    try:
        path.unlink()
    except OSError:
        pass


def _sweep(directory: Path) -> None:
    """Remove the files of runs that were killed. A shared lock prevents other runs from claiming one meanwhile."""
    try:
        names = os.listdir(directory)
    except OSError:
        return  # another run that ended removed the directory
    for path in (directory / name for name in names if name.startswith(_MARK)):
        try:
            fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            if try_lock(fd, shared=True) and is_at(path, fd):
                path.unlink()
        except OSError:
            pass  # another process removed it, or the file system has no locks
        finally:
            os.close(fd)


def _remove_if_empty(*directories: Path) -> None:
    try:
        for directory in directories:
            directory.rmdir()
    except OSError:
        pass  # it is not empty


def find(places: Sequence[Path], ident: str | None = None) -> list[ActiveRun]:
    """Return the active runs.

    Args:
        places: as returned by `note_directories`.
        ident: return only the run with this name; None returns all.

    Raises:
        JobError: no run was found, and this user may not read all the places.
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


def resolve(places: Sequence[Path], ident: str | None) -> str | None:
    """Return the name of the run that a user means: that of the link `latest`, or of a UUID by its beginning.

    A beginning is only taken for that of an active run's generated name, because it may be the name of another run that
    has ended.

    Args:
        places: as returned by `note_directories`.
        ident: the given name; None is returned unchanged.

    Raises:
        ConfigurationError: the names of several active runs begin so.
        JobError: as from `find`.
    """
    if ident is None:
        return None
    if ident == LATEST:
        return next(filter(None, map(read_latest, places)), ident)
    if not _UUID_BEGINNING.match(ident) or find(places, ident):
        return ident
    meant = [run.ident for run in find(places) if UUID.fullmatch(run.ident) and run.ident.startswith(ident)]
    if len(meant) > 1:
        raise ConfigurationError(f"several active runs have names that start with {ident!r}: {', '.join(meant)}")
    return meant[0] if meant else ident


def _read(path: Path) -> ActiveRun | None:
    """Return the run that the file notes; None if its lock is free.

    Raises:
        PermissionError: this user may not read the file.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except PermissionError:
        raise
    except OSError:
        return None
    try:
        return None if try_lock(fd, shared=True) else ActiveRun(path.name[1:], _read_pid(fd), path)
    finally:
        os.close(fd)


def _read_pid(fd: int) -> int | None:
    """Return the process ID in a file, if that process belongs to the file's owner."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not (text := os.pread(fd, 4096, 0)) and time.monotonic() < deadline:
        time.sleep(0.01)  # the file is locked but not written yet
    try:
        pid = int(json.loads(text)["pid"])
        return pid if Path(f"/proc/{pid}").stat().st_uid == os.fstat(fd).st_uid else None
    except (ValueError, KeyError, TypeError, OSError):
        return None
