"""Every record of the corpus through the stages; what is accepted on purpose; and what a person gets to see."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from playstream.pipeline.errors import PlaystreamError
from playstream.pipeline.protocol import Failure, Log, LogLevel, Status, StatusName
from playstream.pipeline.protocol.order import Direction
from tests.hostile.place import call_process, call_worker, open_place
from tests.hostile.records import JOBS, RESULTS, Refusal
from tests.hostile.streams import KWARGS, NOW, STARTING, event_json, native, native_event, runner_event
from tests.pipeline.runner.wire import END, archive, carry, entry, line
from tests.stages import Stages

JOB_CASES = [
    pytest.param(error, stream, id=f"{name}, {dialect}")
    for name, (error, streams) in JOBS.items() for dialect, stream in streams.items()
]
RESULT_CASES = [
    pytest.param(error, stream, id=f"{name}, {dialect}")
    for name, (error, streams) in RESULTS.items() for dialect, stream in streams.items()
]


@pytest.mark.parametrize("own_directory", [False, True], ids=["spool", "directory"])
@pytest.mark.parametrize(("error", "stream"), JOB_CASES)
def test_a_hostile_job(error: Refusal, stream: bytes, own_directory: bool) -> None:
    with open_place() as place:
        answer = call_worker(place, stream, own_directory=own_directory)
        assert answer.error is not None
        assert issubclass(answer.error, error), answer.message
        assert answer.kept <= {"artifacts"}


@pytest.mark.parametrize(("error", "stream"), RESULT_CASES)
def test_a_hostile_result(error: Refusal, stream: bytes) -> None:
    with open_place() as place:
        answer = call_process(place, stream)
        assert answer.error is not None
        assert issubclass(answer.error, error), answer.message
        assert answer.message.isprintable()
        assert answer.kept <= {"stdout", "status", "rc", "command", "job_events", "job_events/1-u-1.json"}


@pytest.mark.parametrize("name", [
    "project_dir", "artifact_dir", "inventory", "roles_path", "directory_isolation_base_path",
])
def test_a_job_may_name_paths_of_the_workers_host_which_are_read_only(name: str) -> None:
    """The sender may run anything there; where results go is not his to say."""
    with open_place() as place:
        given = str(place.guarded / "directory")
        kwargs = {**KWARGS, name: given} if name != "directory_isolation_base_path" else {
            **KWARGS, "settings": {name: given}
        }
        answer = call_worker(place, line(kwargs=kwargs) + END, own_directory=True)
        assert answer.error is None, answer.message
        assert "artifacts/run/status" in answer.kept


@pytest.mark.parametrize("make", [native_event, runner_event])
@pytest.mark.parametrize("text", [
    event_json(res=float("nan")),
    event_json()[:-1] + b', "event": "verbose"}',
    event_json(stdout="\x1b]52;c;eA==\x07\x9b2J", task="\x1b[2J"),
    event_json(stdout="\ud800"),
    event_json(end_line=10**30),
    event_json(start_line=-(2**70)),
    event_json(a=json.loads("[" * 400 + "]" * 400)),
    event_json(stdout="%s %n {0.__class__} {counter}"),
], ids=["NaN", "a key twice", "terminal", "no encoding", "lines", "first line", "400 levels", "format strings"])
def test_what_harms_nobody_is_kept_as_it_came(make: object, text: bytes) -> None:
    """NaN stays in the event's file as the worker wrote it; of two values of a key the last counts."""
    assert callable(make)
    with open_place() as place:
        answer = call_process(place, make(text))
        assert answer.error is None, answer.message
        assert (place.target / "job_events" / "1-u-1.json").read_bytes() == text


@pytest.mark.parametrize(("rc", "status"), [(256, 72), (-1, 72), (2**62, 72), (255, 255), (3, 3)])
def test_a_return_code_never_wraps_round_to_success(stages: Stages, tmp_path: Path, rc: int, status: int) -> None:
    failed = native([STARTING, Status(StatusName.FAILED, NOW, rc=rc)], Direction.RESULT)
    assert stages.call("process", tmp_path, stdin=failed).returncode == status


@pytest.mark.parametrize("content", [b"9" * 16, b"1_0", "\u0663".encode(), b"None", b"\x1b[2J", b""])
def test_an_rc_of_the_artifacts_that_is_none(content: bytes) -> None:
    with open_place() as place:
        stream = line(status="failed") + carry(archive((entry("rc"), content))) + END
        call_process(place, stream)
        kept = place.target / "rc"
        assert not kept.exists() or kept.read_bytes() == content


HOSTILE_TEXT = "%s %d {0} {} \x1b]0;title\x07\x9b2J\ud800\nplaystream process: successful"


def test_what_a_worker_says_is_no_format_and_gives_no_orders(stages: Stages, tmp_path: Path) -> None:
    failure = Failure("JobError", HOSTILE_TEXT)
    stream = native([STARTING, Log(LogLevel.ERROR, HOSTILE_TEXT), failure], Direction.RESULT)
    done = stages.call("process", tmp_path, "--logfile", tmp_path / "log", stdin=stream)
    assert done.returncode == 71
    shown = done.stderr.decode()
    assert "%s %d {0} {}" in shown
    assert "Traceback" not in shown
    assert not set(shown) & set("\x1b\x07\x9b\ud800")
    assert not any(text.startswith("playstream process: successful") for text in shown.splitlines())


COMMAND_LINE_JOBS = [pytest.param(error, streams[dialect], id=f"{name}, {dialect}") for name, dialect in (
    ("an ident that leads up", "runner"), ("JSON of 100,000 levels", "native"), ("two archives", "runner"),
) for error, streams in [JOBS[name]]]
COMMAND_LINE_RESULTS = [pytest.param(error, streams[dialect], id=f"{name}, {dialect}") for name, dialect in (
    ("a uuid that leads up", "native"), ("a counter that is true", "recording"), ("a command of lists", "runner"),
    ("an archive that is cut", "runner"),
) for error, streams in [RESULTS[name]]]


def check_ending(status: int, stderr: bytes, error: type[PlaystreamError]) -> None:
    """One clear line, and the exit status of docs/errors.md."""
    assert status == error.exit_status
    assert b"Traceback" not in stderr
    assert len(stderr.splitlines()) == 1


@pytest.mark.parametrize(("error", "stream"), COMMAND_LINE_JOBS)
def test_a_hostile_job_on_the_command_line(stages: Stages, error: Refusal, stream: bytes) -> None:
    done = stages.call("worker", stdin=stream)
    check_ending(done.returncode, done.stderr, error)
    assert stages.leftovers() == []


@pytest.mark.parametrize(("error", "stream"), COMMAND_LINE_RESULTS)
def test_a_hostile_result_on_the_command_line(
    stages: Stages, tmp_path: Path, error: Refusal, stream: bytes
) -> None:
    done = stages.call("process", tmp_path / "data", stdin=stream)
    check_ending(done.returncode, done.stderr, error)
