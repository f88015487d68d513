"""The results of a run as columns of numbers, which a browser reads without parsing."""

from __future__ import annotations

import json
import sys
import zlib
from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import Any

GZIP = 16 + zlib.MAX_WBITS
"""zlib's parameter for the format that every browser decompresses."""
UNKNOWN_TIME = -(1 << 31)
UNKNOWN = -1
_MAX_MILLISECONDS = (1 << 31) - 1


class Outcome(IntEnum):
    """How a task ended on a host. The page has the names in this order."""

    OK = 0
    CHANGED = 1
    SKIPPED = 2
    IGNORED = 3
    """It failed, or did not reach the host, and the playbook ignores that."""
    RESCUED = 4
    FAILED = 5
    UNREACHABLE = 6


class Mark(IntFlag):
    """What else is known of a result."""

    DIFF = 1
    """It has a diff."""
    CUT = 2
    """Not all of it is in the page."""
    SLOW = 4
    """It took much longer than the same task on other hosts, or, without them, than other tasks."""
    LAST = 8
    """Of its task, it ended last: other hosts waited for this one before the next task."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the body of a result is."""

    block: int = UNKNOWN
    """The number of its block; UNKNOWN if it has no body."""
    slot: int = 0
    """Its number in the block."""


class Columns:
    """The results of a run, a column for each property. About 26 bytes for each."""

    def __init__(self) -> None:
        self.task = array("i")
        self.host = array("i")
        self.outcome = array("B")
        self.marks = array("B")
        self.start = array("i")
        """Milliseconds after the first time of the run; UNKNOWN_TIME if it is not known."""
        self.took = array("i")
        """Milliseconds; UNKNOWN if it is not known."""
        self.block = array("i")
        self.slot = array("H")

    def __len__(self) -> int:
        return len(self.task)

    def add(
        self,
        task: int,
        host: int,
        outcome: Outcome,
        marks: Mark,
        *,
        start: float | None,
        took: float | None,
        place: Place,
    ) -> int:
        """Add a result; return its number.

        Args:
            task: number of its task.
            host: number of its host.
            outcome: how it ended.
            marks: what else is known.
            start: seconds after the first time of the run; None if it is not known.
            took: seconds; None if it is not known.
            place: where its body is.
        """
        self.task.append(task)
        self.host.append(host)
        self.outcome.append(outcome)
        self.marks.append(marks)
        self.start.append(_milliseconds(start, UNKNOWN_TIME))
        self.took.append(_milliseconds(took, UNKNOWN))
        self.block.append(place.block)
        self.slot.append(place.slot)
        return len(self.task) - 1

    def pack(self, head: Mapping[str, Any]) -> bytes:
        """Return the columns and a head, compressed.

        The bytes are the length of the head (4 bytes, little-endian), the head as JSON, and after padding to a multiple
        of 4 the columns. The head says in `columns` where each is and what its numbers are.
        """
        columns: dict[str, list[Any]] = {}
        parts: list[bytes] = []
        at = 0
        for name in ("task", "host", "start", "took", "block", "slot", "outcome", "marks"):
            numbers: array[int] = getattr(self, name)
            data = _little_endian(numbers)
            columns[name] = [numbers.typecode, at, len(numbers)]
            data += b"\0" * (-len(data) % 4)
            parts.append(data)
            at += len(data)
        text = json.dumps({**head, "columns": columns}, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 4)
        packer = zlib.compressobj(9, zlib.DEFLATED, GZIP)
        packed = packer.compress(len(text).to_bytes(4, "little") + text)
        return packed + b"".join(map(packer.compress, parts)) + packer.flush()


def _milliseconds(seconds: float | None, unknown: int) -> int:
    if seconds is None:
        return unknown
    number = round(seconds * 1000)
    return number if abs(number) <= _MAX_MILLISECONDS else unknown


def _little_endian(numbers: array[int]) -> bytes:
    if sys.byteorder == "little":
        return numbers.tobytes()
    swapped = numbers[:]
    swapped.byteswap()
    return swapped.tobytes()
