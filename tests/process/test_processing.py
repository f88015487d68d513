"""process rebuilds what came, says what did not, and ends with the exit status of the truth."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from playstream.pipeline.protocol import (
    Event,
    Failure,
    FileData,
    FileEntry,
    FileType,
    Heartbeat,
    Log,
    LogLevel,
    Record,
    Sender,
    Status,
    StatusName,
    TreeEnd,
)
from playstream.pipeline.protocol.order import Direction
from tests.processes import wait_until
from tests.stages import LIMIT_SECONDS, Stages, read_events

NOW = "2026-11-21T10:00:00+00:00"
STARTING = Status(StatusName.STARTING, NOW, command=("ansible-playbook", "site.yml"), env={"A": "***"}, cwd="/x")
SUCCESSFUL = Status(StatusName.SUCCESSFUL, NOW, rc=0)


def event(counter: int, **changes: Any) -> Event:
    fields = {
        "uuid": f"0000-{counter}",
        "counter": counter,
        "stdout": f"line {counter}",
        "start_line": counter - 1,
        "end_line": counter,
        "runner_ident": "x",
        "event": "verbose",
        "pid": 1,
        "created": NOW,
        "parent_uuid": "",
        "event_data": {},
    }
    return Event(counter, json.dumps({**fields, **changes}).encode())


def artifact(name: bytes, data: bytes, **changes: Any) -> list[Record]:
    fields = {"path": name, "type": FileType.FILE, "mode": 0o644, "mtime_ns": 1, "size": len(data), **changes}
    return [FileEntry(**fields), FileData(data)] if data else [FileEntry(**fields)]


ROOT = FileEntry(b"", FileType.DIRECTORY, 0o700, 1)
ARTIFACTS: list[Record] = [
    ROOT,
    *artifact(b"rc", b"0"),
    *artifact(b"status", b"successful"),
    *artifact(b"stdout", b"line 1\r\nline 2\r\n"),
    TreeEnd(4, 27),
]
WHOLE: list[Record] = [STARTING, event(1), Heartbeat(), event(2), SUCCESSFUL, *ARTIFACTS]


def encode(records: Sequence[Record], *, end: bool = True) -> bytes:
    sender = Sender(Direction.RESULT)
    stream = b"".join(sender.send(record) for record in records)
    return stream + sender.end() if end else stream


def files(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def test_a_whole_stream(stages: Stages, tmp_path: Path) -> None:
    done = stages.call("process", tmp_path, "-i", "run 1", stdin=encode(WHOLE))
    assert (done.returncode, done.stdout, done.stderr) == (0, b"line 1\nline 2\n", b"")
    artifacts = tmp_path / "artifacts" / "run 1"
    kept = files(artifacts)
    command = json.loads(kept.pop("command"))
    assert command == {"command": ["ansible-playbook", "site.yml"], "cwd": "/x", "env": {"A": "***"}}
    assert kept == {
        "job_events/1-0000-1.json": event(1).json,
        "job_events/2-0000-2.json": event(2).json,
        "rc": b"0",
        "status": b"successful",
        "stdout": b"line 1\r\nline 2\r\n",
    }
    for path in [artifacts, *artifacts.rglob("*")]:
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path


def test_output_that_nobody_reads_changes_nothing(stages: Stages, tmp_path: Path) -> None:
    process = stages.start("process", tmp_path)
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None
    _, stderr = process.communicate(encode(WHOLE), timeout=LIMIT_SECONDS)
    assert (process.returncode, stderr) == (0, b"")
    assert set(files(tmp_path / "artifacts" / "job_events")) == {"1-0000-1.json", "2-0000-2.json"}


def test_quiet_shows_nothing(stages: Stages, tmp_path: Path) -> None:
    done = stages.call("process", tmp_path, "-q", stdin=encode(WHOLE))
    assert (done.returncode, done.stdout) == (0, b"")


@pytest.mark.parametrize(
    ("status", "rc", "expected"),
    [
        (StatusName.FAILED, 2, 2),
        (StatusName.FAILED, 137, 137),
        (StatusName.CANCELED, 143, 254),
        (StatusName.TIMEOUT, None, 254),
    ],
)
def test_the_exit_status_is_the_jobs(
    stages: Stages, tmp_path: Path, status: StatusName, rc: int | None, expected: int
) -> None:
    records = [STARTING, Status(status, NOW, rc=rc, explanation="because")]
    done = stages.call("process", tmp_path, stdin=encode(records))
    assert done.returncode == expected
    assert done.stderr.decode() == f"playstream process: {status.value}: because\n"
    kept = files(tmp_path / "artifacts")
    assert kept["status"] == status.value.encode()
    assert kept["rc"] == str(expected).encode()


def test_a_failure_of_the_worker(stages: Stages, tmp_path: Path) -> None:
    records: list[Record] = [STARTING, event(1), Failure("ExecutableNotFound", "ansible was not found")]
    done = stages.call("process", tmp_path, stdin=encode(records))
    assert done.returncode == 127
    assert done.stderr == b"playstream process: error: ansible was not found\n"
    assert files(tmp_path / "artifacts")["status"] == b"error"


def test_every_truncation_keeps_what_came_and_says_so(stages: Stages, tmp_path: Path) -> None:
    """Through the stage as a library: hundreds of cuts. The command line adds the one line on standard error."""
    from playstream.pipeline.io.stdio import Connection  # noqa: PLC0415
    from playstream.process import Observer  # noqa: PLC0415
    from playstream.process.receiving import process  # noqa: PLC0415 - this test alone runs the stage in this process

    class Watcher(Observer):
        def __init__(self, shown: list[str]) -> None:
            self._shown = shown

        def show(self, text: str) -> None:
            self._shown.append(text)

    stream = encode(WHOLE)
    for cut in range(0, len(stream), 3):
        capture = tmp_path / f"{cut}.bin"
        capture.write_bytes(stream[:cut])
        shown: list[str] = []
        with capture.open("rb") as file:
            result = process(Connection(file.fileno()), tmp_path / str(cut), Watcher(shown))
        assert result.status is StatusName.ERROR
        assert result.exit_status == 75
        events = read_events(tmp_path / str(cut))
        assert [item["stdout"] for item in events] == shown == ["line 1", "line 2"][: len(events)]
        kept = files(tmp_path / str(cut))
        assert kept["stdout"] == "".join(f"{text}\r\n" for text in shown).encode()
        assert kept["status"] == b"error"
        assert not any(".incoming" in name for name in kept)


@pytest.mark.parametrize(
    ("stream", "expected", "exit_status"),
    [
        (b"", "the stream is empty", 75),
        (b"bash: playstream: command not found\n", "received no playstream stream.*command not found", 75),
        pytest.param(
            b"x" * (2 << 20), "bytes that are not part of a stream", 76, id="2 MiB of x"
        ),  # pytest 8 would name it by them
        (encode(WHOLE, end=False), "before its End record", 75),
        (encode(WHOLE)[:200] + b"oops" + encode(WHOLE)[200:], "damaged|valid", 76),
    ],
)
def test_a_broken_stream_is_one_clear_line(
    stages: Stages, tmp_path: Path, stream: bytes, expected: str, exit_status: int
) -> None:
    done = stages.call("process", tmp_path, stdin=stream)
    assert done.returncode == exit_status
    lines = done.stderr.decode().splitlines()
    assert len(lines) == 1
    assert re.search(expected, lines[0])
    assert files(tmp_path / "artifacts")["status"] == b"error"


def test_what_came_before_the_damage_is_shown(stages: Stages, tmp_path: Path) -> None:
    stream = encode(WHOLE)
    done = stages.call("process", tmp_path, stdin=stream[:-1] + bytes([stream[-1] ^ 1]))
    assert (done.returncode, done.stdout) == (76, b"line 1\nline 2\n")


def test_the_output_of_transmit_is_not_a_result(stages: Stages, tmp_path: Path) -> None:
    job = stages.transmit(tmp_path, "-m", "ping")
    done = stages.call("process", tmp_path, stdin=job)
    assert done.returncode == 76
    assert b"run `playstream worker` in between" in done.stderr


@pytest.mark.parametrize(
    "bad",
    [
        Event(1, b"not json"),
        Event(1, b"[1]"),
        Event(1, b"[" * 100000),
        event(1, uuid="../../../../etc/cron.d/x"),
        event(1, uuid=7),
        event(1, uuid=""),
        Event(1, event(2).json),
        Event(1, event(1).json.replace(b'"counter": 1', b'"counter": "1"')),
        event(1, stdout=None),
        event(1, start_line="0"),
    ],
)
def test_an_event_that_is_none(stages: Stages, tmp_path: Path, bad: Event) -> None:
    done = stages.call("process", tmp_path / "dir", stdin=encode([STARTING, bad], end=False))
    assert done.returncode == 76
    assert done.stderr.startswith(b"playstream process: error: event 1")
    assert len(done.stderr.splitlines()) == 1
    assert set(files(tmp_path)) == {f"dir/artifacts/{name}" for name in ("command", "status", "stdout")}


@pytest.mark.parametrize(
    "entry",
    [
        artifact(b"../outside", b"x"),
        artifact(b"/tmp/outside", b"x"),
        [FileEntry(b"fact_cache", FileType.SYMLINK, 0o777, 1, target=b"/etc")],
        [FileEntry(b"fact_cache", FileType.SYMLINK, 0o777, 1, target=b"../../..")],
    ],
)
def test_an_artifact_that_would_leave_its_directory(stages: Stages, tmp_path: Path, entry: list[Record]) -> None:
    done = stages.call("process", tmp_path / "dir", stdin=encode([STARTING, SUCCESSFUL, ROOT, *entry], end=False))
    assert done.returncode == 77
    kept = files(tmp_path)
    assert set(kept) == {f"dir/artifacts/{name}" for name in ("command", "status", "stdout", "rc")}
    assert kept["dir/artifacts/status"] == b"error"


def test_artifacts_cannot_replace_what_process_keeps_itself(stages: Stages, tmp_path: Path) -> None:
    tree = [
        ROOT,
        *artifact(b"command", b"forged"),
        FileEntry(b"job_events", FileType.DIRECTORY, 0o755, 1),
        *artifact(b"job_events/1-0000-1.json", b"forged"),
        TreeEnd(4, 12),
    ]
    done = stages.call("process", tmp_path, stdin=encode([STARTING, event(1), SUCCESSFUL, *tree]))
    assert done.returncode == 0
    assert not any(b"forged" in data for data in files(tmp_path).values())


def test_a_second_run_takes_the_place_of_the_first(stages: Stages, tmp_path: Path) -> None:
    stages.call("process", tmp_path, stdin=encode(WHOLE))
    assert stages.call("process", tmp_path, stdin=encode([STARTING, SUCCESSFUL])).returncode == 0
    assert set(files(tmp_path / "artifacts")) == {"command", "rc", "status", "stdout"}


def test_log_records_go_to_standard_error(stages: Stages, tmp_path: Path) -> None:
    records: list[Record] = [Log(LogLevel.WARNING, "a socket was skipped"), STARTING, SUCCESSFUL]
    done = stages.call("process", tmp_path, stdin=encode(records))
    assert done.stderr == b"playstream process: warning: a socket was skipped\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_and_keeps_what_came(stages: Stages, tmp_path: Path, number: signal.Signals) -> None:
    process = stages.start("process", tmp_path)
    assert process.stdin is not None
    process.stdin.write(encode([STARTING, event(1)], end=False))
    process.stdin.flush()
    wait_until((tmp_path / "artifacts" / "job_events" / "1-0000-1.json").exists)
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=LIMIT_SECONDS)
    assert (process.returncode, stdout) == (254, b"line 1\n")
    assert stderr.decode() == f"playstream process: canceled by {number.name}\n"
    assert files(tmp_path / "artifacts")["status"] == b"canceled"


def test_output_is_not_held_in_memory_without_end(stages: Stages, tmp_path: Path) -> None:
    """50 KB of stream that hold 180 MB of output, read at once."""
    text = "x" * 900_000
    stream = encode([STARTING, *(event(number, stdout=text) for number in range(1, 201)), SUCCESSFUL])
    process = stages.start("process", tmp_path, prefix=("sh", "-c", 'ulimit -v 150000; exec "$@"', "sh"))
    stdout, stderr = process.communicate(stream, timeout=LIMIT_SECONDS)
    assert (process.returncode, stderr) == (0, b"")
    assert len(stdout) == 200 * (len(text) + 1)


def test_artifacts_that_cannot_be_written(stages: Stages, tmp_path: Path) -> None:
    (tmp_path / "artifacts").write_text("in the way")
    done = stages.call("process", tmp_path, stdin=encode(WHOLE))
    assert done.returncode == 71
    assert done.stderr.startswith(b"playstream process: the artifacts cannot be written to")
