"""The directories that were sent: using, adding and removing them."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import stat
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from playstream.worker.bootstrap.files import (
    MANIFEST,
    Damaged,
    check_private,
    compile_sources,
    ensure_compiled,
    mode_of,
    verify,
    write,
)
from playstream.worker.bootstrap.owners import find_weakness
from playstream.worker.bootstrap.talk import Failure, read, read_piece

_NAME_SIZE = 32
"""Characters of the name of a directory."""
_UNUSED_SECONDS = 30 * 24 * 3600
"""Directories that were not used for so long are removed when another one is sent."""


def use(place: str, request: dict[str, Any]) -> dict[str, Any]:
    """Verify a directory, and see to its compiled files.

    Raises:
        Failure: somebody else can put something else into its place.
        OSError: they cannot be written.
    """
    directory = os.path.join(place, request["name"])
    if not os.path.lexists(place):
        return {"state": "absent"}
    make_place(place)
    try:
        with locked(place):
            return {"state": "ready", "compiled": verify_for_use(directory, request)}
    except FileNotFoundError:
        return {"state": "absent"}
    except Damaged as damage:
        return {"state": "damaged", "why": str(damage)}


def verify_for_use(directory: str, request: dict[str, Any]) -> str:
    """Verify a directory; return the digest of its compiled files, which are made again unless they are as expected.

    Raises:
        FileNotFoundError, Damaged, OSError: as for `verify`.
    """
    sources, found = verify(directory, request["digest"])
    compiled = ensure_compiled(directory, sources, found, request["compiled"])
    os.utime(directory)
    return compiled


def take(place: str, request: dict[str, Any]) -> dict[str, Any]:
    """Unpack what is sent into a directory of another name, and rename it.

    Raises:
        Failure: a file has arrived damaged, or somebody else can put something else into the place of the directory.
        EOFError: the other side has gone.
        OSError: a file cannot be written.
    """
    make_place(place)
    remove_unused(place)
    manifest = read(request["size"])
    entries = json.loads(manifest)
    final = os.path.join(place, request["name"])
    directory = os.path.join(place, f".new-{os.urandom(8).hex()}")
    os.mkdir(directory, 0o700)
    try:
        with locked(directory):  # so that nobody takes it for one that was left
            unpack(directory, manifest, entries)
            sources = [path for path, *_rest in entries if path.endswith(".py")]
            compiled = compile_sources(directory, final, sources)
            with locked(place):
                return {"state": "ready", "compiled": put(directory, final, compiled, request)}
    finally:
        remove_tree(directory)


def put(directory: str, final: str, compiled: str, request: dict[str, Any]) -> str:
    """Rename a directory to its final name, unless another process has put the same there meanwhile."""
    try:
        return verify_for_use(final, {**request, "compiled": compiled})
    except FileNotFoundError:
        pass
    except Damaged:
        old = os.path.join(os.path.dirname(final), f".old-{os.urandom(8).hex()}")
        os.rename(final, old)
        remove_tree(old)
    os.rename(directory, final)
    return compiled


def unpack(directory: str, manifest: bytes, entries: list[list[Any]]) -> None:
    """Write the files that the manifest lists, from the data that follows."""
    content = Content()
    made = {""}
    write(os.path.join(directory, MANIFEST), 0o600, [manifest])
    for path, kind, size, value in entries:
        parent = os.path.dirname(path)
        if parent not in made:
            os.makedirs(os.path.join(directory, parent), 0o700, exist_ok=True)
            made.add(parent)
        whole = os.path.join(directory, path)
        if kind == "link":
            os.symlink(value, whole)
            continue
        digest = hashlib.sha256()
        write(whole, mode_of(kind), content.pieces(size, digest.update))
        if digest.hexdigest() != value:
            raise Failure(f"{path} has arrived damaged")
    content.end()


class Content:
    """The content of all files, decompressed piece by piece."""

    def __init__(self) -> None:
        self._inflater = zlib.decompressobj()
        self._waiting = b""

    def pieces(self, size: int, note: Callable[[bytes], object]) -> Iterator[bytes]:
        """Yield the next `size` bytes, and pass each piece to `note` too."""
        while size:
            piece, self._waiting = self._waiting[:size], self._waiting[size:]
            if not piece:
                self._waiting = self._inflater.decompress(read_piece())
                continue
            size -= len(piece)
            note(piece)
            yield piece

    def end(self) -> None:
        """Read the empty piece at the end."""
        while read_piece():
            pass


def make_place(place: str) -> None:
    """Make the directory for everything that is sent; check it if it exists, and those above it.

    Raises:
        Failure: somebody else can write to it, or put another one into its place.
        OSError: it cannot be made.
    """
    above = os.path.dirname(os.path.dirname(place))
    os.makedirs(above, 0o700, exist_ok=True)
    if (weakness := find_weakness(above, os.geteuid())) is not None:
        raise Failure(
            f"others could change what runs, because {weakness}. Correct its owner or mode (chmod go-w), or set "
            "XDG_CACHE_HOME to another directory"
        )
    for path in (os.path.dirname(place), place):
        try:
            os.mkdir(path, 0o700)
        except FileExistsError:
            found = os.lstat(path)
            if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
                raise Failure(f"{path} is not a directory of this user. Remove it, or set XDG_CACHE_HOME") from None
            if stat.S_IMODE(found.st_mode) & 0o077:
                os.chmod(path, 0o700)


@contextmanager
def locked(directory: str) -> Iterator[None]:
    """Hold the lock of a directory. A file system without locks has none."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
        except OSError:
            pass
        yield
    finally:
        os.close(fd)


