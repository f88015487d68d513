"""The cache: `$XDG_CACHE_HOME/playstream/galaxy`, which only this user can enter.

    keys/DIGEST.json      of the requirements: the name of the content
    keys/DIGEST.lock      held while it is installed
    content/NAME/         collections/ and roles/, named by a digest of what is in it
    content/NAME.json     its description, by which damage is noticed
    installing-…/         what is not complete

A user of a content holds a shared lock of its directory, so that it is not removed.
"""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import re
import tempfile
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

from playstream.galaxy.content import describe, is_intact, read_json
from playstream.pipeline.errors import ConfigurationError
from playstream.pipeline.io.cancellation import Cancellation, check_canceled
from playstream.pipeline.io.locks import is_at, try_lock
from playstream.pipeline.io.owned import close_owned, own_descriptor
from playstream.pipeline.io.removal import remove_tree
from playstream.pipeline.job.galaxy import COLLECTIONS, ROLES, Installed
from playstream.pipeline.tree.directories import make_private
from playstream.pipeline.tree.user_cache import is_private, write_whole

_INSTALLING = "installing-"
_REMOVING = "removing-"
_NAME = re.compile(r"[0-9a-f]{32}")
_LOOK_SECONDS = 0.1
_ATTEMPTS = 5
_TAKEN = (errno.ENOTEMPTY, errno.EEXIST)
_KEPT_SECONDS = 60 * 24 * 3600.0
"""A key that was not used for so long is removed at the next installation."""
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_logger = logging.getLogger("playstream")

Install = Callable[[Path], None]
"""Installs into an empty directory."""


