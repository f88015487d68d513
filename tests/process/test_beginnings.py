"""An earlier run is replaced when a stream has really begun: with its first status or event, and not before."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from playstream.compat.ansible_runner import interface as ansible_runner
from playstream.interface import run
from playstream.pipeline.errors import JobError
from playstream.pipeline.io.stdio import Connection
from playstream.pipeline.protocol import Event, Failure, Heartbeat, Log, LogLevel, Record, Sender, TreeEnd
from playstream.pipeline.protocol.order import Direction
from playstream.process import Observer, Result
from playstream.process.receiving import process
from tests.pipeline.runner_dialect.wire import END, archive, carry, line
from tests.pipeline.tree.conftest import Snapshot, take_snapshot
from tests.stages import Stages
from tests.stress.hostile.streams import (
    ENDED,
    JOB,
    KWARGS,
    RC,
    ROOT,
    STARTING,
    event_json,
    file,
    native,
    native_event,
    recorded,
    runner_event,
)

EARLIER = native([STARTING, Event(1, event_json()), ENDED, ROOT, file(b"stderr"), TreeEnd(2, 0)], Direction.RESULT)
OTHER = event_json(stdout="other")
FAILED = Failure("ExecutableNotFound", "ansible was not found")


def begun(*records: Record) -> bytes:
    """A stream that breaks off after these records."""
    sender = Sender(Direction.RESULT)
    return b"".join(sender.send(record) for record in records)


FIRST = begun(STARTING)
NOT_BEGUN = {
    "nothing": b"",
    "what ssh says": b"ssh: Could not resolve hostname hots: Name or service not known\n",
    "the wrong file": bytes(range(256)) * 8,
    "a job": native([JOB], Direction.JOB),
    "a job, runner": line(kwargs=KWARGS) + carry(archive()) + END,
    "the first bytes": FIRST[:12],
    "all but a byte of the first record": FIRST[:-1],
    "a changed byte in the first record": FIRST[:-3] + bytes([FIRST[-3] ^ 1]) + FIRST[-2:],
    "heartbeats and lines for people": begun(Heartbeat(), Log(LogLevel.WARNING, "slow")),
    "a worker that failed": native([FAILED], Direction.RESULT),
    "a worker that failed, with artifacts": native([FAILED, ROOT, file(b"rc"), TreeEnd(2, 0)], Direction.RESULT),
    "half a line, runner": line(status="starting")[:-3],
    "keepalives, runner": line(event="keepalive", counter=0, uuid=0),
    "a worker that failed, runner": line(status="error", job_explanation="ansible was not found") + END,
    "a worker that failed, with artifacts, runner": line(status="error") + carry(archive(*RC)) + END,
    "a status that is none, runner": line(status="begun") + END,
    "an event that is none, runner": line(event="verbose", counter=0) + END,
    "artifacts alone, runner": carry(archive(*RC)) + END,
    "half of the artifacts, runner": carry(archive(*RC))[:40],
    "the end, runner": END,
    "half a recording": recorded(event_json())[:-9],
}
BEGUN = {
    "a status": FIRST,
    "an event": native_event(OTHER),
    "a final status": begun(ENDED),
    "a status, runner": line(status="starting"),
    "an event, runner": OTHER + b"\n",
    "a whole run, runner": runner_event(OTHER),
    "a recording": recorded(OTHER),
}


def rebuild(place: Path, stream: bytes) -> Result:
    """What process makes of a stream whose artifacts go to a directory."""
    with tempfile.TemporaryFile() as file:
        file.write(stream)
        file.seek(0)
        return process(Connection(file.fileno()), place, Observer())


def keep_earlier(place: Path) -> Snapshot:
    """What an earlier run leaves there."""
    assert rebuild(place, EARLIER).exit_status == 0
    before = take_snapshot(place)
    assert {b"status", b"rc", b"stderr", b"command", b"job_events/1-u-1.json"} <= set(before)
    return before


@pytest.mark.parametrize("stream", NOT_BEGUN.values(), ids=NOT_BEGUN)
def test_what_has_not_begun_leaves_an_earlier_run_as_it_is(stream: bytes, tmp_path: Path) -> None:
    place = tmp_path / "artifacts" / "run"
    before = keep_earlier(place)
    result = rebuild(place, stream)
    assert take_snapshot(place) == before
    assert (result.status.value, result.spared) == ("error", True)
    assert result.exit_status not in {0, 1}
    assert (result.explanation or "").endswith(f". The artifacts of an earlier run in {str(place)!r} are unchanged")

    first = rebuild(tmp_path / "first", stream)
    assert (first.status.value, first.spared) == ("error", False)
    assert (tmp_path / "first" / "status").read_text() == "error"
    assert "earlier" not in (first.explanation or "")


@pytest.mark.parametrize("stream", BEGUN.values(), ids=BEGUN)
def test_the_first_status_or_event_replaces_it(stream: bytes, tmp_path: Path) -> None:
    place = tmp_path / "artifacts" / "run"
    keep_earlier(place)
    result = rebuild(place, stream)
    assert not result.spared
    assert not (place / "stderr").exists()
    assert (place / "status").read_text() == result.status.value
    assert "x" not in [json.loads(path.read_text())["stdout"] for path in (place / "job_events").iterdir()]


@pytest.mark.parametrize("stream", [b"", NOT_BEGUN["what ssh says"]], ids=["nothing", "foreign"])
@pytest.mark.parametrize("call", [run, ansible_runner.run])
def test_python_and_compat(call: Callable[..., Any], stream: bytes, tmp_path: Path) -> None:
    place = tmp_path / "artifacts" / "run"
    before = keep_earlier(place)
    told: list[str] = []
    capture = tmp_path / "capture"
    capture.write_bytes(stream)
    with capture.open("rb") as file:
        runner = call(
            streamer="process",
            _input=file,
            private_data_dir=str(tmp_path),
            ident="run",
            quiet=True,
            rotate_artifacts=1,
            artifacts_handler=told.append,
            finished_callback=lambda runner: told.append(runner.status),
        )
    assert take_snapshot(place) == before
    assert told == ["error"]
    assert (runner.status, runner.rc, list(runner.events), runner.stats) == ("error", None, [], None)
    with pytest.raises(JobError, match="it never began"):
        runner.stdout.close()


def test_the_command(stages: Stages, tmp_path: Path) -> None:
    demo = tmp_path / "demo"
    before = keep_earlier(demo / "artifacts" / "run")
    done = stages.call("process", demo, "-i", "run", "--summary", "-")
    assert take_snapshot(demo / "artifacts" / "run") == before
    assert done.returncode == 75
    assert done.stderr.decode().endswith("are unchanged\n")
    assert json.loads(done.stdout)["task_summary"] == {}


def test_a_run_on_this_host_replaces_it_at_once(tmp_path: Path) -> None:
    place = tmp_path / "artifacts" / "run"
    keep_earlier(place)
    runner = run(private_data_dir=str(tmp_path), ident="run", module="ping", binary="/bin/true", quiet=True)
    assert (runner.status, (place / "stdout").read_text()) == ("successful", "")
    assert list((place / "job_events").iterdir()) == []
