"""The whole table of what may follow what, walked for the sending and the receiving side."""

from __future__ import annotations

import re
from collections import deque

import pytest

from playstream.pipeline.errors import LocalProtocolError
from playstream.pipeline.protocol import (
    Cancel,
    Content,
    End,
    Event,
    Failure,
    FileData,
    FileEntry,
    FileType,
    Heartbeat,
    Hello,
    Input,
    Job,
    KeyMode,
    Listing,
    Log,
    LogLevel,
    Offer,
    Ping,
    Pong,
    Prompt,
    Record,
    Resize,
    Sender,
    Status,
    StatusName,
    TreeEnd,
    Want,
)
from playstream.pipeline.protocol.order import ALWAYS, TABLE, Direction, Order, State
from tests.pipeline.protocol.wire import RawStream, take

SAMPLES: dict[type, list[Record]] = {
    Job: [Job("a"), Job("a", tree=True)],
    Status: [Status(name, "") for name in StatusName],
    Event: [Event(1, b"{}")],
    FileEntry: [FileEntry(b"", FileType.DIRECTORY, 0o755, 0)],
    FileData: [FileData(b"x")],
    TreeEnd: [TreeEnd(1, 0)],
    Log: [Log(LogLevel.INFO, "")],
    Heartbeat: [Heartbeat()],
    Cancel: [Cancel("")],
    Hello: [Hello(1, "")],
    Ping: [Ping(1), Ping(1, b"x")],
    Pong: [Pong(1)],
    Input: [Input(1), Input(1, b"x")],
    Resize: [Resize()],
    Prompt: [Prompt(1, mode) for mode in KeyMode],
    Offer: [Offer(bytes(32), "blake2b", 1, 0), Offer(bytes(32), "blake2b", 1, 0, ("00" * 32,), asks=False)],
    Listing: [Listing(b"D")],
    Want: [Want(True), Want(True, since=bytes(32)), Want(False, contents=b"\x01")],
    Content: [Content(b"x"), Content(b"x", changed=True)],
    Failure: [Failure("LinkError", "")],
}
"""Each kind but End, which a Sender makes itself, in each variety that the table tells apart."""

STEPS = [
    (direction, state, record)
    for direction in Direction
    for state in TABLE[direction]
    if state is not State.CLOSED
    for records in SAMPLES.values()
    for record in records
]


def next_state(direction: Direction, state: State, record: Record) -> State | None:
    """What the table says, with the two rules that it leaves to its text."""
    if type(record) in ALWAYS[direction]:
        return state
    following = TABLE[direction][state].get(type(record))
    if following is not None and isinstance(record, Job) and record.tree:
        return State.JOB
    if following is not None and isinstance(record, Status) and record.status.terminal:
        return State.FINISHED
    return following


def path_to(direction: Direction, wanted: State) -> list[Record]:
    """Records that lead to a state by the shortest way, without events."""
    ways: deque[tuple[State, list[Record]]] = deque([(State.START, [])])
    while True:
        state, way = ways.popleft()
        if state is wanted:
            return way
        for cls in TABLE[direction][state]:
            for record in SAMPLES.get(cls, []):
                following = next_state(direction, state, record)
                if following is not None and following is not state and not isinstance(record, Event):
                    ways.append((following, [*way, record]))


def _name(value: object) -> str:
    if isinstance(value, Status):
        return f"Status-{value.status.value}"
    if isinstance(value, Job):
        return f"Job-{'tree' if value.tree else 'alone'}"
    return value.value if isinstance(value, (Direction, State)) else type(value).__name__


@pytest.mark.parametrize(("direction", "state", "record"), STEPS, ids=_name)
def test_every_step_of_the_table(direction: Direction, state: State, record: Record) -> None:
    way = path_to(direction, state)
    expected = next_state(direction, state, record)
    sender = Sender(direction)
    for step in way:
        sender.send(step)
    assert sender.state is state
    taken = take(RawStream().records(*way, record).data, direction)
    assert taken.records[: len(way)] == way
    if expected is None:
        with pytest.raises(LocalProtocolError, match=f"{type(record).__name__} is not valid in state '{state.value}'"):
            sender.send(record)
        assert sender.state is state
        assert taken.records == way
        assert f"{type(record).__name__} is not valid in state '{state.value}' of the {direction.value} stream" in (
            taken.message
        )
    else:
        sender.send(record)
        assert sender.state is expected
        assert taken.records == [*way, record]
        assert taken.receiver.state is expected