class Cache:
    """The cache of this user.

    Args:
        root: its directory, which is made if it is missing.

    Raises:
        ConfigurationError: Ansible could not find it by its path, or others could write to it.
        OSError: it cannot be made.
    """

    def __init__(self, root: Path) -> None:
        self._root = Path(os.path.realpath(root))
        if re.search(r"[:$\n]", str(self._root)):
            raise ConfigurationError(
                f"galaxy: the cache {str(self._root)!r} has a colon or a dollar sign in its path, so Ansible cannot "
                "find it. Set XDG_CACHE_HOME to another directory"
            )
        self._keys, self._contents = self._root / "keys", self._root / "content"
        for directory in (self._root, self._keys, self._contents):
            make_private(directory)
        if not is_private(self._root):
            raise ConfigurationError(
                f"galaxy: the cache {str(self._root)!r} belongs to another user, or is open to others, who could "
                "change what a job runs. Set XDG_CACHE_HOME to a directory of this user, or correct its owner and mode "
                "(0700)"
            )

    def get(self, key: str, install: Install, cancellation: Cancellation | None, *, refresh: bool) -> Installed:
        """Return what belongs to a key; install it first if it is missing or damaged.

        Args:
            key: the digest of the requirements.
            install: called if necessary.
            cancellation: requests to stop; None if it cannot be requested.
            refresh: install it in any case.

        Raises:
            Canceled: a stop was requested.
            OSError: the cache cannot be read or written.
        """
        if not refresh and (found := self._find(key)) is not None:
            return found
        with self._turn(key, cancellation):
            if not refresh and (found := self._find(key)) is not None:
                return found  # another process was faster
            with self._room() as room:
                install(room)
                found = self._publish(key, room)
        self._sweep()
        return found

    def _find(self, key: str) -> Installed | None:
        """Return what belongs to a key, if it is intact."""
        path = self._keys / f"{key}.json"
        name = read_json(path).get("content")
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            return None
        found = self._hold(name)
        if found is None or not self._is_intact(name):
            return None
        with contextlib.suppress(OSError):
            os.utime(path)  # it is in use
        return found

    def _is_intact(self, name: str) -> bool:
        files = read_json(self._contents / f"{name}.json").get("files")
        if isinstance(files, dict) and is_intact(self._contents / name, files):
            return True
        _logger.info("galaxy: %s is damaged, and is installed again", self._contents / name)
        return False

    def _hold(self, name: str) -> Installed | None:
        """Return a content with a lock on its directory; None if it is missing, or being removed."""
        path = self._contents / name
        try:
            fd = os.open(path, _DIRECTORY)
        except OSError:
            return None
        if not _lock(fd, shared=True) or not is_at(path, fd):
            os.close(fd)
            return None
        return Installed(path, name, _Held(fd))

    @contextlib.contextmanager
    def _turn(self, key: str, cancellation: Cancellation | None) -> Iterator[None]:
        """Wait until no other process installs what belongs to a key."""
        path = self._keys / f"{key}.lock"
        fd = _open_lock(path)
        try:
            while not (_lock(fd) and is_at(path, fd)):
                check_canceled(cancellation)
                time.sleep(_LOOK_SECONDS)
                os.close(fd)
                fd = _open_lock(path)
            yield
        finally:
            os.close(fd)

    @contextlib.contextmanager
    def _room(self) -> Iterator[Path]:
        """Make a directory to install into. It is removed at the end, unless it was published."""
        room = Path(tempfile.mkdtemp(prefix=_INSTALLING, dir=self._root))
        fd = os.open(room, _DIRECTORY)
        try:
            _lock(fd, shared=True)
            yield room
        finally:
            os.close(fd)
            remove_tree(room)

    def _publish(self, key: str, room: Path) -> Installed:
        """Make what was installed the content of a key."""
        for directory in (room, *(room / kind for kind in (COLLECTIONS, ROLES))):
            if directory.is_dir():
                directory.chmod(0o755)
        description = describe(room)
        name = description.name
        for _ in range(_ATTEMPTS):
            found = self._hold(name)
            if found is None or not self._is_intact(name):
                try:
                    self._replace(room, self._contents / name)
                except OSError as error:
                    if error.errno not in _TAKEN:
                        raise
                    continue  # another key has the same content, and was faster
                write_whole(self._contents / f"{name}.json", json.dumps({"files": description.files}))
                found = self._hold(name)
            if found is not None:
                write_whole(self._keys / f"{key}.json", json.dumps({"content": name}))
                return found
        raise ConfigurationError(f"galaxy: another process changes {str(self._contents / name)!r}. Start again")

    def _replace(self, room: Path, place: Path) -> None:
        if place.exists():
            place.rename(self._root / f"{_REMOVING}{os.urandom(8).hex()}")
        room.rename(place)

    def _sweep(self) -> None:
        """Remove what interrupted installations have left, keys that nobody uses, and contents without a key."""
        try:
            for path in self._root.iterdir():
                if path.name.startswith((_REMOVING, _INSTALLING)):
                    _remove_unused(path, path)
            used = {read_json(path).get("content") for path in self._list_keys()}
            for path in self._contents.iterdir():
                if path.is_dir() and path.name not in used:
                    _remove_unused(path, self._root / f"{_REMOVING}{path.name}")
        except OSError as error:
            _logger.info("galaxy: %s cannot be tidied: %s", self._root, error.strerror)

    def _list_keys(self) -> Iterator[Path]:
        """Yield the keys in use; remove the others, with their locks."""
        oldest = time.time() - _KEPT_SECONDS
        for path in self._keys.glob("*.json"):
            if path.stat().st_mtime > oldest:
                yield path
            else:
                path.unlink()
                path.with_suffix(".lock").unlink(missing_ok=True)


class _Held:
    """A lock that lasts as long as this object, and does not outlive it in a forked process.

    Args:
        fd: the locked descriptor.
    """

    def __init__(self, fd: int) -> None:
        weakref.finalize(self, close_owned, own_descriptor(fd))


def _lock(fd: int, *, shared: bool = False) -> bool:
    try:
        return try_lock(fd, shared=shared)
    except OSError:
        return True  # a file system without locks


def _open_lock(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _remove_unused(path: Path, aside: Path) -> None:
    """Remove a directory, if nobody holds its lock, from another name if it is a content."""
    try:
        fd = os.open(path, _DIRECTORY)
    except OSError:
        return
    try:
        if not _lock(fd):
            return
        if aside != path:
            path.rename(aside)
            path.with_name(f"{path.name}.json").unlink(missing_ok=True)
        remove_tree(aside)
    finally:
        os.close(fd)