def is_held(directory: str) -> bool:
    """Return whether another process unpacks this directory."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        pass
    finally:
        os.close(fd)
    return False


def remove_unused(place: str) -> None:
    """Remove what was not used for a long time, and what connections that were cut have left."""
    for name, path in ours(place):
        try:
            unused = os.lstat(path).st_mtime < time.time() - _UNUSED_SECONDS
            if (unused or name.startswith(".")) and not is_held(path) and not users_of(path):
                remove_tree(path)
        except OSError:
            pass  # another process removes it too


def ours(place: str) -> Iterator[tuple[str, str]]:
    """Yield the name and the path of each directory that was sent, or is being sent."""
    for name in sorted(os.listdir(place)):
        path = os.path.join(place, name)
        is_digest = len(name) == _NAME_SIZE and not set(name) - set("0123456789abcdef")
        if (is_digest or name.startswith((".new-", ".old-"))) and not os.path.islink(path) and os.path.isdir(path):
            yield name, path


def users_of(path: str) -> list[int]:
    """Return the processes that run programs of a directory."""
    found = []
    for name in os.listdir("/proc") if os.path.isdir("/proc") else []:
        try:
            if name.isdigit():
                with open(f"/proc/{name}/cmdline", "rb") as file:  # noqa: PTH123 - pathlib takes long to load
                    if os.fsencode(f"{path}/") in file.read():
                        found.append(int(name))
        except OSError:
            pass  # it has ended
    return found


def remove_tree(path: str) -> None:
    """Remove an entry, as far as that is possible; a link is not followed."""
    if os.path.islink(path) or os.path.isfile(path):
        os.unlink(path)
        return
    import shutil  # noqa: PLC0415 - most uses remove nothing

    shutil.rmtree(path, ignore_errors=True)


def remove(place: str) -> dict[str, Any]:
    """Remove every directory that was sent and is not in use."""
    removed: list[str] = []
    kept: list[str] = []
    if not os.path.isdir(place):
        return {"removed": removed, "kept": kept}
    check_private(os.path.dirname(place))
    others = set(os.listdir(place)) - {name for name, _path in ours(place)}
    with locked(place):
        for _name, path in ours(place):
            users = users_of(path)
            if users or is_held(path):
                kept.append(f"{path} is in use" + (f" by process {users[0]}" if users else ""))
                continue
            remove_tree(path)
            if os.path.lexists(path):
                kept.append(f"{path} cannot be removed")
            else:
                removed.append(path)
    kept += [f"{os.path.join(place, name)} was not sent" for name in sorted(others)]
    for path in (place, os.path.dirname(place)):
        try:
            os.rmdir(path)
        except OSError:
            break  # something is left in it
    return {"removed": removed, "kept": kept}
