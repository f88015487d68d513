"""Listings: a tree as objects that are named by their hashes, without IO.

A directory is a listing of its entries, each with the hash of its content or of its own listing. A file over MAX_WHOLE
bytes is a listing of groups of blocks, so that a changed byte changes one block, one group and the listings above.
docs/protocol.md specifies the bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from playstream.pipeline.errors import RemoteProtocolError
from playstream.pipeline.limits import exceeded
from playstream.pipeline.protocol.records import FileEntry, FileType
from playstream.pipeline.tree.digests import DIGEST_SIZE, digest
from playstream.pipeline.tree.paths import MAX_DEPTH, MAX_NAME, MAX_PATH, SPECIAL_NAMES, printable

MAX_WHOLE = 1 << 20
"""Maximum size of a content that is one object, in bytes."""
BLOCK_SIZE = 1 << 16
"""Size of the blocks of a larger one; the last may be shorter."""
DIRECTORY = b"D"
"""The first byte of the listing of a directory."""
GROUP_BLOCKS = 64
"""Number of blocks in a group; the last may have fewer."""
_GROUPS, _BLOCKS = b"G", b"B"
_ENTRY = struct.Struct("<BHqQIHH")
_TYPES = {int(kind): kind for kind in FileType}
_MAX_MODE = 0o7777

Fetch = Callable[[bytes], bytes]
"""Returns the listing with a hash."""
Find = Callable[[bytes], bytes | None]
"""Returns the listing with a hash; None if it is missing."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a file is on this host."""

    root: Path
    path: bytes
    """Relative to the root; no component of it is a link."""


@dataclass(frozen=True, slots=True)
class Hashed:
    """A content, named by the hashes of its parts. In a walk over a tree it follows its FileEntry."""

    digests: bytes
    """One hash of the whole, or of more than MAX_WHOLE bytes one of each block, one after another."""
    place: Place | None = None
    """Where it is; None if that is not known."""


@dataclass(frozen=True, slots=True)
class Absent:
    """What is in a directory, or the names of the parts of a large file, of which the listing is missing.

    In a walk over a tree it follows its FileEntry; that of the root directory comes first.
    """


@dataclass(frozen=True, slots=True)
class Part:
    """A content that is one object, or a block of a larger one."""

    digest: bytes
    offset: int
    size: int


def split(content: Hashed, size: int) -> Iterator[Part]:
    """Yield the parts of a content of `size` bytes."""
    if size <= MAX_WHOLE:
        yield Part(content.digests, 0, size)
        return
    step = BLOCK_SIZE
    for number, start in enumerate(range(0, size, step)):
        name = content.digests[number * DIGEST_SIZE : (number + 1) * DIGEST_SIZE]
        yield Part(name, start, min(step, size - start))


