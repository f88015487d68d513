"""The spool: the private directory of a job on the worker's host.

A spool belongs to the processes with a lock (flock) on it: the worker, and its guard, which shares the lock. The kernel
releases the lock when the last of them exits, so a spool without a lock is a leftover, which the next worker removes.
"""

from __future__ import annotations

import errno
import logging
import os
import re
import stat
import tempfile
from contextlib import ExitStack
from pathlib import Path

from playstream.pipeline.errors import ConfigurationError, JobError, PlaystreamError, UnsafePath
from playstream.pipeline.io.locks import is_at, try_lock
from playstream.pipeline.io.owned import close_owned, own_descriptor
from playstream.pipeline.io.removal import discard, empty_directory, remove_tree
from playstream.pipeline.job.ident import ARTIFACTS
from playstream.pipeline.tree.directories import make_directory, make_private, mode_of
from playstream.worker.directories import is_free, is_system_directory, make_new_directory, take_directory
from playstream.worker.guard import Guard
from playstream.worker.killing import end_marked

_PREFIX = "playstream-spool-"
_EARLIER = ".earlier-"
"""Prefix of a run's name for its earlier artifacts in a directory of the user, until the run has started."""
_TAKEN = ".taken-"
"""Prefix of a run's name for a file in a directory of the user that is locked while a job of that name runs there."""
_NAME = re.compile(_PREFIX + "[a-z0-9_]{8}")
"""The pattern of a spool's name. Directories with other names are never removed."""
_logger = logging.getLogger("playstream")


def is_spool_name(name: str) -> bool:
    """Return whether a directory with this name may be a spool."""
    return _NAME.fullmatch(name) is not None


class PrivateDirectory:
    """A new directory that only this user can read. If this process dies, the next worker removes it.

    Args:
        guard: removes it at once if this process dies.

    Raises:
        JobError: it cannot be created.
    """

    def __init__(self, guard: Guard | None = None) -> None:
        self.root, self.lock = _make_locked_directory(Path(tempfile.gettempdir()), guard)
        own_descriptor(self.lock)
        self._owner = os.getpid()

    @property
    def is_ours(self) -> bool:
        """False in a process that was forked from the one that created the directory, which has to remove it."""
        return os.getpid() == self._owner

    def remove(self) -> None:
        """Remove it and release the lock. Do nothing in a process that was forked from the owner."""
        if self.is_ours:
            discard(self.root)
            close_owned(self.lock)


class TakenDirectory:
    """A directory of the user that a job is unpacked into, locked while it is used.

    Args:
        path: the directory; created if it is missing.
        delete: empty it before the job, and remove it afterwards. If it is a link, the link and the empty directory
            remain.
        guard: removes it if this process dies.

    Raises:
        ConfigurationError: another job uses it, or `delete` would remove a directory of the system. Nothing was
            removed.
        JobError: it cannot be emptied.
        OSError: it cannot be created.
    """

    def __init__(self, path: Path, guard: Guard, *, delete: bool) -> None:
        self._path = path
        self._delete = delete
        if delete and is_system_directory(path):
            raise ConfigurationError(
                f"{str(path)!r} is a system directory or the home directory, and --delete would remove its content. "
                "Nothing was removed; use a --private-data-dir that is only for jobs"
            )
        self._lock = own_descriptor(take_directory(path, alone=delete))
        if delete:
            guard.hold(self._lock)
            guard.own(path, fd=self._lock if self._stays else None)
        remains = empty_directory(self._lock) if delete else None
        if remains is not None:
            close_owned(self._lock)
            raise JobError(
                f"{str(path)!r} cannot be emptied for the job (--delete): {remains}. Remove it manually, or choose "
                "another --private-data-dir"
            )

    @property
    def _stays(self) -> bool:
        return self._path.is_symlink()

    def release(self) -> None:
        """Remove the directory, if requested, and release the lock."""
        if self._delete and not self._stays:
            discard(self._path)
        elif self._delete and (remains := empty_directory(self._lock)) is not None:
            _logger.warning("%s cannot be emptied: %s. It is no longer in use; empty it manually", self._path, remains)
        close_owned(self._lock)


