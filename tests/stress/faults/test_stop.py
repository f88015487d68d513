"""A stage that is asked to stop hears it: while nobody takes its output, and in the middle of one large read."""

from __future__ import annotations

import io
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import playstream
from playstream.interface import handlers
from playstream.pipeline.errors import CANCELED_EXIT_STATUS, SilentPeer
from playstream.pipeline.protocol import Event, Heartbeat, Record, Sender, Status, StatusName
from playstream.pipeline.protocol.order import Direction
from playstream.process import receiving as process
from tests.cli.test_written_output import Slow
from tests.conftest import MakeDir
from tests.processes import Repeating, marked_processes, wait_until
from tests.stages import LIMIT_SECONDS, Stages

NOW = "2026-01-01T00:00:00+00:00"
FLOOD = """\
#!/usr/bin/env python3
import random, time
for number in range(200000):
    print(f"line {number} {random.randbytes(40).hex()}")  # which cannot be made much smaller
time.sleep(600)
"""


@dataclass
class Stuck:
    """A stage that waits for the reader of its output.

    Attributes:
        stage: its name.
        process: the stage.
        worker: of what `process` shows.
    """

    stage: str
    process: subprocess.Popen[bytes]
    worker: subprocess.Popen[bytes] | None = None


@pytest.fixture
def stuck(private_data_dir: MakeDir, tmp_path: Path, stages: Stages) -> Iterator[list[Stuck]]:
    """The three stages that have an output, which nobody takes; their job would never end."""
    fakes = tmp_path / "fakes"
    fakes.mkdir()
    (fakes / "ansible-playbook").write_text(FLOOD)
    (fakes / "ansible-playbook").chmod(0o755)
    stages.path_before.append(fakes)
    directory = private_data_dir({"site.yml": "[]\n"})
    job = tmp_path / "job"
    job.write_bytes(stages.transmit(directory, "-p", "site.yml"))
    with ExitStack() as pipes:

        def start(*words: str | Path, stdin: Any) -> subprocess.Popen[bytes]:
            pipe = Slow(blocking=True)
            pipes.callback(pipe.close)
            full.append(pipe.is_full)
            return stages.start(*words, stdin=stdin, stdout=pipe.writing_end)

        full: list[Callable[[], bool]] = []
        with job.open("rb") as stdin:
            worker = stages.start("worker", stdin=stdin, stderr=subprocess.DEVNULL)
        with job.open("rb") as stdin, worker.stdout or nullcontext():
            found = [
                Stuck("run", start("run", directory, "-p", "site.yml", "-i", "run", stdin=subprocess.DEVNULL)),
                Stuck("process", start("process", directory, "-i", "process", stdin=worker.stdout), worker),
                Stuck("worker", start("worker", stdin=stdin)),
            ]
        for is_full in full:
            wait_until(is_full, LIMIT_SECONDS)
        yield found


def test_one_signal_while_nobody_takes_the_output(stages: Stages, stuck: list[Stuck], tmp_path: Path) -> None:
    artifacts = tmp_path / "demo" / "artifacts"
    signals = {"run": signal.SIGINT, "process": signal.SIGTERM, "worker": signal.SIGTERM}
    for item in stuck:
        item.process.send_signal(signals[item.stage])
    for item in stuck:
        _, stderr = item.process.communicate(timeout=LIMIT_SECONDS)
        expected = SilentPeer.exit_status if item.stage == "worker" else CANCELED_EXIT_STATUS
        assert item.process.returncode == expected, (item.stage, stderr)
        assert f"canceled by {signals[item.stage].name}".encode() in stderr
        if item.stage != "worker":
            assert (artifacts / item.stage / "status").read_text() == "canceled"
    check_nothing_is_left(stages, stuck)


def test_a_second_signal(stages: Stages, stuck: list[Stuck]) -> None:
    for item in stuck:
        with Repeating(partial(item.process.send_signal, signal.SIGTERM), 0.05):
            _, stderr = item.process.communicate(timeout=LIMIT_SECONDS)
        assert item.process.returncode == -signal.SIGTERM, (item.stage, stderr)
    check_nothing_is_left(stages, stuck)


def check_nothing_is_left(stages: Stages, stuck: list[Stuck]) -> None:
    """No process of a job and no spool: the guard removes what a stage that a second signal ended has left."""
    for item in stuck:
        if item.worker is not None:
            item.worker.wait(LIMIT_SECONDS)
    wait_until(lambda: marked_processes(stages.temporary) == [] and stages.leftovers() == [])


def capture(*records: Record) -> io.BytesIO:
    sender = Sender(Direction.RESULT)
    first = Status(StatusName.STARTING, NOW, command=("ansible-playbook",), cwd="/", env={})
    last = Status(StatusName.SUCCESSFUL, NOW, rc=0)
    return io.BytesIO(b"".join(map(sender.send, (first, *records, last))) + sender.end())


def event(counter: int) -> Event:
    return Event(
        counter,
        (
            f'{{"uuid": "u-{counter}", "counter": {counter}, "stdout": "x", "start_line": {counter - 1}, '
            f'"end_line": {counter}, "event": "verbose", "event_data": {{}}}}'
        ).encode(),
    )


EVENT = event(1).json + b"\n"


def keeping(handled: list[int]) -> Callable[[dict[str, Any]], bool]:
    """An event handler that notes the numbers of events."""

    def handle(event: dict[str, Any]) -> bool:
        handled.append(event["counter"])
        return True

    return handle


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time that does not pass: every look happens, and a request to stop is met at the next."""
    monkeypatch.setattr(process, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(process, "STOP_SECONDS", 0.0)
    monkeypatch.setattr(handlers, "LOOK_SECONDS", 0.0)


@pytest.mark.usefixtures("at_once")
def test_a_cancellation_between_two_events_of_one_read(tmp_path: Path) -> None:
    handled: list[int] = []
    runner = playstream.run(
        streamer="process",
        private_data_dir=tmp_path,
        quiet=True,
        _input=capture(*map(event, range(1, 1000))),
        event_handler=keeping(handled),
        cancel_callback=lambda: bool(handled),
    )
    assert handled == [1]
    assert (runner.status, runner.exit_status) == ("canceled", CANCELED_EXIT_STATUS)
    assert (runner.artifact_path / "status").read_text() == "canceled"


NOTHING = {
    "native": lambda: capture(*[Heartbeat()] * 1000, event(1)),
    "runner": lambda: io.BytesIO(b'{"status": "running"}\n' + b"{}\n" * 1000 + EVENT + b'{"eof": true}\n'),
}


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("dialect", NOTHING)
def test_a_cancellation_among_records_that_carry_nothing(tmp_path: Path, dialect: str) -> None:
    looks: list[int] = []
    handled: list[int] = []

    def look() -> bool:
        looks.append(1)
        return len(looks) > 100

    playstream.run(
        streamer="process",
        private_data_dir=tmp_path,
        quiet=True,
        _input=NOTHING[dialect](),
        event_handler=keeping(handled),
        cancel_callback=look,
    )
    assert handled == []
    assert len(looks) == 101
