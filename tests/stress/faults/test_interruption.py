"""`process` is asked to stop: what the worker still says of the end is taken, and what never comes not waited for."""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from playstream.pipeline.dialect import Dialect
from playstream.pipeline.io.cancellation import Cancellation
from playstream.pipeline.io.stdio import Connection
from playstream.pipeline.protocol import Heartbeat, Status, StatusName
from playstream.pipeline.protocol.order import Direction
from playstream.process import Observer, Result
from playstream.process.receiving import process
from tests.stages import LIMIT_SECONDS, read_events
from tests.stress.faults.sessions import NOW, OUTPUT, make_event, pieces, tree

INTERRUPTED = "playstream.process.receiving.STOP_SECONDS"
ARTIFACT = "playstream.process.receiving.DELIVERY_SECONDS"
OURS, THEIRS = "canceled by SIGINT", "canceled by SIGINT, says the worker"
FILES = {"stdout": OUTPUT, "rc": b"254", "status": b"canceled"}


@dataclass
class Watcher(Observer):
    """Lets the test wait until all that came has been taken."""

    taken: threading.Event = field(default_factory=threading.Event)

    def idle(self) -> None:
        self.taken.set()


@dataclass
class Run:
    """A `process` in a thread of its own, whose worker says what the test writes.

    Attributes:
        begin: the stream until the job runs, an event included.
        end: the worker's last status.
        artifacts: its artifacts and the end of the stream.
    """

    writing: int
    watcher: Watcher
    cancellation: Cancellation
    ending: Future[Result]
    begin: bytes
    end: bytes
    artifacts: bytes

    def say(self, data: bytes) -> None:
        """Write what a pipe takes at once, and wait until `process` has taken it."""
        self.watcher.taken.clear()
        os.write(self.writing, data)
        assert self.watcher.taken.wait(LIMIT_SECONDS)

    def result(self) -> Result:
        return self.ending.result(LIMIT_SECONDS)


@pytest.fixture(params=list(Dialect))
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Run]:
    said = pieces(
        request.param,
        Direction.RESULT,
        [
            Heartbeat(),
            Status(StatusName.STARTING, NOW, command=("a",), env={}, cwd="/"),
            make_event(1, 0, random.Random(1)),
            Status(StatusName.CANCELED, NOW, explanation=THEIRS),
            *tree(FILES),
        ],
    )
    reading, writing = os.pipe()
    watcher = Watcher()
    with closing(Cancellation()) as cancellation, ThreadPoolExecutor(1) as pool:
        ending = pool.submit(
            process, Connection(reading), tmp_path / "artifacts", watcher, cancellation=cancellation, liveness_seconds=0
        )
        try:
            yield Run(writing, watcher, cancellation, ending, b"".join(said[:3]), said[3], b"".join(said[4:]))
        finally:
            os.close(writing)
            ending.result(LIMIT_SECONDS)
            os.close(reading)


def test_what_the_worker_says_in_time_is_taken(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for limit in (INTERRUPTED, ARTIFACT):
        monkeypatch.setattr(limit, 10.0 * LIMIT_SECONDS)  # a busy host is not too late
    run.say(run.begin)
    run.cancellation.request(OURS)
    run.say(run.end)
    run.say(run.artifacts)
    result = run.result()
    assert (result.status, result.explanation, result.exit_status) == (StatusName.CANCELED, THEIRS, 254)
    assert (result.artifact_dir / "stdout").read_bytes() == OUTPUT, "the worker's, and not what was shown"
    assert [event["counter"] for event in read_events(result.artifact_dir)] == [1]


def test_what_the_worker_does_not_say_is_not_waited_for(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(INTERRUPTED, 0.05)
    run.say(run.begin)
    run.cancellation.request(OURS)
    result = run.result()  # the worker's link stays open
    assert (result.status, result.explanation, result.exit_status) == (StatusName.CANCELED, OURS, 254)
    assert (result.artifact_dir / "status").read_text() == "canceled"
    assert (result.artifact_dir / "stdout").read_bytes() == b"line 1\r\n"
    assert [event["counter"] for event in read_events(result.artifact_dir)] == [1]


def test_artifacts_have_a_longer_limit_than_the_end(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked to stop when the worker has said how the job ended: what is to come are its artifacts."""
    monkeypatch.setattr(INTERRUPTED, 0.0)
    monkeypatch.setattr(ARTIFACT, 10.0 * LIMIT_SECONDS)
    run.say(run.begin)
    run.say(run.end)
    run.cancellation.request(OURS)
    run.say(run.artifacts)
    result = run.result()
    assert (result.status, result.explanation) == (StatusName.CANCELED, THEIRS)
    assert (result.artifact_dir / "stdout").read_bytes() == OUTPUT


def test_artifacts_that_do_not_come_are_not_waited_for(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(INTERRUPTED, 10.0 * LIMIT_SECONDS)
    monkeypatch.setattr(ARTIFACT, 0.05)
    run.say(run.begin)
    run.say(run.end)
    run.say(run.artifacts[: len(run.artifacts) // 2])
    run.cancellation.request(OURS)
    result = run.result()
    assert (result.status, result.explanation, result.exit_status) == (StatusName.CANCELED, THEIRS, 254)
    assert (result.artifact_dir / "status").read_text() == "canceled"
    assert not (result.artifact_dir / ".incoming").exists()
    assert [event["counter"] for event in read_events(result.artifact_dir)] == [1]
