"""Files and directories that were sent: making and verifying them."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterable, Iterator
from typing import Any

from playstream.worker.bootstrap.talk import Alive

MANIFEST = "manifest"
_CACHE = "__pycache__"
_COMPILED = "compiled"
"""The file that lists what Python compiled, with digests."""
_OWN_FILES = (MANIFEST, _COMPILED, f"{_COMPILED}.new")
_NEVER_IMPORTED = "/ansible_test/"
"""A part of the paths of files that no process of a worker imports."""


class Damaged(Exception):
    """A directory is not what was sent."""


def digest_of_compiled(path: str) -> str:
    """Return the digest of a file that Python may have compiled; empty for anything else, and if it is not private."""
    try:
        return hashlib.sha256(read_file(path, 0o600, -1)).hexdigest()
    except (Damaged, OSError):
        return ""


def mode_of(kind: str) -> int:
    """Return the mode of a kind of file in the manifest."""
    return 0o700 if kind == "program" else 0o600


def write(path: str, mode: int, pieces: Iterable[bytes]) -> None:
    """Write a new file."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    try:
        os.fchmod(fd, mode)
        for piece in pieces:
            left = memoryview(piece)
            while left:
                left = left[os.write(fd, left) :]
    finally:
        os.close(fd)


def read_file(path: str, mode: int, size: int) -> bytes:
    """Return the content of a file that must have this mode and size.

    Raises:
        Damaged: it is something else.
        OSError: it cannot be read.
    """
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode):
            raise Damaged(f"{path} is not a file")
        if found.st_uid != os.geteuid():
            raise Damaged(f"{path} belongs to user {found.st_uid}")
        if stat.S_IMODE(found.st_mode) != mode:
            raise Damaged(f"{path} has the mode {stat.S_IMODE(found.st_mode):04o} instead of {mode:04o}")
        if size >= 0 and found.st_size != size:
            raise Damaged(f"{path} has {found.st_size} bytes instead of {size}")
        pieces = []
        while piece := os.read(fd, max(found.st_size, 1)):
            pieces.append(piece)
        return b"".join(pieces)
    finally:
        os.close(fd)


def check_private(path: str) -> None:
    """Check that a directory is this user's, and that nobody else can use it.

    Raises:
        Damaged: it is not.
        OSError: it cannot be examined.
    """
    found = os.lstat(path)
    if not stat.S_ISDIR(found.st_mode):
        raise Damaged(f"{path} is not a directory")
    if found.st_uid != os.geteuid():
        raise Damaged(f"{path} belongs to user {found.st_uid}")
    if found.st_mode & 0o077:
        raise Damaged(f"{path} has the mode {stat.S_IMODE(found.st_mode):04o} instead of 0700")


def verify(directory: str, digest: str) -> tuple[list[str], dict[str, str]]:
    """Check a directory against the digest of its manifest: every file, its mode and its owner, and nothing else.

    Returns:
        The sources in it, and the digests by path of files that Python may have compiled, which are not in the
        manifest.

    Raises:
        FileNotFoundError: there is no such directory.
        Damaged: it is not what was sent.
    """
    check_private(directory)
    try:
        data = read_file(os.path.join(directory, MANIFEST), 0o600, -1)
        if hashlib.sha256(data).hexdigest() != digest:
            raise Damaged(f"{directory}/{MANIFEST} was changed")
        return check_files(directory, {path: rest for path, *rest in json.loads(data)})
    except OSError as error:
        raise Damaged(f"{error.filename or directory}: {error.strerror}") from None


def check_files(directory: str, expected: dict[str, list[Any]]) -> tuple[list[str], dict[str, str]]:
    """Check what a directory contains; see `verify`."""
    compiled: dict[str, str] = {}
    missing = dict(expected)
    for path in walk(directory):
        whole = os.path.join(directory, path)
        if path in _OWN_FILES:
            continue
        if path not in expected:
            if os.path.basename(os.path.dirname(path)) != _CACHE:
                raise Damaged(f"{whole} was not sent")
            compiled[path] = digest_of_compiled(whole)
            continue
        kind, size, value = missing.pop(path)
        if kind == "link":
            if not os.path.islink(whole) or os.readlink(whole) != value:
                raise Damaged(f"{whole} is not the link that was sent")
        elif hashlib.sha256(read_file(whole, mode_of(kind), size)).hexdigest() != value:
            raise Damaged(f"{whole} was changed")
    if missing:
        raise Damaged(f"{directory}/{next(iter(missing))} is missing")
    return [path for path in expected if path.endswith(".py")], compiled


def walk(directory: str, prefix: str = "") -> Iterator[str]:
    """Yield the paths of all entries but directories, which must be private.

    Raises:
        Damaged: one is not.
    """
    with os.scandir(os.path.join(directory, prefix)) as entries:
        found = list(entries)
    for entry in found:
        path = prefix + entry.name
        if entry.is_dir(follow_symlinks=False):
            if entry.name == _CACHE:
                os.chmod(entry.path, 0o700)  # Ansible may have made it; this fails for another user's
            check_private(entry.path)
            yield from walk(directory, f"{path}/")
        else:
            yield path


def ensure_compiled(directory: str, sources: list[str], found: dict[str, str], remembered: str | None) -> str:
    """Remove compiled files that may be anyone's, and compile the sources unless that was done.

    Args:
        directory: the directory.
        sources: the paths of the sources in it.
        found: the digests of the compiled files by path.
        remembered: the digest of the list of compiled files; None if the other side knows none.

    Returns:
        The digest of the list.
    """
    try:
        data = read_file(os.path.join(directory, _COMPILED), 0o600, -1)
    except (OSError, Damaged):
        data = b""
    is_known = hashlib.sha256(data).hexdigest() == remembered
    listed: dict[str, str] = dict(json.loads(data)) if is_known else {}
    for path, digest in found.items():
        if listed.get(path) != digest:
            os.unlink(os.path.join(directory, path))
    if is_known and all(found.get(path) == digest for path, digest in listed.items()):
        return hashlib.sha256(data).hexdigest()
    return compile_sources(directory, directory, sources)


def compile_sources(directory: str, final: str, sources: list[str]) -> str:
    """Compile the sources of a directory, list what was made, and return the digest of the list.

    Args:
        directory: the directory.
        final: the path that it will have, which tracebacks show.
        sources: their paths in it.
    """
    import py_compile  # noqa: PLC0415 - only needed once

    alive = Alive()
    made = {}
    for source in sources:
        alive()
        if _NEVER_IMPORTED in source:
            continue
        try:
            path = py_compile.compile(
                os.path.join(directory, source),
                dfile=os.path.join(final, source),
                doraise=True,
                invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
            )
        except py_compile.PyCompileError:
            continue  # a template, or a test of another version
        if path is not None:
            os.chmod(path, 0o600)
            made[os.path.relpath(path, directory)] = digest_of_compiled(path)
    data = json.dumps(sorted(made.items())).encode()
    new = os.path.join(directory, _OWN_FILES[-1])
    if os.path.lexists(new):
        os.unlink(new)  # of a process that was killed
    write(new, 0o600, [data])
    os.rename(new, os.path.join(directory, _COMPILED))
    return hashlib.sha256(data).hexdigest()
