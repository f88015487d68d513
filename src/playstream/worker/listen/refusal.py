"""What a connection gets that is not served: a whole stream of results, in its own dialect."""

from __future__ import annotations

from playstream.pipeline.dialect import Dialect
from playstream.pipeline.errors import PlaystreamError, name_of
from playstream.pipeline.outbox import outgoing_in
from playstream.pipeline.protocol import Failure, Record
from playstream.pipeline.protocol.order import Direction
from playstream.worker.listen.greeting import Greeting


def refusal(error: PlaystreamError, dialect: Dialect | None, greeting: Greeting, *, greeted: bool) -> bytes:
    """Return the stream of results with which a connection is refused.

    Args:
        error: why.
        dialect: the dialect of the other side; None if it is unknown.
        greeting: its first bytes, in the native dialect.
        greeted: whether the other side has got those already.
    """
    outgoing = outgoing_in(dialect or Dialect.PLAYSTREAM, Direction.RESULT)
    records: list[Record] = [greeting.hello, Failure(name_of(error), str(error))]
    pieces = [piece for record in records for piece in outgoing.send(record, flush=True)]
    data = b"".join([*pieces, *outgoing.end()])
    return data.removeprefix(greeting.data) if greeted else data
