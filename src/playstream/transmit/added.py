"""What travels with a tree and is not in its directory: collections and roles that were installed for the job."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from playstream.pipeline.job.galaxy import PLACE, Installed
from playstream.pipeline.protocol import FileEntry, FileType, Record, TreeEnd
from playstream.pipeline.tree.ignore import Ignore
from playstream.pipeline.tree.listings import Hashed

PackTree = Callable[[Path, Ignore], Iterator[Record | Hashed]]
"""Yields the records of a directory."""

_COMPILED = "__pycache__/"
"""What Python has left there in runs on this host."""
_MODE = 0o755
_OTHER_LINKS = 1 << 31
"""Added to the numbers of hard links, which are those of another tree."""


def records_with(
    records: Iterable[Record | Hashed], installed: Installed, pack_tree: PackTree
) -> Iterator[Record | Hashed]:
    """Yield the records of a tree, with what was installed right after its root.

    Args:
        records: those of the tree.
        installed: what was installed.
        pack_tree: packs its directory as the tree was packed.

    Raises:
        ConfigurationError: the directory of what was installed cannot be read.
    """
    end = TreeEnd(0, 0)
    for record in records:
        if isinstance(record, TreeEnd):
            yield TreeEnd(record.entries + end.entries, record.size + end.size)
        else:
            yield record
        if isinstance(record, FileEntry) and not record.path:
            end = yield from _installed_records(installed, pack_tree)


def _installed_records(installed: Installed, pack_tree: PackTree) -> Generator[Record | Hashed, None, TreeEnd]:
    """Yield the entries; return their number and size."""
    prefix = os.fsencode(installed.place)
    yield FileEntry(os.fsencode(PLACE), FileType.DIRECTORY, _MODE, 0)
    ignore = Ignore.for_directory(installed.directory, [_COMPILED])
    end = TreeEnd(0, 0)
    for record in pack_tree(installed.directory, ignore):
        if isinstance(record, TreeEnd):
            end = TreeEnd(record.entries + 1, record.size)
        elif isinstance(record, FileEntry):
            path = b"%b/%b" % (prefix, record.path) if record.path else prefix
            yield replace(record, path=path, link=record.link and record.link + _OTHER_LINKS)
        else:
            yield record
    return end
