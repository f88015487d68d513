"""A tree as it is offered: its listings, and where its contents are on this host."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from playstream.pipeline.protocol import Content, FileEntry, Listing, Log, LogLevel, Offer, TreeEnd
from playstream.pipeline.tree.digests import digest
from playstream.pipeline.tree.listings import Hashed, ListingWriter, Part, Place, split
from playstream.pipeline.tree.parts import read_part
from playstream.pipeline.tree.paths import printable
from playstream.pipeline.tree.short_listings import shorten


@dataclass(frozen=True, slots=True)
class TreeObjects:
    """What a tree consists of."""

    listings: frozenset[bytes]
    """The hashes of its listings."""
    contents: Mapping[bytes, int]
    """The hashes of its contents, each with its number in the order of their first use."""

    def __contains__(self, name: bytes) -> bool:
        return name in self.listings or name in self.contents


NOTHING = TreeObjects(frozenset(), {})


class Snapshot:
    """A tree that can be offered. It is made with `add` and `finish`.

    Args:
        algorithm: the hash function.
    """

    def __init__(self, algorithm: str) -> None:
        self._algorithm = algorithm
        self._listings: dict[bytes, bytes] = {}
        self._contents: dict[bytes, tuple[Place, Part]] = {}
        self._size = 0
        self._writer = ListingWriter(algorithm, self._listings.setdefault)
        self.root = b""
        """The hash of the root's listing."""

    def add(self, item: FileEntry | Hashed) -> None:
        """Take an entry, or the content of the last one, with its place."""
        if isinstance(item, FileEntry):
            self._writer.enter(item)
            self._size = item.size
        elif item.place is not None:
            self._writer.content(item)
            for part in split(item, self._size):
                self._contents.setdefault(part.digest, (item.place, part))

    def finish(self) -> None:
        """Complete the tree, after its last entry."""
        self.root = self._writer.finish()

    def offer(self, since: Iterable[bytes] = (), *, asks: bool = True) -> Offer:
        """Return the record that offers the tree."""
        earlier = tuple(root.hex() for root in since)
        return Offer(self.root, self._algorithm, self._writer.entries, self._writer.size, earlier, asks)

    @property
    def objects(self) -> TreeObjects:
        """What it consists of."""
        return TreeObjects(frozenset(self._listings), {name: number for number, name in enumerate(self._contents)})

    @property
    def largest_listing(self) -> int:
        """The size of its largest listing, in bytes."""
        return max(map(len, self._listings.values()))

    def listings(self, earlier: TreeObjects = NOTHING) -> Iterator[Listing]:
        """Yield the listings that an earlier tree does not have, each after one that names it."""
        for name in reversed(self._listings):
            if name not in earlier.listings:
                yield Listing(shorten(self._listings[name], earlier.contents))

    def contents(self, wanted: bytes) -> Iterator[Content | Log]:
        """Yield the contents with a bit in `wanted`, in the order of their first use."""
        for number, name in enumerate(self._contents):
            if number >> 3 < len(wanted) and wanted[number >> 3] >> (number & 7) & 1:
                yield from self._content(name)

    def contents_without(self, earlier: TreeObjects) -> Iterator[Content | Log]:
        """Yield the contents that an earlier tree does not have, in the order of their first use."""
        for name in self._contents:
            if name not in earlier:
                yield from self._content(name)

    def _content(self, name: bytes) -> Iterator[Content | Log]:
        """Yield a content. If its file has changed since it was hashed, that is sent which is there now."""
        place, part = self._contents[name]
        data = read_part(place, part)
        missing = part.size - len(data)
        if missing:
            data = data.ljust(part.size, b"\0")
            message = f"{printable(place.path)} shrank while it was sent: {missing} bytes of it are sent as zeros"
            yield Log(LogLevel.WARNING, message)
        yield Content(data, changed=digest(data, self._algorithm) != name)

    def end(self) -> TreeEnd:
        """Return the last record of the tree."""
        return TreeEnd(self._writer.entries, self._writer.size)
