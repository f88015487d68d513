"""Event files are whole, private and all there, whoever writes them."""

from __future__ import annotations

import errno
import itertools
import json
import os
import resource
import signal
import stat
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playstream.pipeline.errors import JobError, RemoteProtocolError
from playstream.pipeline.protocol import Event, Record
from playstream.process import event_files, event_writer
from playstream.process.artifacts import ArtifactDir
from playstream.process.event_files import EventFiles
from tests.process.test_processing import STARTING, SUCCESSFUL, encode, event
from tests.processes import children, is_running, wait_until
from tests.stages import LIMIT_SECONDS, Stages

MANY = 2000


@pytest.fixture
def root(tmp_path: Path) -> Iterator[int]:
    fd = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    yield fd
    os.close(fd)


@pytest.fixture
def artifacts(tmp_path: Path) -> Iterator[ArtifactDir]:
    with closing(ArtifactDir(tmp_path, at_once=True, write_behind=True)) as made:
        yield made


def content(number: int) -> bytes:
    return f"{number} ".encode() * (number % 500)


def written(directory: Path) -> dict[str, bytes]:
    found = {}
    for path in (directory / "job_events").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        found[path.name] = path.read_bytes()
    return found


def test_many_events_at_once_are_written_by_another_process_too(tmp_path: Path, root: int) -> None:
    before = children()
    expected = {f"{number}.json": content(number) for number in range(MANY)}
    expected["large.json"] = b"x" * (3 << 20)
    with closing(EventFiles(root, write_behind=True)) as files:
        for name, data in expected.items():
            files.write(name, data)
        assert len(children()) == len(before) + 1
        files.finish()
        assert written(tmp_path) == expected
        files.write("late.json", b"late")
        assert children() == before
    assert written(tmp_path) == {**expected, "late.json": b"late"}


def test_events_that_come_a_few_at_a_time_are_written_here(tmp_path: Path, root: int) -> None:
    before = children()
    with closing(EventFiles(root, write_behind=True)) as files:
        for number in range(MANY):
            files.write(f"{number}.json", b"{}")
            if number % 100 == 0:
                files.flush()
        assert children() == before
        assert len(written(tmp_path)) == MANY


def test_a_flush_brings_events_into_their_files(tmp_path: Path, root: int) -> None:
    with closing(EventFiles(root, write_behind=True)) as files:
        for number in range(event_files.BACKLOG + 5):
            files.write(f"{number}.json", b"{}")
        files.flush()
        wait_until(lambda: len(written(tmp_path)) == event_files.BACKLOG + 5)


def test_where_no_process_can_be_started_all_is_written_here(
    tmp_path: Path, root: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_writer, "__file__", str(tmp_path / "missing"))
    with closing(EventFiles(root, write_behind=True)) as files:
        for number in range(MANY):
            files.write(f"{number}.json", b"{}")
        assert len(written(tmp_path)) == MANY


def test_a_process_that_hangs_holds_nothing_up(tmp_path: Path, root: int) -> None:
    before = set(children())
    with closing(EventFiles(root, write_behind=True)) as files:
        for number in range(event_files.BACKLOG):
            files.write(f"{number}.json", b"{}")
        (other,) = set(children()) - before
        os.kill(other, signal.SIGSTOP)
        for number in range(event_files.BACKLOG, MANY):
            files.write(f"{number}.json", b"x" * 2000)
        assert event_files.BACKLOG + 100 < len(written(tmp_path)) < MANY
        files.finish()  # which lets it go on
        assert len(written(tmp_path)) == MANY


def test_a_process_that_is_killed_is_an_error(artifacts: ArtifactDir) -> None:
    before = set(children())
    for number in range(event_files.BACKLOG):
        artifacts.write_event(f"{number}.json", b"{}")
    (other,) = set(children()) - before
    os.kill(other, signal.SIGKILL)
    artifacts.write_event("lost.json", b"{}")
    with pytest.raises(JobError, match="It was probably killed"):
        artifacts.finish_events()


def test_an_event_that_comes_twice(artifacts: ArtifactDir) -> None:
    for number in range(event_files.BACKLOG + 5):
        artifacts.write_event(f"{number}-a.json", b"{}")
    artifacts.write_event("3-a.json", b"{}")
    with pytest.raises(RemoteProtocolError, match="the event 3-a was received twice"):
        artifacts.finish_events()