def part_count(size: int) -> int:
    """Return the number of parts of a content of `size` bytes."""
    return min(size, 1) if size <= MAX_WHOLE else -(-size // BLOCK_SIZE)


class ListingWriter:
    """Makes the listings of a tree from its entries, depth first, as `pack` yields them.

    Args:
        algorithm: the hash function.
        emit: takes each listing with its hash as soon as it is complete, those below a listing before it.
    """

    def __init__(self, algorithm: str, emit: Callable[[bytes, bytes], object]) -> None:
        self._algorithm = algorithm
        self._emit = emit
        self._open: list[tuple[FileEntry, list[bytes]]] = []
        """The directories that contain the last entry, and what their listings consist of so far."""
        self._file: FileEntry | None = None
        """A file whose content follows."""
        self.entries = 0
        self.size = 0

    def enter(self, entry: FileEntry) -> None:
        """Take an entry."""
        self.entries += 1
        while len(self._open) > 1 and not entry.path.startswith(self._open[-1][0].path + b"/"):
            self._leave()
        if entry.type is FileType.DIRECTORY:
            self._open.append((entry, [DIRECTORY]))
        elif entry.type is FileType.FILE and entry.size:
            self._file = entry
        else:
            self._add(entry, b"")

    def content(self, content: Hashed) -> None:
        """Take the content of the last entry, a file that is not empty."""
        entry, self._file = self._file, None
        if entry is None:
            raise ValueError("content without a file")
        self.size += entry.size
        name = content.digests
        if entry.size > MAX_WHOLE:
            step = GROUP_BLOCKS * DIGEST_SIZE
            groups = [self._store(_BLOCKS + name[start : start + step]) for start in range(0, len(name), step)]
            name = self._store(_GROUPS + b"".join(groups))
        self._add(entry, name)

    def finish(self) -> bytes:
        """Return the hash of the root's listing, after the last entry."""
        while len(self._open) > 1:
            self._leave()
        (_root, pieces), self._open = self._open[0], []
        return self._store(b"".join(pieces))

    def _leave(self) -> None:
        entry, pieces = self._open.pop()
        self._add(entry, self._store(b"".join(pieces)))

    def _add(self, entry: FileEntry, name: bytes) -> None:
        path = entry.path.rpartition(b"/")[2]
        fixed = _ENTRY.pack(
            entry.type, entry.mode, entry.mtime_ns, entry.size, entry.link, len(path), len(entry.target)
        )
        self._open[-1][1].extend((fixed, path, entry.target, name))

    def _store(self, data: bytes) -> bytes:
        name = digest(data, self._algorithm)
        self._emit(name, data)
        return name


def read_directory(data: bytes, prefix: bytes = b"") -> Iterator[tuple[FileEntry, bytes]]:
    """Yield the entries of the listing of a directory, each with its hash or nothing.

    Args:
        data: the listing.
        prefix: what the paths of the entries begin with: empty, or the path of the directory and a slash.

    Raises:
        RemoteProtocolError: it is not the listing of a directory.
    """
    if data[:1] != DIRECTORY:
        raise _broken("expected a directory")
    place, end = 1, len(data)
    names: set[bytes] = set()
    while place < end:
        if end - place < _ENTRY.size:
            raise _broken("an entry is too short")
        kind, mode, mtime_ns, size, link, name_size, target_size = _ENTRY.unpack_from(data, place)
        place += _ENTRY.size
        type_ = _TYPES.get(kind)
        has_hash = type_ is FileType.DIRECTORY or (type_ is FileType.FILE and size > 0)
        target_at = place + name_size
        hash_at = target_at + target_size
        after = hash_at + (DIGEST_SIZE if has_hash else 0)
        name = data[place:target_at]
        if type_ is None or mode > _MAX_MODE or after > end or (size and type_ is not FileType.FILE):
            raise _broken(f"the entry {printable(name[:MAX_NAME])} is not well formed")
        if not name or name in SPECIAL_NAMES or b"/" in name or b"\0" in name or len(name) > MAX_NAME:
            raise _broken(f"the name {printable(name[:MAX_NAME])} is not valid")
        if name in names:
            raise _broken(f"the name {printable(name)} is there twice")
        names.add(name)
        yield FileEntry(prefix + name, type_, mode, mtime_ns, size, link, data[target_at:hash_at]), data[hash_at:after]
        place = after


def scan(data: bytes, place: int, *, hash_size: int) -> Iterator[tuple[int, int, bool]]:
    """Yield the entries of a directory without reading them: where each begins and ends, and whether it has a hash.

    Args:
        data: the entries, up to its end.
        place: where they begin.
        hash_size: the size of the hash that follows an entry which has one.

    Raises:
        RemoteProtocolError: an entry is not complete.
    """
    end = len(data)
    while place < end:
        if end - place < _ENTRY.size:
            raise _broken("an entry is too short")
        kind, _mode, _mtime_ns, size, _link, name_size, target_size = _ENTRY.unpack_from(data, place)
        has_hash = kind == FileType.DIRECTORY or (kind == FileType.FILE and size > 0)
        stop = place + _ENTRY.size + name_size + target_size
        after = stop + (hash_size if has_hash else 0)
        if after > end:
            raise _broken("an entry is too short")
        yield place, stop, has_hash
        place = after


def read_groups(data: bytes, size: int) -> list[bytes]:
    """Return the hashes of the groups of a content of `size` bytes, more than MAX_WHOLE.

    Raises:
        RemoteProtocolError: it is not the listing of so many groups.
    """
    return _read_hashes(_GROUPS, data, -(-part_count(size) // GROUP_BLOCKS))


def read_blocks(data: bytes, count: int) -> bytes:
    """Return the hashes of `count` blocks, one after another.

    Raises:
        RemoteProtocolError: it is not the listing of so many blocks.
    """
    return b"".join(_read_hashes(_BLOCKS, data, count))


def _read_hashes(kind: bytes, data: bytes, count: int) -> list[bytes]:
    if data[:1] != kind or len(data) != 1 + count * DIGEST_SIZE:
        raise _broken(f"expected {count} hashes of the parts of a file")
    return [data[start : start + DIGEST_SIZE] for start in range(1, len(data), DIGEST_SIZE)]


def read_content(name: bytes, size: int, fetch: Fetch) -> Hashed:
    """Return the content of a file from the hash in its entry.

    Raises:
        RemoteProtocolError: its listings do not have the parts that its size requires.
    """
    return cast("Hashed", _find_content(name, size, fetch))  # nothing is absent


def _find_content(name: bytes, size: int, find: Find) -> Hashed | Absent:
    """Return a content as `read_content` does; Absent if a listing of it is missing."""
    if size <= MAX_WHOLE:
        return Hashed(name)
    listing = find(name)
    if listing is None:
        return Absent()
    left = part_count(size)
    digests = []
    for group in read_groups(listing, size):
        blocks = find(group)
        if blocks is None:
            return Absent()
        digests.append(read_blocks(blocks, min(left, GROUP_BLOCKS)))
        left -= GROUP_BLOCKS
    return Hashed(b"".join(digests))


def walk(root: bytes, fetch: Fetch, max_entries: int) -> Iterator[FileEntry | Hashed]:
    """Yield the entries of a tree without its root, depth first; each file that is not empty before its content.

    Args:
        root: the hash of the root's listing.
        fetch: returns a listing.
        max_entries: the number of entries after which the tree is refused: one listing may be used many times.

    Raises:
        RemoteProtocolError: a listing is not valid, or the tree is too deep.
        LimitExceeded: it has too many entries.
    """
    return cast("Iterator[FileEntry | Hashed]", walk_known(root, fetch, max_entries))  # nothing is absent


def walk_known(root: bytes, find: Find, max_entries: int) -> Iterator[FileEntry | Hashed | Absent]:
    """Yield a tree as `walk` does, with an Absent in place of each part whose listing is missing.

    Args:
        root: as for `walk`.
        find: returns a listing; None if it is missing.
        max_entries: as for `walk`.

    Raises:
        RemoteProtocolError: as `walk`.
        LimitExceeded: as `walk`.
    """
    count = 1
    listing = find(root)
    if listing is None:
        yield Absent()
        return
    open_ = [read_directory(listing)]
    while open_:
        for entry, name in open_[-1]:
            count += 1
            path = entry.path
            if count > max_entries:
                raise exceeded("the tree has too many entries", max_entries, "max_tree_entries")
            if len(path) > MAX_PATH or len(open_) > MAX_DEPTH:
                raise _broken(f"{printable(path)} is too long or too deep")
            yield entry
            if entry.type is FileType.DIRECTORY:
                listing = find(name)
                if listing is not None:
                    open_.append(read_directory(listing, path + b"/"))
                    break
                yield Absent()
            elif name:
                yield _find_content(name, entry.size, find)
        else:
            open_.pop()


def references(data: bytes) -> Iterator[bytes]:
    """Yield the hashes of the listings that a listing names.

    Raises:
        RemoteProtocolError: it is not a listing.
    """
    if data[:1] == DIRECTORY:
        for entry, name in read_directory(data):
            if entry.type is FileType.DIRECTORY or entry.size > MAX_WHOLE:
                yield name
    elif data[:1] == _GROUPS:
        yield from _read_hashes(_GROUPS, data, (len(data) - 1) // DIGEST_SIZE)
    elif data[:1] != _BLOCKS:
        raise _broken("expected a directory, groups or blocks")


def _broken(what: str) -> RemoteProtocolError:
    return RemoteProtocolError(f"a listing of the offered tree is not valid: {what}. The sender is broken or hostile")
