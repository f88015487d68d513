"""Which events are shown again, when, and after which keys."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playstream.captures.pieces import Lack
from playstream.captures.player import Command, Player, Screen, Selection
from playstream.captures.runs import Blocks, RunAtRest
from playstream.pipeline.protocol import Event, Log, LogLevel, Noise, Record, Status, StatusName
from playstream.process.record_blocks import BlockMaker, BlockRecord, is_kept
from tests.captures.reading import an_event

BEGIN = datetime(2026, 11, 30, 10, tzinfo=UTC)


def at(seconds: float) -> str:
    return (BEGIN + timedelta(seconds=seconds)).isoformat()


def make_run(tasks: int, hosts: tuple[str, ...] = ("a", "b")) -> list[Record]:
    """A run in which a task begins every 10 seconds, and its results follow after 1 and 2 seconds."""
    events: list[tuple[float, str, dict[str, str]]] = [(0, "playbook_on_start", {}), (0, "playbook_on_play_start", {})]
    for task in range(tasks):
        name = {"task": f"t{task}"}
        events.append((task * 10, "playbook_on_task_start", name))
        events += [(task * 10 + 1 + n, "runner_on_ok", {**name, "host": host}) for n, host in enumerate(hosts)]
    events.append((tasks * 10, "playbook_on_stats", {}))
    made = [
        an_event(number, name, created=at(when), event_data=data) for number, (when, name, data) in enumerate(events, 1)
    ]
    last = Status(StatusName.SUCCESSFUL, at(tasks * 10 + 1), rc=0)
    return [Log(LogLevel.INFO, "hello"), Status(StatusName.RUNNING, at(0)), *made, last]


class Kept:
    """A run at rest whose records are given."""

    what = "a run"

    def __init__(
        self, records: list[Record], lacks: frozenset[Lack] = frozenset(), blocks: Blocks | None = None
    ) -> None:
        self._records = records
        self._blocks = blocks
        self.lacks = lacks

    def records(self) -> Iterator[Record | Noise]:
        yield from self._records

    def blocks(self) -> Blocks | None:
        return self._blocks


class Script(Screen):
    """A screen whose clock goes on when it waits, with commands at given times."""

    def __init__(self, commands: dict[float, Command]) -> None:
        self.now = 0.0
        self.shown: list[tuple[float, str]] = []
        self.told: list[str] = []
        self.said: list[Log | Noise] = []
        self.last: Status | None = None
        self._commands = sorted(commands.items())

    def show(self, event: dict[str, Any]) -> None:
        data = event["event_data"]
        name = event["event"].removeprefix("playbook_on_").removeprefix("runner_on_")
        self.shown.append((self.now, " ".join(filter(None, (name, data.get("task"), data.get("host"))))))

    def say(self, record: Log | Noise) -> None:
        self.said.append(record)

    def tell(self, text: str) -> None:
        self.told.append(text)

    def end(self, status: Status) -> None:
        self.last = status

    def wait(self, seconds: float | None) -> Command | None:
        end = float("inf") if seconds is None else self.now + seconds
        if self._commands and self._commands[0][0] <= end:
            self.now = max(self.now, self._commands[0][0])
            return self._commands.pop(0)[1]
        assert seconds is not None, "nobody will ever continue"
        self.now = end
        return None

    @property
    def names(self) -> list[str]:
        return [name for _, name in self.shown]


def play(
    records: list[Record],
    commands: dict[float, Command] | None = None,
    selection: Selection = Selection(),  # noqa: B008 - it is frozen
    speed: float | None = 1.0,
    lacks: frozenset[Lack] = frozenset(),
    blocks: Blocks | None = None,
) -> tuple[Script, bool]:
    screen = Script(commands or {})

    @contextmanager
    def open_run() -> Iterator[RunAtRest]:
        yield Kept(records, lacks, blocks)

    return screen, Player(open_run, screen, selection, speed, lambda: screen.now).play()


WHOLE = [
    (0, "start"),
    (0, "play_start"),
    (0, "task_start t0"),
    (1, "ok t0 a"),
    (2, "ok t0 b"),
    (10, "task_start t1"),
    (11, "ok t1 a"),
    (12, "ok t1 b"),
    (20, "stats"),
]


@pytest.mark.parametrize("speed", [0.5, 1, 4, None])
def test_the_timing_of_the_run(speed: float | None) -> None:
    screen, whole = play(make_run(2), speed=speed)
    assert whole
    assert screen.shown == [(0 if speed is None else when / speed, name) for when, name in WHOLE]
    assert screen.now == (0 if speed is None else 21 / speed)
    assert screen.last is not None
    assert screen.said == [Log(LogLevel.INFO, "hello")]


def test_a_status_without_a_time_is_due_at_once() -> None:
    screen, _ = play(make_run(2), lacks=frozenset({Lack.TIMES_OF_STATUSES}))
    assert screen.now == 20


def test_a_host() -> None:
    screen, _ = play(make_run(2), selection=Selection(host="b"))
    assert screen.shown == [pair for pair in WHOLE if not pair[1].endswith(" a")]


def test_a_task() -> None:
    screen, _ = play(make_run(2), selection=Selection(task="t1"))
    assert screen.names == ["start", "play_start", "task_start t1", "ok t1 a", "ok t1 b", "stats"]
    screen, _ = play(make_run(2), selection=Selection(host="a", task="t1"))
    assert screen.names == ["start", "play_start", "task_start t1", "ok t1 a", "stats"]


@pytest.mark.parametrize("start", [timedelta(seconds=11), BEGIN + timedelta(seconds=11)])
def test_a_start_within_the_run_is_shown_at_once(start: timedelta | datetime) -> None:
    screen, _ = play(make_run(2), selection=Selection(start=start))
    assert screen.shown == [(when - 11, name) for when, name in WHOLE if when >= 11]


def test_a_start_behind_the_end() -> None:
    screen, whole = play(make_run(2), selection=Selection(start=timedelta(hours=1)))
    assert (screen.shown, whole) == ([], True)


def test_pause() -> None:
    screen, _ = play(make_run(2), {5.0: Command.PAUSE, 105.0: Command.PAUSE})
    assert screen.told == ["paused", "continued"]
    assert screen.shown == [(when + (100 if when > 5 else 0), name) for when, name in WHOLE]


def test_speed() -> None:
    screen, _ = play(make_run(2), {2.0: Command.FASTER})
    assert screen.told == ["speed 2"]
    assert screen.shown == [(when if when <= 2 else 2 + (when - 2) / 2, name) for when, name in WHOLE]
    screen, _ = play(make_run(2), {2.0: Command.SLOWER})
    assert screen.now == 2 + 19 * 2


def test_the_next_task() -> None:
    screen, _ = play(make_run(3), {0.5: Command.NEXT})
    assert screen.names[:5] == ["start", "play_start", "task_start t0", "task_start t1", "ok t1 a"]
    assert (0.5, "task_start t1") in screen.shown


def test_the_previous_task() -> None:
    screen, _ = play(make_run(3), {11.5: Command.PREVIOUS})
    assert screen.names[6:9] == ["ok t1 a", "task_start t0", "ok t0 a"]
    assert screen.shown[7][0] == 11.5
    assert screen.names[-1] == "stats"
    screen, _ = play(make_run(3), {0.5: Command.PREVIOUS})
    assert screen.names[:6] == ["start", "play_start", "task_start t0", "start", "play_start", "task_start t0"]
    assert screen.said == [Log(LogLevel.INFO, "hello")]


def test_back_from_the_end() -> None:
    screen, whole = play(make_run(2), {20.5: Command.PREVIOUS})
    assert whole
    assert screen.names == [name for _, name in WHOLE] + [name for _, name in WHOLE[2:]]


def test_quit() -> None:
    screen, whole = play(make_run(2), {1.5: Command.QUIT})
    assert not whole
    assert screen.names == [name for when, name in WHOLE if when <= 1]


def test_next_while_paused_stops_at_the_next_task() -> None:
    screen, _ = play(make_run(2), {0.5: Command.PAUSE, 1.0: Command.NEXT, 50.0: Command.PAUSE})
    assert (50, "task_start t1") in screen.shown


def test_messages_before_the_start_are_not_shown() -> None:
    screen, _ = play(make_run(2), selection=Selection(start=timedelta(seconds=11)))
    assert screen.said == []


def in_blocks(records: list[Record], of_each: int) -> Blocks:
    """The run in blocks of at most so many records."""
    kept: list[list[BlockRecord]] = [[]]
    for record in filter(is_kept, records):
        if len(kept[-1]) == of_each:
            kept.append([])
        kept[-1].append(record)
    infos = []
    for part in kept:
        maker = BlockMaker()
        assert not any(map(maker.add, part))
        block = maker.finish()
        assert block is not None
        infos.append(block.info)
    return Blocks(infos, lambda first: chain.from_iterable(kept[first:]))


@given(
    st.lists(st.tuples(st.floats(0, 60), st.sampled_from(Command)), max_size=8).map(dict),
    st.integers(0, 5),
    st.integers(1, 6),
    st.none() | st.integers(-5, 60).map(lambda seconds: timedelta(seconds=seconds)),
    st.lists(st.integers(-30, 30), max_size=4),
)
def test_blocks_change_nothing(
    commands: dict[float, Command], tasks: int, of_each: int, start: timedelta | None, jumps: list[int]
) -> None:
    """Whatever is typed and wherever it begins, the same is shown as without blocks, also if the clock was set back."""
    records = make_run(tasks)
    for place, seconds in enumerate(jumps):
        counter = place * 3 + 2
        if counter < len(records) and isinstance(record := records[counter], Event):
            records[counter] = Event(record.counter, record.json.replace(b"T10:00:", b"T10:%02d:" % abs(seconds)))
    keys = {**commands, 1e6: Command.PAUSE, 2e6: Command.PAUSE}
    without = play(records, keys, Selection(start=start))
    found = play(records, keys, Selection(start=start), blocks=in_blocks(records, of_each))
    assert [(each.shown, each.told, each.said, each.last) for each, _ in (without, found)] == [
        (without[0].shown, without[0].told, without[0].said, without[0].last)
    ] * 2
    assert found[1] == without[1]


@given(
    st.lists(st.tuples(st.floats(0, 60), st.sampled_from(Command)), max_size=12).map(dict),
    st.integers(0, 5),
    st.sampled_from([0.5, 1.0, 8.0, None]),
)
def test_any_keys(commands: dict[float, Command], tasks: int, speed: float | None) -> None:
    """Whatever is typed, the end is reached, unless it is q; what is shown are events of the run, in its order."""
    keys = {**commands, 1e6: Command.PAUSE, 2e6: Command.PAUSE}  # somebody continues at last
    screen, whole = play(make_run(tasks), keys, speed=speed)
    assert whole or Command.QUIT in commands.values()
    possible, _ = play(make_run(tasks), speed=None)
    assert set(screen.names) <= set(possible.names)
    if not {Command.PREVIOUS, Command.QUIT} & set(commands.values()):
        assert screen.names == [name for name in possible.names if name in set(screen.names)]
        assert screen.last is not None
