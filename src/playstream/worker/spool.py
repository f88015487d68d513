"""The spool: the private directory that a job lives in on the worker's host.

A spool is owned by whoever holds a lock (flock) on it: the worker, and its guard, which shares the lock. The kernel
drops the lock with the last of them, so a spool without a holder is a leftover, which the next worker removes.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from playstream.pipeline.errors import JobError, UnsafePath
from playstream.pipeline.locks import try_lock
from playstream.pipeline.tree.directories import make_directory, make_private

_PREFIX = "playstream-spool-"
_NAME = re.compile(_PREFIX + "[a-z0-9_]{8}")
"""As mkdtemp makes them. Directories of other names are not ours, and are never removed."""

_REMOVALS = 3
"""Attempts to remove a spool: a process that is being ended may have made a file behind the first one's back."""


def is_spool_name(name: str) -> bool:
    """Whether a directory of this name may be a spool."""
    return _NAME.fullmatch(name) is not None


class PrivateDirectory:
    """A new directory that only this user can read, removed by the next sweep when this process has died.

    Raises:
        JobError: it cannot be made.
    """

    def __init__(self) -> None:
        self.root, self.lock = _make_locked_directory(Path(tempfile.gettempdir()))
        self._owner = os.getpid()

    def remove(self) -> None:
        """Remove it and drop the lock. In a process that was forked from the owner it does nothing."""
        if os.getpid() == self._owner:
            _remove_tree(self.root)
            os.close(self.lock)


class Spool(PrivateDirectory):
    """A new spool in the directory for temporary files, or around a directory of the user's.

    Args:
        private_data_dir: use this directory for the job's tree and artifacts. Made if it is missing; kept afterwards
            unless `delete`.
        delete: empty `private_data_dir` before, and remove it with the spool.
        in_place: `private_data_dir` is only read; artifacts go into the spool.

    Raises:
        JobError: the directories cannot be made.
    """

    def __init__(
        self, private_data_dir: Path | None = None, *, delete: bool = False, in_place: bool = False
    ) -> None:
        super().__init__()
        self._delete: Path | None = None
        self._user_lock: int | None = None
        try:
            self.run_dir = self.root / "run"
            self.run_dir.mkdir(mode=0o700)
            self.private_data_dir = self.root / "data"
            if private_data_dir is not None:
                self.private_data_dir = private_data_dir.absolute()
                if delete:
                    self._delete = self.private_data_dir
                    _empty(self.private_data_dir)
            make_private(self.private_data_dir)
            if private_data_dir is not None and not in_place:
                self._user_lock = _lock_shared(self.private_data_dir)
            self._artifacts = (self.root if in_place else self.private_data_dir) / "artifacts"
        except OSError as error:
            self.remove()
            raise JobError(
                f"{error.filename} cannot be made: {error.strerror}. Choose another --private-data-dir, or another "
                "TMPDIR"
            ) from None

    def artifact_dir(self, ident: str) -> Path:
        """Make and return the directory for the artifacts of the job `ident`, private and empty.

        Nothing is made or removed through a link, for the tree may have brought it.

        Raises:
            UnsafePath: `artifacts` of a directory of the user's is a link or a file.
            OSError: the directory cannot be made.
        """
        base = self._artifacts.parent
        with ExitStack() as handles:
            place = os.open(base, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            handles.callback(os.close, place)
            if base.is_relative_to(self.root):
                _remove_unless_directory(place, self._artifacts.name)
            try:
                artifacts = make_directory(place, self._artifacts.name)
            except NotADirectoryError:
                raise UnsafePath(
                    f"expected a directory for the artifacts in {str(self._artifacts)!r}, got a link or a file: a tree "
                    "may have brought it, so nothing is written there. Remove it, or choose another --private-data-dir"
                ) from None
            handles.callback(os.close, artifacts)
            _remove_unless_directory(artifacts, ident)
            if ident in os.listdir(artifacts):
                shutil.rmtree(ident, dir_fd=artifacts)
            os.close(make_directory(artifacts, ident))
        return self._artifacts / ident

    def remove(self) -> None:
        """Remove what the spool made, and the user's directory if that was asked for; drop the lock."""
        if self._delete is not None:
            shutil.rmtree(self._delete, ignore_errors=True)
        if self._user_lock is not None:
            os.close(self._user_lock)
            self._user_lock = None
        super().remove()


def _remove_unless_directory(fd: int, name: str) -> None:
    """Make room where something that is no directory has the name; a link is removed, not what it leads to."""
    try:
        if not stat.S_ISDIR(os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode):
            os.unlink(name, dir_fd=fd)
    except FileNotFoundError:
        pass


def _make_locked_directory(base: Path) -> tuple[Path, int]:
    while True:
        try:
            root = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=base))
        except OSError as error:
            raise JobError(f"no spool can be made in {base}: {error.strerror}. Set TMPDIR to another place") from None
        try:
            lock = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue  # a sweeping worker took it for a leftover before it was locked
        if try_lock(lock) and root.exists():
            return root, lock
        os.close(lock)


def _lock_shared(directory: Path) -> int:
    """A lock that tells `worker cleanup` that the directory is in use; other workers may use it too."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try_lock(fd, shared=True)  # in vain while somebody looks at it, or holds it for himself
    return fd


def _empty(directory: Path) -> None:
    if not directory.exists():
        return
    for item in directory.iterdir():
        if item.is_dir() and not item.is_symlink():
            shutil.rmtree(item)
        else:
            item.unlink()


def _remove_tree(directory: Path) -> None:
    for _ in range(_REMOVALS):
        shutil.rmtree(directory, ignore_errors=True)
        if not directory.exists():
            break


def sweep(end: Callable[[Path], object] = lambda _root: None) -> list[Path]:
    """Remove the spools of this user's dead workers; return those removed.

    Args:
        end: ends what still runs of the job of a spool. It is called first: what runs may write there, and would make
            the spool anew.
    """
    removed = []
    base = Path(tempfile.gettempdir())
    for root in base.glob(_PREFIX + "*"):
        if not is_spool_name(root.name):
            continue
        try:
            fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            status = os.fstat(fd)
            # The mode tells a spool from another thing of that name; the owner keeps root out of others' spools.
            private = status.st_uid == os.geteuid() and stat.S_IMODE(status.st_mode) == 0o700
            if private and try_lock(fd):
                end(root)
                _remove_tree(root)
                removed.append(root)
        finally:
            os.close(fd)
    return removed