class Spool(PrivateDirectory):
    """A new spool with its guard, in the directory for temporary files; it may use a directory of the user.

    Args:
        private_data_dir: use this directory for the job's tree and artifacts. It is created if it is missing, and kept
            afterwards unless `delete`.
        delete: empty `private_data_dir` before the job, and remove it with the spool.
        in_place: `private_data_dir` is only read; artifacts are written to the spool.

    Raises:
        ConfigurationError: another job uses `private_data_dir`, or `delete` would remove a directory of the system.
            Nothing was removed.
        JobError: the directories cannot be created, or the guard cannot be started.
    """

    def __init__(self, private_data_dir: Path | None = None, *, delete: bool = False, in_place: bool = False) -> None:
        self.in_place = in_place
        self._guard = Guard()
        try:
            super().__init__(self._guard)
        except BaseException:
            self._guard.close()
            raise
        self._taken: TakenDirectory | None = None
        self._name_lock: tuple[Path, int] | None = None
        """The file whose lock keeps other jobs of that name out of a directory of the user, and its descriptor."""
        self._set_aside: str | None = None
        """The name of the run whose earlier artifacts are set aside, until it has started."""
        try:
            self.run_dir = self.root / "run"
            make_private(self.run_dir)
            self.private_data_dir = self.root / "data"
            if private_data_dir is not None:
                self.private_data_dir = private_data_dir.absolute()
            if private_data_dir is None or in_place:
                make_private(self.private_data_dir)
            else:
                self._taken = TakenDirectory(self.private_data_dir, self._guard, delete=delete)
            self._artifacts = (self.root if in_place else self.private_data_dir) / ARTIFACTS
        except PlaystreamError:
            self.remove()
            raise
        except OSError as error:
            self.remove()
            raise JobError(
                f"{error.filename} cannot be created: {error.strerror}. Choose another --private-data-dir or another "
                "TMPDIR"
            ) from None

    @property
    def guard(self) -> Guard:
        """The guard, which outlives this process. A forked process has its own, which removes nothing.

        Raises:
            JobError: the guard of a forked process cannot be started.
        """
        if not self._guard.is_ours:
            self._guard = Guard()
        return self._guard

    def artifact_dir(self, ident: str) -> Path:
        """Make and return the directory for the artifacts of the job `ident`, private and empty.

        Nothing is created or removed through a link, because a tree may contain links. In a directory of the user, the
        artifacts of an earlier run of that name are set aside until `begin`; `remove` restores them.

        Raises:
            UnsafePath: `artifacts` in a directory of the user is a link or a file.
            JobError: the artifacts of an earlier run of that name cannot be removed.
            OSError: the directory cannot be created.
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
                    f"expected a directory for the artifacts in {str(self._artifacts)!r}, got a link or a file, which "
                    "may come from the transmitted tree, so nothing is written there. Remove it, or choose another "
                    "--private-data-dir"
                ) from None
            handles.callback(os.close, artifacts)
            if self._taken is not None:
                self._lock_name(artifacts, ident)
                self._make_room(artifacts, ident)
            self._clear(artifacts, ident)
            os.close(make_directory(artifacts, ident))
        return self._artifacts / ident

    def _lock_name(self, artifacts: int, ident: str) -> None:
        """Keep other jobs of that name out of a directory of the user until `remove`.

        This does not lock the artifacts themselves, because a process stage on the same host may hold that lock.
        """
        path = self._artifacts / (_TAKEN + ident)
        while True:
            try:
                fd = os.open(path.name, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=artifacts)
            except OSError as error:
                if error.errno not in {errno.ELOOP, errno.EISDIR}:
                    raise
                self._clear(artifacts, path.name)  # it was sent with a tree
                continue
            if not is_free(fd):
                os.close(fd)
                raise ConfigurationError(
                    f"another job with the ident {ident!r} is already active in {str(self.private_data_dir)!r}, and "
                    "its artifacts would be lost. Wait until it has ended, or choose another ident or another "
                    "--private-data-dir for this one"
                )
            if is_at(path, fd):
                self._name_lock = path, own_descriptor(fd)
                self._guard.hold(fd)
                self._guard.own(path)
                return
            os.close(fd)  # the job that held it has removed it

    def _clear(self, artifacts: int, name: str) -> None:
        _remove_unless_directory(artifacts, name)
        remains = remove_tree(name, dir_fd=artifacts)
        if remains is not None:
            raise JobError(f"{str(self._artifacts / name)!r} cannot be emptied: {remains}. Remove it manually")

    def _make_room(self, artifacts: int, ident: str) -> None:
        """Set aside the artifacts of an earlier run of that name."""
        aside = _EARLIER + ident
        if mode_of(artifacts, aside) is not None:
            # A worker was killed after it had set them aside; if there are no new artifacts, its job had not started.
            try:
                os.rmdir(ident, dir_fd=artifacts)
            except OSError:
                self._clear(artifacts, aside)
            else:
                os.rename(aside, ident, src_dir_fd=artifacts, dst_dir_fd=artifacts)
        if mode_of(artifacts, ident) is not None:
            os.rename(ident, aside, src_dir_fd=artifacts, dst_dir_fd=artifacts)
            self._set_aside = ident

    def begin(self) -> None:
        """Remove the artifacts of an earlier run of the same name, after the job has started."""
        ident, self._set_aside = self._set_aside, None
        if ident is not None:
            discard(self._artifacts / (_EARLIER + ident))

    def _put_back(self) -> None:
        """Restore the artifacts of an earlier run of the same name, because the job has not started."""
        ident, self._set_aside = self._set_aside, None
        if ident is None:
            return
        try:
            artifacts = os.open(self._artifacts, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                self._clear(artifacts, ident)
                os.rename(_EARLIER + ident, ident, src_dir_fd=artifacts, dst_dir_fd=artifacts)
            finally:
                os.close(artifacts)
        except (OSError, JobError) as error:
            _logger.warning(
                "the artifacts of the earlier run %r are in %s and cannot be restored: %s. Move them back manually",
                ident,
                self._artifacts / (_EARLIER + ident),
                error,
            )

    def remove(self) -> None:
        """Remove what the spool created, and the user's directory if requested; release the locks and stop the guard.

        Artifacts that were set aside for a job that has not started are restored. In a process that was forked from the
        owner this only stops that process's own guard.
        """
        if self.is_ours and self._taken is not None:
            self._put_back()
            if self._name_lock is not None:
                path, fd = self._name_lock
                self._guard.disown(path)  # the next job may use it at once
                path.unlink(missing_ok=True)
                close_owned(fd)
            self._taken.release()
            self._taken = None
        super().remove()
        self._guard.close()


def _remove_unless_directory(fd: int, name: str) -> None:
    """Remove an entry that is not a directory; a link is removed, not what it leads to."""
    try:
        if not stat.S_ISDIR(os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode):
            os.unlink(name, dir_fd=fd)
    except FileNotFoundError:
        pass


def _make_locked_directory(base: Path, guard: Guard | None) -> tuple[Path, int]:
    while True:
        try:
            root = make_new_directory(base, _PREFIX, guard)
        except OSError as error:
            raise JobError(
                f"a spool directory cannot be created in {base}: {error.strerror}. Set TMPDIR to another directory"
            ) from None
        try:
            lock = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue  # another worker removed it as a leftover before it was locked
        if try_lock(lock) and root.exists():
            if guard is not None:
                guard.hold(lock)
            return root, lock
        os.close(lock)


def remove_leftovers() -> list[Path]:
    """Remove and return the spools of this user's dead workers, and end what still runs of their jobs."""
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
            # The mode distinguishes a spool from other things with such a name; the owner check keeps root out of
            # spools of other users.
            private = status.st_uid == os.geteuid() and stat.S_IMODE(status.st_mode) == 0o700
            if private and try_lock(fd):
                end_marked(root)  # first, because remaining processes may write there and recreate the spool
                if discard(root):
                    removed.append(root)
        except OSError:
            continue  # without locks on the file system it is unknown whether its worker is dead
        finally:
            os.close(fd)
    return removed