@pytest.mark.parametrize(
    ("direction", "state"),
    [(direction, state) for direction in Direction for state in TABLE[direction] if state is not State.CLOSED],
    ids=_name,
)
def test_where_a_stream_may_end(direction: Direction, state: State) -> None:
    way = path_to(direction, state)
    sender = Sender(direction)
    for step in way:
        sender.send(step)
    taken = take(RawStream().records(*way).end().data, direction)
    if End in TABLE[direction][state]:
        sender.end()
        assert sender.state is State.CLOSED
        assert taken.error is None
        assert taken.receiver.closed
    else:
        with pytest.raises(LocalProtocolError, match="End is not valid in state"):
            sender.end()
        assert "End is not valid in state" in taken.message


@pytest.mark.parametrize("direction", Direction)
@pytest.mark.parametrize("record", [records[0] for records in SAMPLES.values()], ids=_name)
def test_nothing_is_sent_after_the_end(direction: Direction, record: Record) -> None:
    sender = Sender(direction)
    sender.send(Failure("LinkError", ""))
    sender.end()
    with pytest.raises(LocalProtocolError, match="expected nothing"):
        sender.send(record)


def test_a_refused_record_leaves_no_trace() -> None:
    sender = Sender(Direction.JOB)
    with pytest.raises(LocalProtocolError):
        sender.send(Cancel("too early"), flush=False)
    data = sender.send(Job("a")) + sender.end()
    assert take(data, Direction.JOB).records[0] == Job("a")
    assert take(data, Direction.JOB).error is None


@pytest.mark.parametrize("counters", [[0], [2], [1, 1], [1, 3], [1, 2, 2], [1, 2, 1], [2**64 - 1]])
def test_events_are_counted_without_gaps(counters: list[int]) -> None:
    running = Status(StatusName.RUNNING, "")
    events = [Event(counter, b"{}") for counter in counters]
    expected = f"expected event {len(counters)}, got event {counters[-1]}" if counters[0] == 1 else "expected event 1"
    message = take(RawStream().records(running, *events).data, Direction.RESULT).message
    assert expected in message
    assert "lost, duplicated or reordered" in message
    sender = Sender(Direction.RESULT)
    sender.send(running)
    for event in events[:-1]:
        sender.send(event)
    with pytest.raises(LocalProtocolError, match=expected):
        sender.send(events[-1])


@pytest.mark.parametrize(
    "questions",
    [
        [Want(True), Want(True)],
        [Want(False), Want(True)],
        [Want(False), Want(False)],
        [Want(True), Want(False), Want(False)],
        [Want(True), Want(False), Want(True)],
    ],
    ids=repr,
)
def test_a_worker_asks_once_for_listings_and_then_once_for_contents(questions: list[Want]) -> None:
    """A sender keeps a question until it is answered, so a worker must not send it any number of them."""
    expected = f"one question for listings and then one for contents, got {questions[-1]!r} after {questions[-2]!r}"
    taken = take(RawStream().records(*questions).data, Direction.RESULT)
    assert taken.records == questions[:-1]
    assert expected in taken.message
    sender = Sender(Direction.RESULT)
    for want in questions[:-1]:
        sender.send(want)
    with pytest.raises(LocalProtocolError, match=re.escape(expected)):
        sender.send(questions[-1])


def test_two_questions_are_allowed() -> None:
    questions: list[Record] = [Want(True, since=bytes(32)), Want(False, contents=b"\x01")]
    assert take(RawStream().records(*questions).data, Direction.RESULT).records == questions


@pytest.mark.parametrize(
    ("direction", "record", "hint"),
    [
        (Direction.RESULT, Job("a"), "run `playstream worker` in between"),
        (Direction.JOB, Status(StatusName.RUNNING, ""), "pipe it into `playstream process`"),
    ],
)
def test_stages_in_the_wrong_order_are_told_so(direction: Direction, record: Record, hint: str) -> None:
    message = take(RawStream().records(record).data, direction).message
    assert hint in message
    assert message.startswith("expected ")
    assert message.index(hint) < message.index("is not valid in state")


def test_every_kind_of_record_has_a_sample() -> None:
    named = {cls for states in TABLE.values() for allowed in states.values() for cls in allowed}
    named |= ALWAYS[Direction.JOB] | ALWAYS[Direction.RESULT]
    assert named == {*SAMPLES, End}
    assert Order(Direction.JOB, receiving=True).state is State.START
