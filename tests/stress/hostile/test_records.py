"""Every record of the corpus through the stages; what is accepted on purpose; and what a person gets to see."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from playstream.pipeline.errors import PlaystreamError, RemoteProtocolError
from playstream.pipeline.protocol import Failure, Log, LogLevel, Status, StatusName
from playstream.pipeline.protocol.order import Direction
from tests.pipeline.protocol.wire import RawStream, record_bytes
from tests.pipeline.runner_dialect.wire import END, archive, carry, entry, line
from tests.stages import Stages
from tests.stress.hostile.place import call_process, call_worker, open_place
from tests.stress.hostile.records import JOBS, RESULTS, Refusal
from tests.stress.hostile.streams import KWARGS, NOW, STARTING, event_json, native, native_event, recorded, runner_event

JOB_CASES = [
    pytest.param(error, stream, id=f"{name}, {dialect}")
    for name, (error, streams) in JOBS.items()
    for dialect, stream in streams.items()
]
RESULT_CASES = [
    pytest.param(error, stream, id=f"{name}, {dialect}")
    for name, (error, streams) in RESULTS.items()
    for dialect, stream in streams.items()
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


@pytest.mark.parametrize(
    "name",
    [
        "project_dir",
        "artifact_dir",
        "inventory",
        "roles_path",
        "directory_isolation_base_path",
    ],
)
def test_a_job_may_name_paths_of_the_workers_host_which_are_read_only(name: str) -> None:
    """The sender may run anything there; where results go is not his to say."""
    with open_place() as place:
        given = str(place.guarded / "directory")
        kwargs = (
            {**KWARGS, name: given}
            if name != "directory_isolation_base_path"
            else {**KWARGS, "settings": {name: given}}
        )
        answer = call_worker(place, line(kwargs=kwargs) + END, own_directory=True)
        assert answer.error is None, answer.message
        assert "artifacts/run/status" in answer.kept


@pytest.mark.parametrize("make", [native_event, runner_event])
@pytest.mark.parametrize(
    "text",
    [
        event_json()[:-1] + b', "event": "verbose"}',
        event_json(stdout="\x1b]52;c;eA==\x07\x9b2J", task="\x1b[2J"),
        event_json(end_line=10**30),
        event_json(start_line=-(2**70)),
        event_json(a=json.loads("[" * 400 + "]" * 400)),
        event_json(stdout="%s %n {0.__class__} {counter}"),
    ],
    ids=["a key twice", "terminal", "lines", "first line", "400 levels", "format strings"],
)
def test_what_harms_nobody_is_kept_as_it_came(make: object, text: bytes) -> None:
    """Of two values of a key the last counts."""
    assert callable(make)
    with open_place() as place:
        answer = call_process(place, make(text))
        assert answer.error is None, answer.message
        assert (place.target / "job_events" / "1-u-1.json").read_bytes() == text


@pytest.mark.parametrize("make", [native_event, runner_event, recorded])
@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (event_json(res=float("nan")), event_json(res=None)),
        (event_json(a=[float("inf"), -float("inf"), 1.5]), event_json(a=[None, None, 1.5])),
        (event_json(stdout="a\ud800b\U0001f600"), event_json(stdout="a\ufffdb\U0001f600")),
        (event_json(**{"\udc80": 1}), event_json(**{"\ufffd": 1})),
        (event_json(stdout="\U0001f600 \\ud800"), event_json(stdout="\U0001f600 \\ud800")),
    ],
    ids=["NaN", "Infinity", "a lone surrogate", "a lone surrogate as a key", "a whole one"],
)
def test_what_is_no_json_is_replaced_in_an_events_file(make: object, text: bytes, kept: bytes) -> None:
    assert callable(make)
    with open_place() as place:
        call_process(place, make(text))
        assert json.loads((place.target / "job_events" / "1-u-1.json").read_bytes()) == json.loads(kept)


@pytest.mark.parametrize(("rc", "status"), [(256, 72), (-1, 72), (2**62, 72), (255, 255), (3, 3)])
def test_a_return_code_never_wraps_round_to_success(stages: Stages, tmp_path: Path, rc: int, status: int) -> None:
    failed = native([STARTING, Status(StatusName.FAILED, NOW, rc=rc)], Direction.RESULT)
    assert stages.call("process", tmp_path, stdin=failed).returncode == status


@pytest.mark.parametrize(
    "content",
    [
        b"9" * 20,
        b"1_0",
        "\u0663".encode(),
        b"\x1b[2J",
        b"true",
        b"1.5",
        b'"0"',
        b"0x0",
        b"0 0",
        b"-",
        b"NaN",
    ],
)
@pytest.mark.parametrize("status", ["successful", "failed"])
def test_an_rc_of_the_artifacts_that_is_none_is_refused(status: str, content: bytes) -> None:
    with open_place() as place:
        answer = call_process(place, line(status=status) + carry(archive((entry("rc"), content))) + END)
        assert answer.error is RemoteProtocolError
        assert "the artifact rc contains" in answer.message
        assert not (place.target / "rc").exists()


@pytest.mark.parametrize("rc", ["true", "1.5", '"0"', "9" * 20, f"-{2**63 + 1}", "NaN", "[0]", "{}"])
def test_an_rc_of_a_record_that_is_none_is_refused(rc: str) -> None:
    text = f'{{"status": "successful", "created": "{NOW}", "rc": {rc}}}'
    stream = RawStream().content(record_bytes(2, text.encode())).end(records=1).data
    with open_place() as place:
        assert call_process(place, stream).error is RemoteProtocolError
        assert not (place.target / "rc").exists()


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


COMMAND_LINE_JOBS = [
    pytest.param(error, streams[dialect], id=f"{name}, {dialect}")
    for name, dialect in (
        ("an ident that leads up", "runner"),
        ("JSON of 100,000 levels", "native"),
        ("two archives", "runner"),
    )
    for error, streams in [JOBS[name]]
]
COMMAND_LINE_RESULTS = [
    pytest.param(error, streams[dialect], id=f"{name}, {dialect}")
    for name, dialect in (
        ("a uuid that leads up", "native"),
        ("a counter that is true", "recording"),
        ("a command of lists", "runner"),
        ("an archive that is cut", "runner"),
    )
    for error, streams in [RESULTS[name]]
]


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
def test_a_hostile_result_on_the_command_line(stages: Stages, tmp_path: Path, error: Refusal, stream: bytes) -> None:
    done = stages.call("process", tmp_path / "data", stdin=stream)
    check_ending(done.returncode, done.stderr, error)
