"""The allowed order of records: one table for each direction, which the sender and the receiver share.

docs/protocol.md shows these tables; tests/pipeline/protocol/test_order.py walks them.
"""

from __future__ import annotations

from enum import StrEnum

from playstream.pipeline.errors import LocalProtocolError, ProtocolError, RemoteProtocolError
from playstream.pipeline.protocol.records import (
    Cancel,
    Content,
    End,
    Event,
    Failure,
    FileData,
    FileEntry,
    Heartbeat,
    Hello,
    Input,
    Job,
    Listing,
    Log,
    Offer,
    Ping,
    Pong,
    Prompt,
    Record,
    Resize,
    Status,
    TreeEnd,
    Want,
)


class Direction(StrEnum):
    """The direction of a stream."""

    JOB = "job"
    """From transmit to the worker."""
    RESULT = "result"
    """From the worker to process."""


class State(StrEnum):
    """The state of a direction."""

    START = "start"
    JOB = "job"
    """A job with a tree was sent, and nothing of the tree."""
    TREE = "tree"
    """A tree has begun and its TreeEnd has not been sent."""
    OFFERED = "offered"
    """A tree was offered, and its TreeEnd has not been sent."""
    READY = "ready"
    """The job is complete; Input, Cancel and End can follow."""
    RUNNING = "running"
    FINISHED = "finished"
    """A terminal status or a failure was sent; the artifacts may follow."""
    COMPLETE = "complete"
    """The artifacts were sent; only End can follow."""
    CLOSED = "closed"


_TREE_RECORDS = {FileEntry: State.TREE, FileData: State.TREE}

TABLE: dict[Direction, dict[State, dict[type, State]]] = {
    Direction.JOB: {
        State.START: {Job: State.READY, Failure: State.FINISHED},
        State.JOB: {FileEntry: State.TREE, Offer: State.OFFERED, Failure: State.FINISHED},
        State.TREE: {**_TREE_RECORDS, TreeEnd: State.READY, Failure: State.FINISHED},
        State.OFFERED: {
            Listing: State.OFFERED,
            Content: State.OFFERED,
            TreeEnd: State.READY,
            Failure: State.FINISHED,
        },
        State.READY: {Input: State.READY, Cancel: State.READY, End: State.CLOSED},
        State.FINISHED: {End: State.CLOSED},
        State.CLOSED: {},
    },
    Direction.RESULT: {
        State.START: {
            Hello: State.START,
            Want: State.START,
            Status: State.RUNNING,
            Failure: State.FINISHED,
        },
        State.RUNNING: {
            Status: State.RUNNING,
            Event: State.RUNNING,
            Prompt: State.RUNNING,
            Failure: State.FINISHED,
        },
        State.FINISHED: {**_TREE_RECORDS, Failure: State.FINISHED, End: State.CLOSED},
        State.TREE: {**_TREE_RECORDS, TreeEnd: State.COMPLETE, Failure: State.FINISHED},
        State.COMPLETE: {Failure: State.FINISHED, End: State.CLOSED},
        State.CLOSED: {},
    },
}
"""(direction, state, record) to the next state. A Job with a tree leads to JOB and a terminal Status to FINISHED
instead; the records of ALWAYS may come in every state but CLOSED and change nothing."""

ALWAYS: dict[Direction, frozenset[type]] = {
    Direction.JOB: frozenset((Log, Heartbeat, Ping, Resize)),
    Direction.RESULT: frozenset((Log, Heartbeat, Pong)),
}

_HINTS: dict[tuple[Direction, type], str] = {
    (Direction.RESULT, Job): "expected results, got a job: this is the output of `playstream transmit`; "
    "run `playstream worker` in between",
    (Direction.JOB, Status): "expected a job, got results: this is the output of `playstream worker`; pipe it into "
    "`playstream process`",
}


class Order:
    """Checks the records of one direction against its table."""

    def __init__(self, direction: Direction, *, receiving: bool) -> None:
        self.direction = direction
        self.events = 0
        self._asked: Want | None = None
        """The last question about an offered tree."""
        self._error: type[ProtocolError] = RemoteProtocolError if receiving else LocalProtocolError
        self._enter(State.START)

    def _enter(self, state: State) -> None:
        self.state = state
        self._next = TABLE[self.direction][state]

    def follow(self, record: Record) -> None:
        """Enter the state that follows `record`.

        Raises:
            RemoteProtocolError: when receiving: the record is not allowed here.
            LocalProtocolError: when sending: the record must not be sent here.
        """
        kind = type(record)
        state = self._next.get(kind)
        if state is None:
            if self.state is State.CLOSED or kind not in ALWAYS[self.direction]:
                raise self._error(self._explain(record))
            return
        if isinstance(record, Event):
            self._count(record)
        elif isinstance(record, Job):
            state = State.JOB if record.tree else state
        elif isinstance(record, Status):
            state = State.FINISHED if record.status.terminal else state
        elif isinstance(record, Want):
            self._ask(record)
        if state is not self.state:
            self._enter(state)

    def _count(self, event: Event) -> None:
        if event.counter != self.events + 1:
            raise self._error(
                f"expected event {self.events + 1}, got event {event.counter}: the sender lost, duplicated or "
                "reordered events"
            )
        self.events = event.counter

    def _ask(self, want: Want) -> None:
        if self._asked is not None and (want.listings or not self._asked.listings):
            raise self._error(
                f"expected at most one question for listings and then one for contents, got {want!r} after "
                f"{self._asked!r}: the worker is broken or hostile"
            )
        self._asked = want

    def _explain(self, record: Record) -> str:
        allowed = sorted(kind.__name__ for kind in TABLE[self.direction][self.state])
        text = (
            f"{type(record).__name__} is not valid in state {self.state.value!r} of the {self.direction.value} stream: "
            f"expected {', '.join(allowed) or 'nothing'}"
        )
        hint = _HINTS.get((self.direction, type(record)))
        return f"{hint} ({text})" if hint else text
