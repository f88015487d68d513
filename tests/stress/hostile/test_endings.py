"""What a worker says of a run's end: exit status 0 means successful and 0, whatever comes, and no failure is silent."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import playstream
from playstream.compat import ansible_runner
from playstream.pipeline.errors import RemoteProtocolError, WorkerError
from playstream.pipeline.io.stdio import Connection
from playstream.pipeline.protocol import Event, FileData, LogLevel, Record, Status, StatusName, TreeEnd
from playstream.pipeline.protocol.order import Direction
from playstream.process import Observer, Result
from playstream.process.receiving import process
from tests.pipeline.protocol.wire import RawStream
from tests.pipeline.runner_dialect.wire import END, archive, carry, line
from tests.stages import Stages
from tests.stress.hostile.streams import (
    ENDED,
    NOW,
    ROOT,
    STARTING,
    event_json,
    file,
    native,
    recorded,
    runner_event,
    zipped,
)

RCS = (None, 0, 1, 2, 255, 256, 512, -1, 2**40)
TERMINAL = [name for name in StatusName if name.terminal]
CANCELED = 254


class Listener(Observer):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.warnings: list[str] = []
        self.statuses: list[str] = []

    def log(self, level: LogLevel, message: str) -> None:
        if level is LogLevel.WARNING:
            self.warnings.append(message)

    def status(self, status: Status) -> None:
        self.statuses.append(status.status.value)


def told_native(name: StatusName, rc: int | None, explanation: str | None = None) -> bytes:
    return native([STARTING, Status(name, NOW, rc=rc, explanation=explanation)], Direction.RESULT)


def told_runner(name: StatusName, rc: int | None, explanation: str | None = None) -> bytes:
    more = {} if explanation is None else {"job_explanation": explanation}
    packed = archive(zipped("x"), *([] if rc is None else [zipped("rc", str(rc).encode())]))
    return line(status="starting") + line(status=name.value, **more) + carry(packed) + END


TOLD = {"native": told_native, "runner": told_runner}


def rebuild(stream: bytes, directory: Path) -> tuple[Result, Listener]:
    listener = Listener()
    source = directory / "stream"
    source.write_bytes(stream)
    with source.open("rb") as incoming:
        return process(Connection(incoming.fileno()), directory / "artifacts", listener), listener


@pytest.mark.parametrize("dialect", TOLD)
@pytest.mark.parametrize("rc", RCS)
@pytest.mark.parametrize("name", TERMINAL)
@pytest.mark.parametrize("explanation", [None, ""])
def test_zero_means_successful_and_zero(
    dialect: str, name: StatusName, rc: int | None, explanation: str | None, tmp_path: Path
) -> None:
    result, listener = rebuild(TOLD[dialect](name, rc, explanation), tmp_path)
    good = name is StatusName.SUCCESSFUL and rc == 0
    assert (result.exit_status == 0) is (result.status is StatusName.SUCCESSFUL and result.rc == 0) is good
    assert 0 <= result.exit_status < 256
    assert listener.statuses[-1] == result.status.value
    assert (tmp_path / "artifacts" / "status").read_text() == result.status.value
    kept = tmp_path / "artifacts" / "rc"
    assert (kept.read_text() if kept.exists() else None) == (None if result.rc is None else str(result.rc))
    is_ansibles = result.status is StatusName.FAILED and result.exit_status == rc
    assert bool(result.explanation) or result.exit_status == 0 or is_ansibles
    if name is StatusName.FAILED and rc in {1, 2, 255}:
        assert (result.status, result.exit_status, result.explanation) == (name, rc, explanation)
    if name in {StatusName.CANCELED, StatusName.TIMEOUT}:
        assert (result.status, result.rc, result.exit_status) == (name, CANCELED, CANCELED)
    if name is StatusName.FAILED and rc == 0:
        assert (result.status, result.rc, result.exit_status) == (StatusName.ERROR, None, WorkerError.exit_status)


SILENT = [
    (StatusName.FAILED, 0, "'failed' with 0"),
    (StatusName.ERROR, 0, "gave no reason"),
    (StatusName.SUCCESSFUL, None, "without Ansible's return code"),
    (StatusName.SUCCESSFUL, 2, "'successful' with 2"),
    (StatusName.FAILED, None, "no return code"),
    (StatusName.FAILED, 256, "256 as Ansible's return code"),
    (StatusName.CANCELED, None, "gave no reason"),
    (StatusName.TIMEOUT, None, "did not say which"),
    (StatusName.ERROR, 2, "gave no reason"),
]


@pytest.mark.parametrize("dialect", TOLD)
@pytest.mark.parametrize(("name", "rc", "words"), SILENT)
def test_the_command_says_why_in_one_line(
    stages: Stages, tmp_path: Path, dialect: str, name: StatusName, rc: int | None, words: str
) -> None:
    done = stages.call("process", tmp_path, "-q", stdin=TOLD[dialect](name, rc))
    assert done.returncode not in {0, 1}
    (said,) = done.stderr.decode().splitlines()
    assert said.startswith("playstream process: ")
    assert words in said


@pytest.mark.parametrize("dialect", TOLD)
@pytest.mark.parametrize(("name", "rc"), [(StatusName.FAILED, 0), (StatusName.SUCCESSFUL, None), (StatusName.ERROR, 0)])
def test_the_python_faces_agree(tmp_path: Path, dialect: str, name: StatusName, rc: int | None) -> None:
    stream = TOLD[dialect](name, rc)
    runner = playstream.run(
        streamer="process", private_data_dir=str(tmp_path), ident="a", quiet=True, _input=io.BytesIO(stream)
    )
    same = ansible_runner.run(
        streamer="process", private_data_dir=str(tmp_path), ident="b", quiet=True, _input=io.BytesIO(stream)
    )
    for one in (runner, same):
        assert (one.status, one.exit_status) == ("error", WorkerError.exit_status)
        assert one.explanation


def test_the_rc_in_the_artifacts_is_that_of_the_status(tmp_path: Path) -> None:
    """A tree may hold a file `rc` that says something else."""
    tree: list[Record] = [ROOT, file(b"rc", 1), FileData(b"0"), TreeEnd(2, 1)]
    result, _ = rebuild(native([STARTING, Status(StatusName.FAILED, NOW), *tree], Direction.RESULT), tmp_path)
    assert (result.status, result.rc) == (StatusName.FAILED, None)
    assert not (tmp_path / "artifacts" / "rc").exists()


@pytest.mark.parametrize("late", ["successful", "failed", "canceled", "timeout", "running", "starting", "error"])
@pytest.mark.parametrize("first", ["failed", "successful", "error"])
def test_a_status_after_the_last_is_refused(first: str, late: str, tmp_path: Path) -> None:
    streams = {
        "native": RawStream()
        .records(Status(StatusName(first), NOW, rc=0), Status(StatusName(late), NOW, rc=0))
        .end()
        .data,
        "runner": line(status="starting")
        + line(status=first)
        + line(status=late)
        + carry(archive(zipped("rc", b"0")))
        + END,
    }
    for dialect, stream in streams.items():
        directory = tmp_path / dialect
        directory.mkdir()
        result, _ = rebuild(stream, directory)
        assert result.status is StatusName.ERROR
        if dialect == "runner" and late == "error" and first != "error":
            assert result.exit_status == WorkerError.exit_status  # the worker failed after the job, and says so
        else:
            assert result.exit_status == RemoteProtocolError.exit_status


def test_a_worker_that_fails_after_the_job_says_why(tmp_path: Path) -> None:
    stream = line(status="starting") + line(status="successful") + line(status="error", job_explanation="no room") + END
    result, _ = rebuild(stream, tmp_path)
    assert (result.status, result.exit_status) == (StatusName.ERROR, WorkerError.exit_status)
    assert result.explanation == "no room"


@pytest.mark.parametrize("second", [1, 2])
def test_two_events_of_one_number_are_refused(second: int, tmp_path: Path) -> None:
    """Also with uuids of their own, and out of order."""
    one, other = event_json(2), event_json(second, uuid="u-2")
    runner = line(status="starting") + one + b"\n" + other + b"\n" + line(status="successful") + END
    result, _ = rebuild(runner, tmp_path)
    assert result.exit_status == RemoteProtocolError.exit_status
    assert "duplicated" in (result.explanation or "")
    assert [path.name for path in (tmp_path / "artifacts" / "job_events").iterdir()] == ["2-u-1.json"]


@pytest.mark.parametrize("second", [1, 3])
def test_the_native_dialect_and_recordings_refuse_doubled_and_missing_events(second: int, tmp_path: Path) -> None:
    events = [Event(counter, event_json(counter, uuid=f"u-{counter}")) for counter in (1, second)]
    streams = {
        "native": RawStream().records(STARTING, *events, ENDED).end().data,
        "recording": recorded(event_json(1)) + recorded(event_json(second)),
    }
    for dialect, stream in streams.items():
        (tmp_path / dialect).mkdir()
        result, _ = rebuild(stream, tmp_path / dialect)
        assert result.exit_status == RemoteProtocolError.exit_status, dialect


def _with_events(*counters: int) -> bytes:
    events = b"".join(event_json(counter, uuid=f"u-{counter}") + b"\n" for counter in counters)
    return runner_event(events.rstrip(b"\n"))


@pytest.mark.parametrize(
    ("counters", "words"),
    [
        ((3, 4, 8), "5 events of the run are missing: 1 to 2, 5 to 7."),
        ((1, 3), "1 event of the run is missing: 2."),
        (range(2, 40, 2), "19 events of the run are missing: 1, 3, 5, 7, 9, 11, 13, 15 and more."),
        ((2**62,), f"{2**62 - 1} events of the run are missing: 1 to {2**62 - 1}."),
    ],
)
def test_missing_events_are_reported(counters: Sequence[int], words: str, tmp_path: Path) -> None:
    result, listener = rebuild(_with_events(*counters), tmp_path)
    assert (result.status, result.exit_status) == (StatusName.SUCCESSFUL, 0)
    assert [warning.partition(" Lines of")[0] for warning in listener.warnings] == [words]


def test_the_command_reports_missing_events(stages: Stages, tmp_path: Path) -> None:
    done = stages.call("process", tmp_path, stdin=_with_events(1, 9))
    assert done.returncode == 0
    assert b"warning: 7 events of the run are missing: 2 to 8." in done.stderr


def test_nothing_is_reported_of_a_whole_run(tmp_path: Path) -> None:
    for name, stream in (
        ("runner", _with_events(1, 2, 3)),
        ("native", native([STARTING, Event(1, event_json()), ENDED], Direction.RESULT)),
    ):
        (tmp_path / name).mkdir()
        assert rebuild(stream, tmp_path / name)[1].warnings == []


STATISTICS: list[tuple[Any, int]] = [
    ({"failures": {}, "dark": {}}, 0),
    ({"failures": {"a": 0}, "dark": {"a": 0}}, 0),
    ({"failures": {"a": 1}}, 2),
    ({"dark": {"a": 1}}, 4),
    ({"failures": {"a": 1}, "dark": {"b": 1}}, 6),
    ([], 76),
    ("x", 76),
    (None, 76),
    ({}, 76),
    ({"failures": []}, 76),
    ({"failures": "a"}, 76),
    ({"failures": None}, 76),
    ({"failures": {"a": "0"}}, 76),
    ({"failures": {"a": True}}, 76),
    ({"dark": {"a": 0.0}}, 76),
    ({"dark": 0}, 76),
]


@pytest.mark.parametrize(("data", "expected"), STATISTICS)
def test_a_recording_ends_as_its_statistics_say(data: Any, expected: int, tmp_path: Path) -> None:
    result, _ = rebuild(recorded(event_json(1, event="playbook_on_stats", event_data=data)), tmp_path)
    assert result.exit_status == expected


def test_later_statistics_of_a_recording_undo_no_failure(tmp_path: Path) -> None:
    """Each playbook of a command has its own."""
    first, second = ({"failures": {"a": count}} for count in (1, 0))
    stream = b"".join(
        recorded(event_json(counter, uuid=f"u-{counter}", event="playbook_on_stats", event_data=data))
        for counter, data in ((1, first), (2, second))
    )
    assert rebuild(stream, tmp_path)[0].exit_status == 2
