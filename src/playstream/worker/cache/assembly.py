"""Assembling an offered tree: from the cache, and from what is asked for because the cache lacks it.

Everything that the cache has is written first, and verified while it is read. What is missing or damaged is known then,
and is asked for at once. So there are at most two questions, whatever the cache has lost: one for listings, and one for
contents.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Protocol

from playstream.pipeline.errors import JobError, RemoteProtocolError
from playstream.pipeline.limits import Limits
from playstream.pipeline.protocol import Content, FileData, FileEntry, FileType, Listing, Offer, Record, TreeEnd, Want
from playstream.pipeline.tree.creation import cannot_write
from playstream.pipeline.tree.digests import DIGEST_SIZE, digest, name_tree
from playstream.pipeline.tree.listings import Part, Place, split
from playstream.pipeline.tree.parts import read_part
from playstream.pipeline.tree.paths import printable
from playstream.pipeline.tree.short_listings import SHORT, expand
from playstream.pipeline.tree.unpack import Unpacker
from playstream.worker.cache.known import KnownListings
from playstream.worker.cache.reuse import READABLE, ReadyTrees, Reuse, is_closed

_MAX_SINCE = 64
"""Number of earlier trees of an offer that are looked for."""
_STOP_ENTRIES = 64
"""Number of entries after which a request to stop is looked for."""
_ROOT = FileEntry(b"", FileType.DIRECTORY, 0o700, 0)


class Objects(ReadyTrees, Protocol):
    """A cache of objects that are named by their hashes, such as a Store."""

    def read(self, name: bytes, /) -> bytes | None:
        """Return an object, verified; None if it is missing or damaged."""

    def read_ahead(self, names: Sequence[bytes], /) -> Iterator[bytes | None]:
        """Yield many objects in their order, as `read` returns them."""

    def holds(self, name: bytes, /) -> bool:
        """Return whether an object seems to be there."""

    def write(self, data: bytes, name: bytes | None = None, /) -> bytes:
        """Keep an object if that is possible; return its hash."""

    def use_tree(self, root: bytes, /) -> None:
        """Note that a tree is used."""


class Assembly:
    """One tree that was offered.

    Args:
        offer: the offer.
        target: the directory to write it into.
        store: the cache.
        emit: takes the questions.
        limits: limits of the tree.
        replace: whether entries replace existing files.
        stop: returns True after a request to stop; then nothing more is written.
        watch: called with each record of the tree that is written.
    """

    def __init__(
        self,
        offer: Offer,
        target: Path,
        store: Objects,
        emit: Callable[[Record], None],
        *,
        limits: Limits,
        replace: bool,
        stop: Callable[[], bool] = lambda: False,
        watch: Callable[[FileEntry | FileData | TreeEnd], None] = lambda _record: None,
    ) -> None:
        self._offer = offer
        self._target = target
        self._store = store
        self._emit = emit
        self._limits = limits
        self._replace = replace
        self._stop = stop
        self._watch = watch
        self._known = KnownListings(store.read, limits)
        self._since = b""
        """The hash of an earlier tree that both sides have; nothing if there is none."""
        self._earlier: list[bytes] | None = None
        """The contents of that tree in the order of their first use; None if they were not needed yet."""
        self._base: frozenset[bytes] | None = None
        """What the tree is made of that the sender builds on without asking; None if it asks."""
        self._missing: set[bytes] = set()
        """The contents that the cache lacks."""
        self._awaited: set[bytes] = set()
        """The contents that will arrive."""
        self._copies: dict[bytes, tuple[bytes, Part]] = {}
        """Where in the target a content is that the cache does not keep."""
        self._late: Generator[None, Content, None] | None = None
        """Writes the files that the cache lacks."""
        self._all_written = False
        self._written = 0
        """Number of entries, and of bytes, of the whole tree."""
        self._size = 0
        self._has_closed = False
        """Whether the tree has directories that nobody can open after they were left."""
        self._changed = False
        self._reuse = Reuse(store, target, private=not replace)
        self.complete = False

    @property
    def name(self) -> str | None:
        """The name of the tree, when it is complete; None if a file has changed since it was offered."""
        return name_tree(self._offer.algorithm, self._offer.root) if self.complete and not self._changed else None

    def begin(self) -> None:
        """Take the offer: ask for what is missing.

        Raises:
            RemoteProtocolError: a listing is not valid.
            JobError: the tree that the offer builds on is not there any more, or something cannot be written.
        """
        offer = self._offer
        if offer.asks and (whole := self._reuse.take_whole(offer.root)) is not None:
            self._known.check(whole.entries, whole.size)
            self._written, self._size = whole.entries, whole.size
            self._ask(())
            return
        if not offer.asks:
            self._since = _root_of(offer.since[0]) if offer.since else b""
            self._base = self._known.objects(self._since) if offer.since else frozenset()
            if self._base is None:
                raise self._lost_base()
        self._known.need([offer.root])
        if not self._known.needed:
            self._write_known()
        elif offer.asks:
            earlier = self._earlier_roots
            self._since = next((root for root in earlier if not self._known.find_missing(root)), b"")
            self._emit(Want(True, since=self._since))

    @property
    def _earlier_roots(self) -> list[bytes]:
        return [root for root in map(_root_of, self._offer.since[:_MAX_SINCE]) if root]

    def receive(self, record: Listing | Content | TreeEnd) -> None:
        """Take a record of the tree.

        Raises:
            RemoteProtocolError: it was not asked for, or is not what was asked for.
            JobError: something cannot be written.
        """
        if isinstance(record, Listing):
            self._take_listing(record)
        elif self._late is None:
            raise self._broken(f"received {record!r} before all listings")
        elif isinstance(record, Content):
            if self._all_written:
                raise self._broken(f"received {record!r}, which was not asked for")
            self._advance(partial(self._late.send, record))
        else:
            self._finish(record)

    def _take_listing(self, listing: Listing) -> None:
        data = listing.data
        if data[:1] == SHORT:
            data = expand(data, self._earlier_contents())
        name = digest(data, self._offer.algorithm)
        if self._known.receive(name, data):
            self._store.write(data, name)
            if not self._known.needed:
                self._write_known()

    def _earlier_contents(self) -> list[bytes]:
        """Return the contents of the tree that both sides have, in the order of their first use."""
        if self._earlier is None:
            self._earlier = list(self._known.contents(self._since)) if self._since else []
        return self._earlier

    def _write_known(self) -> None:
        """Write everything that the cache has, and ask for the rest."""
        if self._base is not None:
            self._awaited = self._known.contents(self._offer.root).keys() - self._base
            self._missing = set(self._awaited)
        try:
            self._reuse.take_like(self._offer.root, self._earlier_roots, self._known)
        except OSError as error:
            raise cannot_write(self._target, b"", error) from error
        links: set[int] = set()
        contents: dict[bytes, None] = {}
        entry = _ROOT
        self._written = 1
        replace_ = self._replace or self._reuse.any
        with Unpacker(self._target, trusted=True, replace=replace_, limits=self._limits) as unpacker:
            writing = _Writing(unpacker)
            for item, size in self._known.walk(self._offer.root):
                if isinstance(item, FileEntry):
                    entry = item
                    self._written += 1
                    self._size += size
                    if self._written % _STOP_ENTRIES == 0 and self._stop():
                        return
                    self._reuse.note(entry)
                    writing.pass_(_opened(entry))
                    self._has_closed = self._has_closed or is_closed(entry)
                    has_it = self._reuse.has(entry.path)
                    if not (has_it or size or (entry.type is FileType.HARDLINK and entry.link in links)):
                        self._put(writing, entry)
                    continue
                parts = list(split(item, size))
                contents.update((part.digest, None) for part in parts)
                if not (self._reuse.has(entry.path) or self._write_file(writing, entry, parts)):
                    links.add(entry.link)
            writing.finish()
        self._ask(contents)

    def _write_file(self, writing: _Writing, entry: FileEntry, parts: list[Part]) -> bool:
        """Write a file whose content the cache has; return False, and note all that is missing, if it lacks a part."""
        if len(parts) > 1:
            self._missing.update(part.digest for part in parts if not self._store.holds(part.digest))
        lacks = not self._missing.isdisjoint(part.digest for part in parts)
        begun = False
        read = self._store.read_ahead if len(parts) > 1 else lambda names: map(self._store.read, names)
        for part, data in zip(parts, read([part.digest for part in parts]), strict=True):
            is_whole = data is not None and len(data) == part.size
            if not is_whole:
                self._missing.add(part.digest)
                lacks = lacks or not begun
            if lacks:
                continue  # the rest is only verified, so that everything is asked for at once
            if not begun:
                self._put(writing, entry)
                begun = True
            # After a part that is missing the whole file is written again.
            self._put(writing, FileData(data if data is not None and is_whole else bytes(part.size)))
        return begun

    def _ask(self, contents: Iterable[bytes]) -> None:
        """Ask for those of all contents, in the order of their first use, that are missing, and wait for them."""
        if self._base is None:
            self._awaited = set(self._missing)
            bits = bytearray()
            if self._missing:
                for number, name in enumerate(contents):
                    if number % 8 == 0:
                        bits.append(0)
                    bits[-1] |= (name in self._missing) << number % 8
            self._emit(Want(False, contents=bytes(bits).rstrip(b"\0")))
        elif not self._missing <= self._awaited:
            raise self._lost_base()
        self._late = self._write_late()
        self._advance(self._late.__next__)

    def _advance(self, step: Callable[[], None]) -> None:
        """Write until the next content is needed."""
        try:
            step()
        except StopIteration:
            self._all_written = True

    def _write_late(self) -> Generator[None, Content, None]:
        """Write the files of which a part was missing, and the directories that lead there, once more.

        What an earlier job has left is not written: only its parts that arrive are passed over. Directories that cannot
        be opened again get their modes now.
        """
        if not (self._missing or self._has_closed):
            return
        links: set[int] = set()
        entry = _ROOT
        with Unpacker(self._target, trusted=True, replace=True, limits=self._limits) as unpacker:
            writing = _Writing(unpacker)
            for item, size in self._known.walk(self._offer.root):
                if isinstance(item, FileEntry):
                    entry = item
                    writing.pass_(entry)
                    if is_closed(entry) or (entry.type is FileType.HARDLINK and entry.link in links):
                        self._put(writing, entry)
                    continue
                parts = list(split(item, size))
                if self._missing.isdisjoint(part.digest for part in parts):
                    continue
                if self._reuse.has(entry.path):
                    for part in parts:
                        if part.digest in self._awaited:
                            yield from self._late_part(entry, part)
                    continue
                links.add(entry.link)
                self._put(writing, entry)
                for part in parts:
                    data = yield from self._late_part(entry, part)
                    self._put(writing, FileData(data))
            writing.finish()

    def _late_part(self, entry: FileEntry, part: Part) -> Generator[None, Content, bytes]:
        """Return a part of a file, which may have to arrive first."""
        if part.digest not in self._awaited:
            copy = self._copies.get(part.digest)
            data = self._store.read(part.digest) if copy is None else self._read_copy(*copy)
            if data is None:
                raise JobError(
                    f"a part of {printable(entry.path)} has vanished from the cache of this host while the job was "
                    "received, or its disk is full. Start the job again"
                )
            return data
        content = yield
        self._awaited.discard(part.digest)
        if len(content.data) != part.size:
            raise self._broken(f"expected {part.size} bytes for {printable(entry.path)}, got {len(content.data)}")
        name = self._store.write(content.data)
        if name != part.digest and not content.changed:
            raise self._broken(f"the content of {printable(entry.path)} does not have the hash that was offered")
        self._changed = self._changed or name != part.digest
        if name != part.digest or not self._store.holds(name):
            self._copies[part.digest] = entry.path, part
        return content.data

    def _read_copy(self, path: bytes, part: Part) -> bytes | None:
        """Return a content from a file of the target that was written before."""
        data = read_part(Place(self._target, path), part)
        return data if len(data) == part.size else None

    def _finish(self, end: TreeEnd) -> None:
        if not self._all_written:
            raise self._broken("the tree ended before all contents that were asked for")
        if (end.entries, end.size) != (self._written, self._size):
            raise self._broken(
                f"expected {end.entries} entries and {end.size} bytes, got {self._written} and {self._size}"
            )
        if not self._changed:
            self._store.use_tree(self._offer.root)
            self._reuse.complete(self._offer.root, self._written, self._size)
        self._watch(end)
        self.complete = True

    def keep_ready(self) -> None:
        """Make the tree ready for the next job, after the job has ended."""
        self._reuse.keep(self._known)

    def close(self) -> None:
        """Close what is open. What was written remains."""
        if self._late is not None:
            self._late.close()

    def _lost_base(self) -> JobError:
        root = _root_of(self._offer.since[0]) if self._offer.since else b""
        earlier = name_tree(self._offer.algorithm, root) if root else "of an earlier job"
        return JobError(
            f"the job builds on the tree {earlier}, and the cache of this host does not have all of it any more. Send "
            "the job whole, with --since none"
        )

    def _broken(self, what: str) -> RemoteProtocolError:
        return RemoteProtocolError(f"the offered tree for {self._target} is not valid: {what}")

    def _put(self, writing: _Writing, record: FileEntry | FileData) -> None:
        writing.receive(record)
        self._watch(record)


class _Writing:
    """Writes some entries of a tree, and goes only into the directories that lead to them.

    Args:
        unpacker: writes them.
    """

    def __init__(self, unpacker: Unpacker) -> None:
        self._unpacker = unpacker
        self._ahead: list[FileEntry] = []
        """The directories that contain the current entry, or are it, and have not been entered."""
        self._entries = 1
        self._size = 0
        unpacker.receive(_ROOT)

    def pass_(self, entry: FileEntry) -> None:
        """Take the next entry of the tree. Nothing is written."""
        while self._ahead and not entry.path.startswith(self._ahead[-1].path + b"/"):
            self._ahead.pop()
        if entry.type is FileType.DIRECTORY:
            self._ahead.append(entry)

    def receive(self, record: FileEntry | FileData) -> None:
        """Write the entry that was passed last, or data of it."""
        if isinstance(record, FileData):
            self._size += len(record.data)
        else:
            for directory in self._ahead:
                self._unpacker.receive(directory)
            self._entries += len(self._ahead)
            self._ahead.clear()
            if record.type is FileType.DIRECTORY:
                return
            self._entries += 1
        self._unpacker.receive(record)

    def finish(self) -> None:
        """Leave all directories."""
        self._unpacker.receive(TreeEnd(self._entries, self._size))


def _opened(entry: FileEntry) -> FileEntry:
    """Return an entry as it is written at first: a directory that can be opened once more."""
    return replace(entry, mode=entry.mode | READABLE) if is_closed(entry) else entry


def _root_of(text: str) -> bytes:
    """Return the hash that is meant; nothing if it is none."""
    try:
        root = bytes.fromhex(text)
    except ValueError:
        return b""
    return root if len(root) == DIGEST_SIZE else b""
