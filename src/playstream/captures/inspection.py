"""Looking at a stream at rest: what is in it, and whether it is whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from playstream.captures.descriptions import Description, describe
from playstream.captures.pieces import LACKS, Format, Lack, Piece
from playstream.captures.stream import Stream
from playstream.pipeline.errors import PlaystreamError, RemoteProtocolError, counted
from playstream.pipeline.protocol import Event, Status
from playstream.pipeline.protocol.order import Direction

SECRETS = (
    "this is a job: it holds passwords, keys, variables and files, of which only names are shown. Keep it like a "
    "password"
)


@dataclass
class Totals:
    """What a stream has in all."""

    records: dict[str, int] = field(default_factory=dict)
    """Number of records by kind."""
    events: int = 0
    invalid_events: int = 0
    """Number of events that are not well formed."""
    first: str | None = None
    """The first time that a record carries."""
    last: str | None = None
    """The last one."""
    damage: PlaystreamError | None = None
    """Why the stream could not be read to its end."""
    damaged_at: int | None = None
    """The byte where what cannot be read begins: a frame, a line or an archive."""


class Inspection:
    """Describes the pieces of a stream while they are read.

    Args:
        stream: the stream.
    """

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self.totals = Totals()

    def pieces(self) -> Iterator[tuple[Piece, Description]]:
        """Yield each piece with its description. A damaged stream ends before the damage, which the totals have."""
        try:
            for piece in self._stream.pieces():
                if piece.size is None and isinstance(piece.item, Status):
                    continue  # of a recording: it is made from the statistics
                description = describe(piece, dated=self._format is not Format.RUNNER)
                self._count(piece, description)
                yield piece, description
        except PlaystreamError as error:
            self.totals.damage = error
            self.totals.damaged_at = self._stream.offset
        else:
            self._check_events()

    def _check_events(self) -> None:
        """Note as damage that events are not valid, which a receiver of the stream would refuse."""
        totals = self.totals
        if totals.invalid_events:
            totals.damage = RemoteProtocolError(
                f"{counted(totals.invalid_events, 'event')} of the stream cannot be read, the first at byte "
                f"{totals.damaged_at}: expected one JSON object with the number of its record, a uuid and the lines "
                "of its output. Another process probably wrote into the job's event pipe"
            )

    @property
    def _format(self) -> Format | None:
        return None if self._stream.walker is None else self._stream.walker.format

    def _count(self, piece: Piece, description: Description) -> None:
        totals = self.totals
        totals.records[description.kind] = totals.records.get(description.kind, 0) + 1
        if isinstance(piece.item, Event):
            totals.events += 1
            if not description.valid:
                totals.invalid_events += 1
                totals.damaged_at = piece.offset if totals.damaged_at is None else totals.damaged_at
        if description.time is not None:
            totals.first = totals.first or description.time
            totals.last = description.time

    @property
    def holds_job(self) -> bool:
        """Whether the stream is that of a job, which holds secrets."""
        walker = self._stream.walker
        return walker is not None and walker.direction is Direction.JOB

    @property
    def digest(self) -> str:
        """Whether the digest of the stream `holds` or `differs`; `unknown` before its end, `none` if it has none."""
        walker = self._stream.walker
        if walker is None or self._format is not Format.NATIVE:
            return "none"
        return "holds" if walker.closed else "differs" if walker.end_differs else "unknown"

    def as_dict(self) -> dict[str, Any]:
        """Return the totals as JSON values."""
        totals, stream = self.totals, self._stream
        walker = stream.walker
        content = 0 if walker is None else walker.content_size
        damage = totals.damage
        return {
            "format": None if walker is None else walker.format.value,
            "direction": None if walker is None or walker.direction is None else walker.direction.value,
            "bytes": stream.size,
            "content_bytes": content,
            "compression_ratio": round(content / stream.size, 2) if stream.size and content else None,
            "records": totals.records,
            "events": totals.events,
            "invalid_events": totals.invalid_events,
            "first": totals.first,
            "last": totals.last,
            "complete": walker is not None and walker.closed,
            "digest": self.digest,
            "bytes_behind_end": stream.behind_end,
            "damage": None
            if damage is None
            else {"offset": totals.damaged_at, "error": type(damage).__name__, "message": str(damage)},
            "lacks": []
            if walker is None or self.holds_job
            else [lack.value for lack in Lack if lack in LACKS[walker.format]],
            "note": SECRETS if self.holds_job else None,
        }
