"""Counting what passes of a tree while it is packed, sent or unpacked, for a display in another thread.

The records are counted on their way: nothing is read, and nothing is asked of the system, for the sake of the display.
So a total is not known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from playstream.pipeline.protocol.records import FileData, FileEntry, FileType, Record, TreeEnd


class Activity:
    """One tree on its way.

    Args:
        what: what is done with it: `sending`, `unpacking` …
        is_counted: False for work of which nothing can be counted.
    """

    def __init__(self, what: str, *, is_counted: bool = True) -> None:
        self.what = what
        self.is_counted = is_counted
        self.files = 0
        self.size = 0
        """Bytes of content."""


class Meter:
    """Counts trees, one after another.

    Args:
        what: what is done with them.
        is_counted: see Activity.
    """

    def __init__(self, what: str, *, is_counted: bool = True) -> None:
        self.what = what
        self._is_counted = is_counted
        self._ended = 0
        self.activity: Activity | None = None
        """The tree that is on its way; None while there is none."""
        self.ready = True
        """Whether a display may show it: something else may be on the terminal before, such as a question of ssh."""
        self.changed: Callable[[], None] = lambda: None
        """Called when an activity has begun or ended, in the thread of the records."""

    def take(self, record: object) -> None:
        """Count a record."""
        kind = type(record)
        activity = self.activity
        if kind is FileData and activity is not None:
            activity.size += len(record.data)  # type: ignore[attr-defined]  # faster than isinstance()
        elif kind is FileEntry:
            if activity is None:
                activity = self.begin()
            activity.files += record.type is FileType.FILE  # type: ignore[attr-defined]
        elif kind is TreeEnd:
            self.end()

    def begin(self) -> Activity:
        """Begin to count; return what counts."""
        self.activity = activity = Activity(self.what, is_counted=self._is_counted)
        self.changed()
        return activity

    def add(self, size: int) -> None:
        """Count bytes that are not those of records."""
        activity = self.activity or self.begin()
        activity.size += size

    def end(self) -> None:
        """End what was begun."""
        if self.activity is not None:
            self.activity = None
            self._ended += 1
            self.changed()

    @property
    def has_ended(self) -> bool:
        """Whether a tree has passed."""
        return self._ended > 0

    def watch(self, records: Iterable[Record]) -> Iterator[Record]:
        """Yield records, and count each when it was taken, which may take long."""
        for record in records:
            if type(record) is not FileData and type(record) is not TreeEnd:
                self.take(record)
                yield record
            else:
                yield record
                self.take(record)


class Meters(NamedTuple):
    """The meters of a run."""

    installing: Meter
    sending: Meter
    unpacking: Meter


def make_meters() -> Meters:
    """Return the meters of a run, in the order in which they count."""
    installing = Meter("installing collections and roles", is_counted=False)
    return Meters(installing, Meter("sending"), Meter("unpacking"))
