"""What a connection gets that is not served: a whole stream of results, in its own dialect."""

from __future__ import annotations

from playstream.pipeline.dialect import Dialect
from playstream.pipeline.errors import PlaystreamError
from playstream.pipeline.outbox import outgoing_in
from playstream.pipeline.protocol import Failure, Hello, Record
from playstream.pipeline.protocol.order import Direction


def refusal(error: PlaystreamError, dialect: Dialect | None, hello: Hello) -> bytes:
    """Return the whole stream of results with which a connection is refused.

    Args:
        error: why.
        dialect: the dialect of the other side; None if it is unknown.
        hello: what this side is and knows.
    """
    outgoing = outgoing_in(dialect or Dialect.PLAYSTREAM, Direction.RESULT)
    records: list[Record] = [hello]
    records.append(Failure(type(error).__name__, str(error)))
    pieces = [piece for record in records for piece in outgoing.send(record, flush=True)]
    return b"".join([*pieces, *outgoing.end()])
