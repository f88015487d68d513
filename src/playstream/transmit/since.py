"""Sending only what has changed since an earlier job, in a pipe in which nobody answers.

The worker's cache has the tree of that job, and the results said so. What it consists of is remembered on this host.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from playstream.pipeline.dialect import Dialect
from playstream.pipeline.errors import ConfigurationError
from playstream.pipeline.job.ident import ARTIFACTS, LATEST
from playstream.pipeline.protocol import Log, LogLevel, Record
from playstream.pipeline.protocol.codec import MAX_RECORD
from playstream.pipeline.tree.digests import DEFAULT_ALGORITHM, algorithms, name_tree, read_tree_name
from playstream.transmit.memory import Memory
from playstream.transmit.offering import Tree
from playstream.transmit.sending import JobSource
from playstream.transmit.snapshot import NOTHING, Snapshot, TreeObjects

LAST = "last"
NONE = "none"
_MAX_COMMAND_BYTES = 1 << 22
"""Maximum size of the artifact `command` that is read."""


def with_since(source: Tree, since: str, dialect: Dialect) -> JobSource:
    """Return a source of the same job that sends only what has changed since an earlier one.

    Args:
        source: the job.
        since: the name of the earlier tree, LAST for that of the last run in the directory, or NONE to send everything
            to a worker that keeps it.
        dialect: the dialect of the stream.

    Raises:
        ConfigurationError: there is no such tree, or this job has none, or the dialect has no offers.
    """
    if dialect is not Dialect.PLAYSTREAM:
        raise ConfigurationError("since: ansible-runner's protocol always sends the whole job. Omit this option")
    if source.directory is None:
        raise ConfigurationError("since: expected a directory that is sent, got none. Omit this option")
    name = None if since == NONE else since
    if since == LAST:
        name = _last_tree(source.directory)
    found = None if name is None else read_tree_name(name)
    if found is None:
        if name is not None:
            raise ConfigurationError(
                f"since: expected the name of a tree such as {name_tree(DEFAULT_ALGORITHM, bytes(32))[:12]}…, {LAST!r} "
                f"or {NONE!r}, got {since!r}. The results of a job that was sent with --since, to a worker with "
                f"--cache, have the name, in the artifact 'command'"
            )
        return _Since(source, source.directory, DEFAULT_ALGORITHM, None)
    algorithm, root = found
    if algorithm not in algorithms():
        raise ConfigurationError(
            f"since: the tree {since!r} has hashes of {algorithm}, and this host has "
            f"{', '.join(algorithms())}. Install "
            f"the Python package {algorithm}, or send the job whole, with --since {NONE}"
        )
    with closing(Memory(None, algorithm)) as memory:
        known = memory.objects(source.directory, root)
    if known is None:
        if since == LAST:
            return _Since(source, source.directory, algorithm, None)
        raise ConfigurationError(
            f"since: this host does not remember the tree {since!r} of {str(source.directory)!r}: it was sent from "
            f"another host or directory, or too long ago. Send the job whole, with --since {NONE}"
        )
    return _Since(source, source.directory, algorithm, (root, known))


def _last_tree(directory: Path) -> str | None:
    """Return the name of the tree of the last run in a private data directory; None if it has none."""
    places = (directory / ARTIFACTS / "command", directory / ARTIFACTS / LATEST / "command")
    try:
        latest = max((place for place in places if place.is_file()), key=lambda place: place.stat().st_mtime_ns)
        with latest.open("rb") as file:
            command = json.loads(file.read(_MAX_COMMAND_BYTES))
    except (OSError, ValueError, RecursionError):
        return None
    name = command.get("tree") if isinstance(command, dict) else None
    return name if isinstance(name, str) and read_tree_name(name) is not None else None


class _Since:
    """A job whose tree is offered without a question.

    Args:
        source: the job.
        directory: the directory whose tree is sent.
        algorithm: the hash function.
        base: the hash of the earlier tree's root, and what it consists of; None to send everything.
    """

    def __init__(self, source: Tree, directory: Path, algorithm: str, base: tuple[bytes, TreeObjects] | None) -> None:
        self._source = source
        self._directory = directory
        self._algorithm = algorithm
        self._base = base

    def records(self) -> Iterator[Record]:
        """Yield the job, then its tree or what has changed in it.

        Raises:
            PlaystreamError: as the source.
        """
        with closing(self._source.records()) as records, closing(Memory(None, self._algorithm)) as memory:
            yield next(records)
            snapshot = Snapshot(self._algorithm)
            yield from self._source.take_snapshot(snapshot, memory)
            if snapshot.largest_listing > MAX_RECORD:
                message = "the job is sent whole: a directory has so many entries that no record can hold their list"
                yield Log(LogLevel.WARNING, message)
                yield from records
                return
            root, earlier = self._base or (None, NOTHING)
            yield snapshot.offer(() if root is None else (root,), asks=False)
            yield from snapshot.listings(earlier)
            yield from snapshot.contents_without(earlier)
            yield snapshot.end()
            memory.keep(self._directory, snapshot.root, snapshot.objects)
