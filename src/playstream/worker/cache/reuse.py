"""The part of a job's tree that an earlier job has left on the disk, and what is kept of it for a later one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from playstream.pipeline.protocol import FileEntry, FileType
from playstream.worker.cache.known import KnownListings
from playstream.worker.cache.written import MAX_ENTRIES, Look, Written, discard, examine, notices_changes

READABLE = 0o400
"""The permission without which the owner cannot open a directory."""


class ReadyTrees(Protocol):
    """Where the trees of jobs that have ended are kept, such as a Store."""

    def is_near(self, target: Path, /) -> bool:
        """Return whether a directory can be moved there."""

    def which_ready(self, roots: Sequence[bytes], /) -> list[bytes]:
        """Return those of these trees that seem to be ready, in their order."""

    def take_ready(self, roots: Sequence[bytes], target: Path, /) -> Written | None:
        """Move the first of these trees that is ready to an empty directory."""

    def keep_ready(self, written: Written, target: Path, /) -> None:
        """Make the tree of a job that has ended ready for the next one, if that is possible."""


class Reuse:
    """Takes what is ready, and makes the tree of this job ready for the next one.

    Args:
        ready: where the trees are kept.
        target: the directory of the job's tree.
        private: whether it is an empty directory of the spool. A directory of the user is written anew.
    """

    def __init__(self, ready: ReadyTrees, target: Path, *, private: bool) -> None:
        self._ready = ready
        self._target = target
        self._active = private and ready.is_near(target) and notices_changes(target.parent)
        self._taken: Written | None = None
        self._present: set[bytes] = set()
        self._paths: list[bytes] = []
        self._linked: set[bytes] = set()
        """The directories of files with several names."""
        self._complete: Written | None = None

    @property
    def any(self) -> bool:
        """Whether something is there already."""
        return self._taken is not None

    def take_whole(self, root: bytes) -> Written | None:
        """Take the tree itself if it is ready; return it if all of it is still there."""
        taken = self._take([root])
        if taken is None or not taken.whole:
            return None
        self._complete = taken
        return taken

    def take_like(self, root: bytes, earlier: Sequence[bytes], known: KnownListings) -> None:
        """Take an earlier tree if one is ready, unless something was taken, and remove what differs from a tree.

        Args:
            root: the hash of the listing of the tree, whose listings are all known.
            earlier: those of the earlier ones, the latest first.
            known: the listings.

        Raises:
            RemoteProtocolError: a listing is not valid.
            LimitExceeded: the tree has too many entries.
            OSError: something cannot be removed.
        """
        if self.any or not self._active:
            return
        ready = self._ready.which_ready(earlier)  # so that the listings of the others are not read
        taken = self._take([each for each in ready if each != root and not known.find_missing(each)])
        if taken is None:
            return
        found = known.compare(taken.root, root)
        discard(self._target, sorted(found.gone))
        self._present -= found.gone
        self._present -= found.changed

    def _take(self, roots: Sequence[bytes]) -> Written | None:
        if not self._active or not roots:
            return None
        self._taken = self._ready.take_ready(roots, self._target)
        if self._taken is not None:
            self._present = set(self._taken.paths)
        return self._taken

    def has(self, path: bytes) -> bool:
        """Return whether an entry is there as it is in the tree, but for what is in a directory."""
        return path in self._present

    def note(self, entry: FileEntry) -> None:
        """Note an entry of the tree, in the order of the tree.

        A file with several names is written for each job: removing one name changes the others. A tree with a directory
        that its owner cannot open is not kept.
        """
        if entry.type is FileType.HARDLINK or entry.link:
            self._linked.add(entry.path.rpartition(b"/")[0])
            return
        if is_closed(entry) or len(self._paths) >= MAX_ENTRIES:
            self._active = False
        else:
            self._paths.append(entry.path)

    def complete(self, root: bytes, entries: int, size: int) -> None:
        """Note what the tree looks like, now that it is complete.

        Args:
            root: the hash of the root's listing.
            entries: number of entries, and of bytes, of the tree.
            size: see entries.
        """
        if not self._active or self._complete is not None:
            return
        try:
            top, looks = examine(self._target, self._paths)
        except OSError:
            return
        looks = [
            _as_changed(look) if path in self._linked else look for path, look in zip(self._paths, looks, strict=True)
        ]
        self._complete = Written(root, entries, size, self._paths, looks, [], top)

    def keep(self, known: KnownListings) -> None:
        """Make the tree ready for the next job, after this one has ended.

        Args:
            known: the listings.
        """
        written, self._complete = self._complete, None
        if written is None:
            return
        objects = written.objects or sorted(known.objects(written.root) or ())
        if objects:
            self._ready.keep_ready(replace(written, objects=objects), self._target)


def is_closed(entry: FileEntry) -> bool:
    """Return whether an entry is a directory whose owner cannot open it."""
    return entry.type is FileType.DIRECTORY and not entry.mode & READABLE


def _as_changed(look: Look) -> Look:
    """Return what a directory looks like so that it counts as changed, and what is not known in it is removed."""
    return *look[:4], 0
