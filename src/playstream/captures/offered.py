"""The tree of a captured job that was offered, as far as the stream has its listings and its contents.

A worker with a cache gets only what it lacks. A listing and a content are known by their hashes, whatever was asked.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from playstream.pipeline.errors import ConfigurationError, IncompleteTree, RemoteProtocolError, counted
from playstream.pipeline.limits import Limits, exceeded
from playstream.pipeline.protocol import Content, FileData, FileEntry, FileType, Listing, Offer, TreeEnd
from playstream.pipeline.tree.creation import cannot_write
from playstream.pipeline.tree.digests import algorithms, digest, read_tree_name
from playstream.pipeline.tree.listings import Hashed, Part, split
from playstream.pipeline.tree.paths import printable
from playstream.pipeline.tree.short_listings import SHORT, expand
from playstream.pipeline.tree.unpack import Unpacker
from playstream.transmit.memory import Memory, is_there
from playstream.transmit.snapshot import NOTHING, TreeObjects
from playstream.worker.cache.known import KnownListings

_MAX_SINCE = 64
"""Number of earlier trees of an offer that are looked for."""
_NAMED = 5
"""Number of paths that a message names."""
_ROOT = FileEntry(b"", FileType.DIRECTORY, 0o700, 0)


class Unpacked(NamedTuple):
    """What was written of a tree."""

    entries: int
    size: int


@dataclass(slots=True)
class _Missing:
    """What could not be written."""

    files: int = 0
    directories: int = 0
    paths: list[str] = field(default_factory=list)
    """The first of them."""
    links: set[int] = field(default_factory=set)
    """The numbers of files with several names."""

    def note(self, entry: FileEntry) -> None:
        """Note an entry: a file, or a directory of which the listing is missing."""
        if entry.type is FileType.DIRECTORY:
            self.directories += 1
        else:
            self.files += 1
            if entry.link:
                self.links.add(entry.link)
        if len(self.paths) < _NAMED:
            self.paths.append(printable(entry.path))

    @property
    def text(self) -> str:
        """What it is, for a message."""
        if self.paths == [printable(b"")]:
            return "anything of the job's tree"
        kinds = [counted(self.files, "file")] if self.files else []
        if self.directories:
            kinds.append(f"what is in {'1 directory' if self.directories == 1 else f'{self.directories} directories'}")
        more = self.files + self.directories - len(self.paths)
        return f"{' and '.join(kinds)} of the job's tree: {', '.join(self.paths)}{f' and {more} more' if more else ''}"


class OfferedTree:
    """A tree that was offered. Memory grows with its listings and the number of its contents.

    Args:
        offer: the offer, which `check_algorithm` has checked.
        target: an existing directory, to write the tree into.
        limits: limits of the tree.

    Raises:
        JobError: nothing can be written into the target.
    """

    def __init__(self, offer: Offer, target: Path, limits: Limits) -> None:
        self._offer = offer
        self._target = target
        self._limits = limits
        self._listings = KnownListings(lambda _name: None, limits)
        self._listings.need([offer.root])
        self._earlier = _find_earlier(offer)
        self._earlier_contents = [list(tree.contents) for tree in self._earlier.values()]
        self._unread = 0
        """Number of listings that name contents of a tree that this host does not know."""
        self._order: dict[bytes, bytes] | None = None
        """For each content of the stream the one that follows it, if they are known; b"" is before the first."""
        self._last = b""
        self._places: dict[bytes, tuple[int, int]] = {}
        """Where in the file of contents each is, and its size."""
        self._size = 0
        self._missing = _Missing()
        self._end: TreeEnd | None = None
        try:
            # A file without a name: the contents come before it is known to which files they belong.
            self._contents = tempfile.TemporaryFile(dir=target)  # noqa: SIM115 - `close` does
        except OSError as error:
            raise cannot_write(target, b"", error) from error

    def receive(self, record: Listing | Content | TreeEnd) -> None:
        """Take a record of the tree.

        Raises:
            RemoteProtocolError: a listing is not valid, or there is more than the largest tree has.
            JobError: a content cannot be written.
        """
        if isinstance(record, Listing):
            self._take_listing(record.data)
        elif isinstance(record, Content):
            self._take_content(record)
        else:
            self._end = record

    def _take_listing(self, data: bytes) -> None:
        whole = _expand(data, ()) if data[:1] == SHORT else data
        forms = (_expand(data, contents) for contents in self._earlier_contents) if whole is None else iter([whole])
        for listing in filter(None, forms):
            name = digest(listing, self._offer.algorithm)
            if name in self._listings.needed:
                self._listings.receive(name, listing)
                return
        if not self._builds_on_others:
            raise _broken("received a listing that no other one names, or one twice")
        self._unread += whole is None

    @property
    def _builds_on_others(self) -> bool:
        """Whether the stream may lack what its worker had."""
        return self._offer.asks or bool(self._offer.since)

    def _take_content(self, content: Content) -> None:
        name = digest(content.data, self._offer.algorithm)
        if content.changed:  # the hash is not that which the listings name
            if self._order is None:
                self._order = self._find_order()
            name = self._order.get(self._last, name)
        self._last = name
        self._size += len(content.data)
        if self._size > self._limits.max_tree_bytes:
            raise exceeded("the tree has too many bytes", self._limits.max_tree_bytes, "max_tree_bytes")
        try:
            self._places[name] = self._contents.tell(), len(content.data)
            self._contents.write(content.data)
        except OSError as error:
            raise cannot_write(self._target, b"", error) from error

    def _find_order(self) -> dict[bytes, bytes]:
        """Return the order of the contents of the stream, if it is known which of them were sent."""
        root = self._offer.since[0] if self._offer.since else None
        base = NOTHING if root is None else self._earlier.get(root)
        if self._offer.asks or base is None or self._unread or (root is None and self._listings.needed):
            return {}
        sent: dict[bytes, None] = {}
        for item, size in self._listings.walk_known(self._offer.root):
            if isinstance(item, Hashed):
                sent.update((part.digest, None) for part in split(item, size) if part.digest not in base)
        return dict(zip([b"", *sent], sent, strict=False))

    def write(self) -> Unpacked:
        """Write what there is.

        Raises:
            UnsafePath: an entry would leave the target.
            RemoteProtocolError: a listing is not valid.
            LimitExceeded: the tree has too many entries or bytes.
            JobError: something cannot be written.
        """
        missing = self._missing = _Missing()
        entry = _ROOT
        entries, size = 1, 0
        with Unpacker(self._target, trusted=False, limits=self._limits) as unpacker:
            unpacker.receive(_ROOT)
            for item, file_size in self._listings.walk_known(self._offer.root):
                if isinstance(item, FileEntry):
                    entry = item
                    if entry.type is FileType.FILE and file_size:
                        continue  # what follows tells whether its content is there
                    if entry.type is FileType.HARDLINK and entry.link in missing.links:
                        missing.note(entry)
                        continue
                    unpacker.receive(entry)
                elif isinstance(item, Hashed) and self._has(item, file_size):
                    unpacker.receive(entry)
                    for part in split(item, file_size):
                        unpacker.receive(FileData(self._read(part)))
                    size += file_size
                else:
                    missing.note(entry)
                    continue
                entries += 1
            unpacker.receive(TreeEnd(entries, size))
        return Unpacked(entries, size)

    def _has(self, content: Hashed, size: int) -> bool:
        return all(part.digest in self._places for part in split(content, size))

    def _read(self, part: Part) -> bytes:
        place, size = self._places[part.digest]
        if size != part.size:
            raise _broken(f"a content has {size} bytes, and a listing says {part.size}")
        try:
            self._contents.seek(place)
            return self._contents.read(size)
        except OSError as error:
            raise cannot_write(self._target, b"", error) from error

    def check(self, written: Unpacked) -> None:
        """Check after the end of the stream that all of the tree was written.

        Args:
            written: what was.

        Raises:
            IncompleteTree: the stream does not have all of it.
            RemoteProtocolError: the end of the tree says something else.
        """
        missing, end = self._missing, self._end
        if missing.files or missing.directories:
            raise IncompleteTree(self._explain())
        if end is not None and (end.entries, end.size) != written:
            raise _broken(
                f"expected {end.entries} entries and {end.size} bytes, got {written.entries} and {written.size}"
            )

    def _explain(self) -> str:
        offer, missing = self._offer, self._missing
        if offer.asks:
            why = "Its worker had these in its cache, and asked only for the others"
        elif offer.since:
            name = f"{offer.algorithm}:{offer.since[0]}"
            tree = name if read_tree_name(name) else "of an earlier job"
            why = f"It was sent with --since, so it only has what has changed since the tree {tree}"
        else:
            why = "Its sender has left them out, or a file has changed while it was sent"
        if self._unread:
            why += (
                f". {counted(self._unread, 'listing')} of it can only be read by the user who has sent it, on the host "
                "that still remembers that tree"
            )
        return (
            f"the capture does not have {missing.text}. {why}. What it has was unpacked. For a capture that has "
            "everything, write a job to a file with transmit, without --since or with --since none"
        )

    def close(self) -> None:
        """Close what is open. What was written remains."""
        self._contents.close()


def check_algorithm(offer: Offer) -> None:
    """Check that this host has the hash function of an offer.

    Raises:
        ConfigurationError: it has not.
    """
    if offer.algorithm not in algorithms():
        raise ConfigurationError(
            f"the tree of this job has hashes of {printable(offer.algorithm.encode(errors='replace'))}, and this host "
            f"only has {', '.join(algorithms())}. If it is blake3, install the Python package blake3"
        )


def _expand(short: bytes, contents: Sequence[bytes]) -> bytes | None:
    """Return the listing that a short one stands for; None if it builds on another tree, or is not valid."""
    try:
        return expand(short, contents)
    except RemoteProtocolError:
        return None


def _find_earlier(offer: Offer) -> dict[str, TreeObjects]:
    """Return those of the earlier trees of an offer that this user has sent from this host and still remembers."""
    found: dict[str, TreeObjects] = {}
    if not offer.since or not is_there():
        return found
    with closing(Memory(None, offer.algorithm)) as memory:
        for root in offer.since[: _MAX_SINCE if offer.asks else 1]:
            name = read_tree_name(f"{offer.algorithm}:{root}")
            objects = None if name is None else memory.objects(None, name[1])
            if objects is not None:
                found[root] = objects
    return found


def _broken(what: str) -> RemoteProtocolError:
    return RemoteProtocolError(f"the offered tree is not valid: {what}. The sender is broken or hostile")
