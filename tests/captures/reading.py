"""Streams in files, read by a Stream."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from playstream.captures.descriptions import Description
from playstream.captures.inspection import Inspection
from playstream.captures.pieces import Piece
from playstream.captures.stream import Stream
from playstream.pipeline.errors import PlaystreamError
from playstream.pipeline.limits import DEFAULT_LIMITS
from playstream.pipeline.protocol import Event, Record, Status, StatusName
from playstream.pipeline.protocol.order import Direction
from tests.pipeline.protocol.wire import WHOLE, chunks, encode

NOW = "2026-11-30T10:00:00+00:00"


class Source:
    """What a Stream reads, in pieces of given sizes."""

    heard_at = None

    def __init__(self, data: Iterable[bytes]) -> None:
        self._data = iter(data)

    def fileno(self) -> int:
        raise NotImplementedError

    def has_data(self) -> bool:
        return True

    def read(self) -> bytes:
        return next(self._data, b"")


@dataclass
class Read:
    """What was read of a stream."""

    stream: Stream
    pieces: list[Piece] = field(default_factory=list)
    error: PlaystreamError | None = None


def read(data: bytes, sizes: Sequence[int] = WHOLE) -> Read:
    """Read a stream in pieces of these sizes. Only PlaystreamError is caught."""
    done = Read(Stream(Source(chunks(data, sizes)), DEFAULT_LIMITS))
    try:
        done.pieces.extend(done.stream.pieces())
    except PlaystreamError as error:
        done.error = error
    return done


def inspect(data: bytes) -> tuple[list[tuple[Piece, Description]], Inspection]:
    """Look at a stream."""
    inspection = Inspection(Stream(Source([data]), DEFAULT_LIMITS))
    return list(inspection.pieces()), inspection


def an_event(counter: int, name: str = "verbose", **more: object) -> Event:
    """An event as the plugin writes it."""
    values = {"uuid": f"u{counter}", "counter": counter, "stdout": "", "start_line": 0, "end_line": 0, "event": name}
    return Event(counter, json.dumps({**values, **more}, separators=(",", ":")).encode())


def a_run(*events: Event, rc: int = 0) -> bytes:
    """The results of a run with these events."""
    last = Status(StatusName.FAILED if rc else StatusName.SUCCESSFUL, NOW, rc=rc)
    records: list[Record] = [Status(StatusName.RUNNING, NOW), *events, last]
    return encode(records, Direction.RESULT)
