"""What differs between two trees whose listings are known."""

from __future__ import annotations

from dataclasses import dataclass, field

from playstream.pipeline.limits import exceeded
from playstream.pipeline.protocol import FileEntry, FileType
from playstream.pipeline.tree.listings import Fetch, read_directory


@dataclass(slots=True)
class Difference:
    """What an earlier tree has that a later one does not have so. Paths are relative to the root."""

    gone: set[bytes] = field(default_factory=set)
    """Entries that are missing or others later, but for directories that still exist; not those below them."""
    changed: set[bytes] = field(default_factory=set)
    """Directories with another mode or time, or without an entry that they had."""


def compare(earlier: bytes, later: bytes, fetch: Fetch, max_entries: int) -> Difference:
    """Compare two trees. Directories with one listing are not looked into.

    Args:
        earlier: the hash of the listing of a tree.
        later: that of another one.
        fetch: returns a listing.
        max_entries: the number of entries of the later one after which it is refused: one listing may be used many
            times.

    Raises:
        RemoteProtocolError: a listing is not valid.
        LimitExceeded: the later tree has too many entries.
    """
    found = Difference()
    count = 1
    open_ = [(b"", earlier, later)]
    while open_:
        directory, first, second = open_.pop()
        if first == second:
            continue
        prefix = directory and directory + b"/"
        entries = _read(fetch(second), prefix)
        count += len(entries)
        if count > max_entries:
            raise exceeded("the tree has too many entries", max_entries, "max_tree_entries")
        for path, (entry, name) in _read(fetch(first), prefix).items():
            other = entries.get(path)
            if other == (entry, name):
                continue
            if other is None or not (entry.type is other[0].type is FileType.DIRECTORY):
                found.gone.add(path)
                found.changed.add(directory)
                continue
            if other[0] != entry:
                found.changed.add(path)
            open_.append((path, name, other[1]))
    return found


def _read(data: bytes, prefix: bytes) -> dict[bytes, tuple[FileEntry, bytes]]:
    return {entry.path: (entry, name) for entry, name in read_directory(data, prefix)}
