"""The listings of an offered tree, and of the earlier ones that its sender names, as far as the worker knows them.

They are held in memory. How much they take is limited whoever has sent them: also those of the cache were sent once,
perhaps by many jobs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from playstream.pipeline.errors import RemoteProtocolError
from playstream.pipeline.limits import Limits, exceeded
from playstream.pipeline.protocol import FileEntry
from playstream.pipeline.tree.listings import MAX_WHOLE, Absent, Hashed, references, split, walk, walk_known
from playstream.worker.cache.difference import Difference, compare

MAX_LISTING_BYTES = 1 << 28
"""Maximum size of all listings that arrive for a tree, in bytes, and of those that are read from the cache for it. A
million entries take about half."""
_Item = TypeVar("_Item", bound=FileEntry | Hashed | Absent)
_FILE_LISTINGS = 3
"""Number of listings that MAX_WHOLE bytes of a large file need at most."""


class KnownListings:
    """Listings by their hashes.

    Args:
        read: returns an object of the cache, verified; None if it is missing.
        limits: limits of a tree.
    """

    def __init__(self, read: Callable[[bytes], bytes | None], limits: Limits) -> None:
        self._read = read
        self._limits = limits
        self._listings: dict[bytes, bytes] = {}
        self._whole: set[bytes] = set()
        """The hashes of those in which nothing is missing."""
        self._sought: set[bytes] = set()
        """The hashes of those of the offered tree that were looked for."""
        self._arrived: set[bytes] = set()
        self._arrived_bytes = 0
        self._read_bytes = 0
        self.needed: set[bytes] = set()
        """The hashes of those that the offered tree needs and that have not arrived."""

    def need(self, roots: Iterable[bytes]) -> None:
        """Add to `needed` what is missing in trees, as far as that is known."""
        for root in roots:
            self.needed |= self._search(root, self._sought)

    def find_missing(self, root: bytes) -> set[bytes]:
        """Return the hashes of the listings that are missing in a tree, as far as that is known.

        Raises:
            RemoteProtocolError: an object of the cache is not a listing.
        """
        seen: set[bytes] = set()
        missing = self._search(root, seen)
        if not missing:
            self._whole |= seen
        return missing

    def _search(self, root: bytes, seen: set[bytes]) -> set[bytes]:
        """Return the hashes of the listings that are missing in a tree, but for those that were seen, and note all."""
        missing, open_ = set(), [root]
        while open_:
            name = open_.pop()
            if name in seen or name in self._whole:
                continue
            seen.add(name)
            data = self._find(name)
            if data is None:
                missing.add(name)
            else:
                open_.extend(references(data))
        return missing

    def _find(self, name: bytes) -> bytes | None:
        """Return a listing that is known or that the cache has."""
        data = self._listings.get(name)
        if data is None and name not in self.needed and self._read_bytes <= MAX_LISTING_BYTES:
            data = self._read(name)
            if data is not None:
                self._read_bytes += len(data)
                self._listings[name] = data
        return data

    def receive(self, name: bytes, data: bytes) -> bool:
        """Take a listing that has arrived; return whether it was needed.

        Raises:
            RemoteProtocolError: no other one names it, or it came twice, or is not a listing, or all are too large.
            LimitExceeded: there are more than the largest tree has.
        """
        self._arrived_bytes += len(data)
        if self._arrived_bytes > MAX_LISTING_BYTES:
            raise RemoteProtocolError(
                f"the offered tree is not valid: its listings have more than {MAX_LISTING_BYTES} bytes. Send the job "
                "whole, to a worker without --cache"
            )
        if name in self._arrived or not (name in self.needed or name in self._listings):
            raise RemoteProtocolError(
                "the offered tree is not valid: received a listing that no other one names, or one twice. The sender "
                "is broken or hostile"
            )
        self._arrived.add(name)
        limits = self._limits
        if len(self._arrived) > limits.max_tree_entries + _FILE_LISTINGS * (limits.max_tree_bytes // MAX_WHOLE):
            raise exceeded("the tree has too many entries", limits.max_tree_entries, "max_tree_entries")
        if name not in self.needed:
            return False  # the cache has it, which the sender does not know
        self.needed.discard(name)
        self._listings[name] = data
        self.need(references(data))
        return True

    def check(self, entries: int, size: int) -> None:
        """Check the number of entries and bytes of a tree.

        Raises:
            LimitExceeded: it has too many.
        """
        if entries > self._limits.max_tree_entries:
            raise exceeded("the tree has too many entries", self._limits.max_tree_entries, "max_tree_entries")
        if size > self._limits.max_tree_bytes:
            raise exceeded("the tree has too many bytes", self._limits.max_tree_bytes, "max_tree_bytes")

    def compare(self, earlier: bytes, later: bytes) -> Difference:
        """Compare two trees whose listings are all there, as `difference.compare`.

        Raises:
            RemoteProtocolError: a listing is not valid.
            LimitExceeded: the later tree has too many entries.
        """
        return compare(earlier, later, self.listing, self._limits.max_tree_entries)

    def listing(self, name: bytes) -> bytes:
        """Return a listing that is not missing."""
        return self._listings[name]

    def walk(self, root: bytes) -> Iterator[tuple[FileEntry | Hashed, int]]:
        """Yield the entries and contents of a tree whose listings are all there, each with the size of its file.

        Raises:
            RemoteProtocolError: a listing is not valid, or the tree is too deep.
            LimitExceeded: it has too many entries or bytes. A file that is too large is noticed before its blocks.
        """
        return self._measured(walk(root, self.listing, self._limits.max_tree_entries))

    def walk_known(self, root: bytes) -> Iterator[tuple[FileEntry | Hashed | Absent, int]]:
        """Yield the same of a tree of which listings may be missing, with an Absent in place of each.

        Raises:
            RemoteProtocolError: as `walk`.
            LimitExceeded: as `walk`.
        """
        return self._measured(walk_known(root, self._listings.get, self._limits.max_tree_entries))

    def _measured(self, items: Iterator[_Item]) -> Iterator[tuple[_Item, int]]:
        size = total = 0
        for item in items:
            if isinstance(item, FileEntry):
                size = item.size
                total += size
                self.check(0, total)
            yield item, size

    def contents(self, root: bytes) -> dict[bytes, None]:
        """Return the contents of a tree whose listings are all there, in the order of their first use.

        Raises:
            RemoteProtocolError: as `walk`.
            LimitExceeded: as `walk`.
        """
        return {
            part.digest: None
            for item, size in self.walk(root)
            if isinstance(item, Hashed)
            for part in split(item, size)
        }

    def objects(self, root: bytes) -> frozenset[bytes] | None:
        """Return the hashes of what a tree is made of; None if a listing is missing.

        Raises:
            RemoteProtocolError: as `walk`.
            LimitExceeded: as `walk`.
        """
        if self.find_missing(root):
            return None
        found, open_ = set(), [root]
        while open_:
            name = open_.pop()
            if name not in found:
                found.add(name)
                open_.extend(references(self._listings[name]))
        return frozenset((*found, *self.contents(root)))