def test_a_directory_that_has_gone(tmp_path: Path, artifacts: ArtifactDir) -> None:
    for number in range(event_files.BACKLOG + 5):
        artifacts.write_event(f"{number}.json", b"{}")
    artifacts.flush()
    wait_until(lambda: len(written(tmp_path)) == event_files.BACKLOG + 5)
    for path in (tmp_path / "job_events").iterdir():
        path.unlink()
    (tmp_path / "job_events").rmdir()
    artifacts.write_event("last.json", b"{}")
    with pytest.raises(JobError, match=os.strerror(errno.ENOENT)):
        artifacts.finish_events()


@given(
    st.dictionaries(st.from_regex(r"[0-9a-z_-]{1,20}\.json", fullmatch=True), st.binary(max_size=300), max_size=8),
    st.lists(st.integers(0, 2000)),
)
def test_the_program_takes_any_chunks(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes], cuts: list[int]
) -> None:
    directory = tmp_path_factory.mktemp("files")
    stream = b"".join(event_writer.pack(name, data) for name, data in files.items())
    places = sorted({0, *(cut for cut in cuts if cut < len(stream)), len(stream)})
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        received = bytearray()
        for start, end in itertools.pairwise(places):
            received += stream[start:end]
            del received[: event_writer.write_all(received, fd)]
    finally:
        os.close(fd)
    assert not received
    assert {path.name: path.read_bytes() for path in directory.iterdir()} == files


def test_a_capture_of_many_events(stages: Stages, tmp_path: Path) -> None:
    events: list[Event] = [event(number) for number in range(1, MANY + 1)]
    done = stages.call("process", tmp_path, stdin=encode([STARTING, *events, SUCCESSFUL]))
    assert (done.returncode, done.stderr) == (0, b"")
    assert written(tmp_path / "artifacts") == {f"{item.counter}-0000-{item.counter}.json": item.json for item in events}


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_process_leaves_no_other_process(stages: Stages, tmp_path: Path, number: signal.Signals) -> None:
    """What was handed over is written all the same."""
    events: list[Record] = [event(number) for number in range(1, MANY + 1)]
    process = stages.start("process", tmp_path, "-q")
    assert process.stdin is not None
    process.stdin.write(encode([STARTING, *events], end=False))
    process.stdin.flush()
    wait_until(lambda: children(process.pid))
    (other,) = children(process.pid)
    process.send_signal(number)
    process.communicate(timeout=LIMIT_SECONDS)
    wait_until(lambda: not is_running(other))
    kept = written(tmp_path / "artifacts")
    assert kept
    assert all(json.loads(text)["stdout"] for text in kept.values())
    if number != signal.SIGKILL:
        assert {int(name.partition("-")[0]) for name in kept} == set(range(1, len(kept) + 1))
        shown = (tmp_path / "artifacts" / "stdout").read_bytes().count(b"\n")
        assert len(kept) - shown in {0, 1}  # the file of an event comes before its text


def test_half_a_file_is_none_and_the_reason_is_the_systems(tmp_path: Path, root: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(OSError, match=os.strerror(errno.EFBIG)):
            event_writer.write_file(root, "large.json", b"x" * 1001)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_takes_no_more(stages: Stages, tmp_path: Path) -> None:
    """A limit on the size of files stands for it: it strikes one event of many, in the other process."""
    records: list[Record] = [
        STARTING,
        *(event(number) for number in range(1, MANY)),
        event(MANY, stdout="x" * 200_000),
        SUCCESSFUL,
    ]
    stream = tmp_path / "stream"
    stream.write_bytes(encode(records))
    with stream.open("rb") as source:
        process = stages.start(
            "process",
            tmp_path,
            "-q",
            stdin=source,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            prefix=("prlimit", "--fsize=150000"),
        )
        _, said = process.communicate(timeout=LIMIT_SECONDS)
    assert process.returncode == JobError.exit_status
    assert os.strerror(errno.EFBIG) in said.decode()
    assert len(said.splitlines()) == 1
    kept = written(tmp_path / "artifacts")
    assert len(kept) == MANY - 1
    assert all(json.loads(text) for text in kept.values())
    assert (tmp_path / "artifacts" / "status").read_text() == "error"
