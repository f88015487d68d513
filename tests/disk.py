"""Directories of a file system that notes each change of a file, as those of disks do, and memory (tmpfs) does not."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playstream.worker.cache.written import notices_changes


@contextmanager
def on_disk(directory: Path) -> Iterator[Path]:
    """The directory itself, or a new one elsewhere if it is in memory, as /tmp is by default on Debian 13."""
    if notices_changes(directory):
        yield directory
        return
    with tempfile.TemporaryDirectory(dir="/var/tmp") as other:
        assert notices_changes(Path(other)), "/tmp and /var/tmp are both in memory: set TMPDIR to a directory on a disk"
        yield Path(other)
