"""Looking at a stream and showing it again take no more memory for more records, and a report for more results."""

from __future__ import annotations

import json
import shutil
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from playstream.captures.finding import find_run
from playstream.captures.inspection import Inspection
from playstream.captures.player import Command, Player, Screen, Selection
from playstream.captures.runs import open_run
from playstream.captures.stream import Stream
from playstream.pipeline.limits import DEFAULT_LIMITS
from playstream.pipeline.protocol import Sender, Status, StatusName
from playstream.pipeline.protocol.order import Direction
from playstream.process.store import EventKeeper, RunWriter, open_store
from playstream.report.collecting import Report
from playstream.report.junit import JunitReport
from playstream.report.trace import TraceReport
from tests.captures.reading import NOW, Source, an_event
from tests.report.events import GOOD, render_pieces, result

FEW, MANY = 2_000, 40_000
SLACK = 2 << 20
"""Bytes by which the peaks may differ: a frame is held whole."""
SLACK_OF_BLOCKS = 5 << 20
"""The same with blocks: the few records are in no whole block, which is held with a copy that is compressed."""
SLACK_OF_A_REPORT = 8 << 20
"""The same of a report, of which the first 1 MiB is held whole, and copied when its buffer grows or goes to a file."""


def native(events: int) -> Iterator[bytes]:
    sender = Sender(Direction.RESULT)
    yield sender.send(Status(StatusName.RUNNING, NOW))
    for number in range(1, events + 1):
        yield sender.send(an_event(number), flush=number % 100 == 0)
    yield sender.send(Status(StatusName.SUCCESSFUL, NOW, rc=0))
    yield sender.end()


def runner(events: int) -> Iterator[bytes]:
    yield b'{"status": "running"}\n'
    for number in range(1, events + 1):
        yield an_event(number).json + b"\n"
    yield b'{"status": "successful"}\n{"eof": true}\n'


def recording(events: int) -> Iterator[bytes]:
    for number in range(1, events):
        yield an_event(number).json + b"\n"
    yield an_event(events, "playbook_on_stats", event_data={"ok": {"a": 1}}).json + b"\n"


def peak(work: Callable[[], None]) -> int:
    """The most memory that some work takes."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def check(work: Callable[[int], None], many: int = MANY, slack: int = SLACK) -> None:
    """Check that work on many things takes no more memory than on a few."""
    work(1)  # what is loaded once
    assert peak(lambda: work(many)) < peak(lambda: work(FEW)) + slack


@pytest.mark.parametrize("make", [native, runner, recording])
def test_looking_at_a_stream(make: Callable[[int], Iterator[bytes]]) -> None:
    def look(events: int) -> None:
        inspection = Inspection(Stream(Source(filter(None, make(events))), DEFAULT_LIMITS))
        for _ in inspection.pieces():
            pass
        assert inspection.totals.damage is None
        assert inspection.totals.events == events

    check(look)


class Counting(Screen):
    """Counts what is shown."""

    def __init__(self) -> None:
        self.shown = 0

    def show(self, event: dict[str, Any]) -> None:
        self.shown += bool(event)

    def wait(self, seconds: float | None) -> Command | None:
        assert seconds == 0
        return None


def test_showing_a_run_again(tmp_path: Path) -> None:
    def show(events: int) -> None:
        screen = Counting()
        opened = partial(open_run, tmp_path / str(events), {}, pytest.fail)
        assert Player(opened, screen, Selection(), None, lambda: 0.0).play()
        assert screen.shown == events

    for events in (1, FEW, MANY):
        (tmp_path / str(events)).write_bytes(b"".join(native(events)))
    check(show)


@pytest.mark.parametrize("make", [JunitReport, TraceReport])
def test_a_report_of_every_result(make: Callable[[], Report]) -> None:
    def report(results: int) -> None:
        size = sum(map(len, render_pieces(make(), (result("a", f"t{n}") for n in range(results)), GOOD)))
        assert size > 60 * results

    check(report, 2 * MANY, SLACK_OF_A_REPORT)


def test_making_an_index_and_using_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def show(events: int) -> None:
        shutil.rmtree(tmp_path / "cache", ignore_errors=True)
        opened = partial(open_run, tmp_path / str(events), {}, pytest.fail, indexed=True)
        for start in (None, timedelta()):
            screen = Counting()
            assert Player(opened, screen, Selection(start=start), None, lambda: 0.0).play()
            assert screen.shown == events
        assert (tmp_path / "cache").exists() == (events == MANY)

    for events in (1, FEW, MANY):
        (tmp_path / str(events)).write_bytes(b"".join(native(events)))
    check(show, slack=SLACK_OF_BLOCKS)


def test_keeping_events_in_a_store_and_showing_them(tmp_path: Path) -> None:
    def keep_and_show(events: int) -> None:
        url = str(tmp_path / f"{events}.db")
        with open_store(url) as store:
            keeper = EventKeeper(store, pytest.fail)
            for number in range(1, events + 1):
                event = an_event(number)
                keeper.take(event, json.loads(event.json))
            with RunWriter(store) as writer:
                kept = keeper.finish(Status(StatusName.SUCCESSFUL, NOW, rc=0))
                writer.save(str(events), "successful", 0, started=NOW, kept=kept)
            keeper.note_saved(has_events=writer.has_kept)
            keeper.close()
        found = find_run(str(events), url)
        screen = Counting()
        assert Player(partial(found.open, {}, pytest.fail), screen, Selection(), None, lambda: 0.0).play()
        assert screen.shown == events
        Path(url).unlink()

    check(keep_and_show, slack=SLACK_OF_BLOCKS)
