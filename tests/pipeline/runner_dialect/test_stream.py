"""Runner streams: round trips, chunks, noise, damage, and streams that end too early."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playstream.pipeline.errors import IncompleteStream, RemoteProtocolError
from playstream.pipeline.protocol import (
    Event,
    Failure,
    FileData,
    FileEntry,
    FileType,
    Heartbeat,
    Job,
    Log,
    LogLevel,
    Record,
    Status,
    StatusName,
    TreeEnd,
)
from playstream.pipeline.protocol.frames import MAX_NOISE
from playstream.pipeline.protocol.order import Direction
from playstream.pipeline.runner_dialect.sender import RunnerSender
from tests.pipeline.protocol.strategies import CHUNK_SIZES, mutations
from tests.pipeline.runner_dialect.wire import END, archive, carry, encode, entry, event, line, take

_TREE: list[Record] = [
    FileEntry(b"", FileType.DIRECTORY, 0o700, 0),
    FileEntry(b"rc", FileType.FILE, 0o600, 10**18, 1),
    FileData(b"2"),
    FileEntry(b"stdout", FileType.FILE, 0o600, 10**18, 5),
    FileData(b"hello"),
    TreeEnd(3, 6),
]
_RESULT: list[Record] = [
    Status(StatusName.STARTING, "t", command=("ansible", "ü"), env={"A": "b"}, cwd="/x"),
    Status(StatusName.RUNNING, "t"),
    event(1),
    Heartbeat(),
    event(2, res={"text": "ünï\u2028code"}),
    Status(StatusName.FAILED, "t", rc=2, explanation="why"),
    *_TREE,
]
_STREAM = encode(_RESULT, Direction.RESULT)
_JOB_STREAM = line(kwargs={"ident": "7", "playbook": "a.yml"}) + carry(archive((entry("project/a.yml"), b"- 1"))) + END
_TEXT = st.text(max_size=12)


def _without_time(records: list[Record]) -> list[Record]:
    """Statuses have no time in the dialect."""
    return [
        Status(item.status, "t", item.rc, item.command, item.env, item.cwd, item.explanation)
        if isinstance(item, Status)
        else item
        for item in records
    ]


def test_results_come_as_they_went_but_for_the_command_that_joins_the_artifacts() -> None:
    taken = take(_STREAM, Direction.RESULT)
    assert taken.error is None
    assert taken.receiver.closed
    got = _without_time(taken.records)
    assert got[:6] == _RESULT[:6]
    assert [item.path for item in got if isinstance(item, FileEntry)] == [b"", b"command", b"rc", b"stdout"]
    assert b'"cwd": "/x"' in b"".join(item.data for item in got if isinstance(item, FileData))


@given(CHUNK_SIZES, st.sampled_from([(_STREAM, Direction.RESULT), (_JOB_STREAM, Direction.JOB)]))
def test_chunks_make_no_difference(sizes: list[int], stream: tuple[bytes, Direction]) -> None:
    whole, pieces = take(*stream), take(*stream, sizes)
    joined = [b"".join(i.data for i in t.records if isinstance(i, FileData)) for t in (whole, pieces)]
    others = [[i for i in _without_time(t.records) if not isinstance(i, FileData)] for t in (whole, pieces)]
    assert joined[0] == joined[1]
    assert others[0] == others[1]
    assert pieces.error is None


@given(st.data(), CHUNK_SIZES, st.sampled_from([(_STREAM, Direction.RESULT), (_JOB_STREAM, Direction.JOB)]))
def test_damage_gives_records_or_one_of_our_errors(
    data: st.DataObject, sizes: list[int], stream: tuple[bytes, Direction]
) -> None:
    take(data.draw(mutations(stream[0])), stream[1], sizes)  # catches nothing but PlaystreamError


@given(st.binary(max_size=2000), st.sampled_from(Direction), CHUNK_SIZES, st.booleans())
def test_any_bytes_at_all(data: bytes, direction: Direction, sizes: list[int], in_archive: bool) -> None:
    taken = take((line(zipfile=100) if in_archive else b"") + data, direction, sizes)
    assert taken.error is not None or taken.receiver.closed


@given(st.data())
def test_a_stream_cut_short_is_incomplete_and_gives_what_came(data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(_STREAM) - 2))
    taken = take(_STREAM[:cut], Direction.RESULT)
    assert type(taken.error) is IncompleteStream
    known = [
        Status(item.status, "t", None, item.command, item.env, item.cwd, item.explanation)
        if isinstance(item, Status)
        else item
        for item in _RESULT[:6]
    ]
    got = [
        Status(item.status, "t", None, item.command, item.env, item.cwd, item.explanation)
        if isinstance(item, Status)
        else item
        for item in taken.records
    ]
    assert got[:6] == known[: len(got)]


def test_the_last_status_is_not_lost_when_its_artifacts_are() -> None:
    cut = _STREAM[: _STREAM.index(b'{"zipfile"') + 40]
    taken = take(cut, Direction.RESULT)
    last = taken.records[-1]
    assert isinstance(last, Status)
    assert last.status is StatusName.FAILED
    assert last.rc is None
    assert "in an archive" in taken.message


@pytest.mark.parametrize("noise", [b"Welcome!\n", b"** motd **\r\n", b"{not json}\n", b"[1, 2]\n", b"\xff\xfe\n"])
def test_noise_between_lines_is_reported_and_skipped(noise: bytes) -> None:
    first, rest = _STREAM.split(b"\n", 1)
    taken = take(noise + first + b"\n" + noise + noise + rest, Direction.RESULT)
    assert taken.error is None
    assert [item.size for item in taken.noises] == [len(noise), 2 * len(noise)]
    assert taken.noises[0].offset == 0
    assert taken.noises[0].data.strip() in noise


def test_noise_on_the_line_of_an_object() -> None:
    taken = take(b"password: " + _STREAM, Direction.RESULT)
    assert taken.error is None
    assert [item.data for item in taken.noises] == [b"password: "]
    assert len(taken.records) == len(take(_STREAM, Direction.RESULT).records)


def test_noise_of_a_job_is_not_shown_once_the_job_has_begun() -> None:
    first, rest = _JOB_STREAM.split(b"\n", 1)
    taken = take(b"hello\n" + first + b"\nsecret\n" + rest, Direction.JOB)
    assert [item.data for item in taken.noises] == [b"hello", b""]


def test_endless_noise_is_no_stream() -> None:
    taken = take(b"z" * 1000 * (MAX_NOISE // 1000) + b"\n" + b"y\n" * 1000, Direction.RESULT)
    assert isinstance(taken.error, RemoteProtocolError)
    assert "not part of a stream" in taken.message


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (line(status="odd"), "unknown status"),
        (b'{"status": "running"\n', "not valid JSON"),
        (b'{"uuid": "1", "counter": 1, "stdout": "warning: spilt over\n', "It was probably truncated"),
        (line(zipfile=-1), "not a valid number of bytes"),
        (line(zipfile="9"), "not a valid number of bytes"),
        (line(zipfile=9) + b"****", "expected base64"),
        (line(zipfile=9) + b"MTIzNDU2Nzg5", "not a valid zip"),
        (line(kwargs={}), "run `playstream worker` in between"),
    ],
)
def test_what_is_wrong_is_told(data: bytes, message: str) -> None:
    taken = take(data, Direction.RESULT)
    assert isinstance(taken.error, RemoteProtocolError)
    assert message in taken.message


def test_a_result_is_no_job() -> None:
    assert "pipe it into `playstream process`" in take(_STREAM, Direction.JOB).message


def test_a_job_that_never_comes() -> None:
    assert "contains no job" in take(END, Direction.JOB).message


def test_errors_of_a_job_show_nothing_of_it() -> None:
    for data in (b'{"kwargs": {"passwords": "s3cret"\n', line(zipfile=99) + b"s3cret!!"):
        assert "s3cret" not in take(data, Direction.JOB).message


def test_a_worker_that_fails_says_why_and_ends() -> None:
    sent = encode([Failure("JobError", "no room")], Direction.RESULT)
    assert sent == line(status="error", job_explanation="no room") + END
    taken = take(line(status="error", job_explanation="x", result_traceback="Traceback …") + END, Direction.RESULT)
    status = taken.records[0]
    assert isinstance(status, Status)
    assert (status.explanation, status.traceback) == ("x", "Traceback …")


def test_a_failure_after_the_error_status_is_not_told_twice() -> None:
    sent = encode([Status(StatusName.ERROR, "t", explanation="x"), Failure("JobError", "x")], Direction.RESULT)
    assert sent.count(b"error") == 1


def test_a_job_that_could_not_be_packed_is_never_run() -> None:
    sent = encode([Job("1", tree=True, playbook="a.yml"), _TREE[0], Failure("ConfigurationError", "x")], Direction.JOB)
    assert b"eof" not in sent
    assert b"zipfile" not in sent
    assert type(take(sent, Direction.JOB).error) is IncompleteStream


def test_logs_have_no_place_and_statuses_say_the_name() -> None:
    sender = RunnerSender(Direction.RESULT)
    assert b"".join(sender.send(Log(LogLevel.INFO, "x"))) == b""
    sender.ident = "7"
    assert b"".join(sender.send(Status(StatusName.RUNNING, "t"))) == line(status="running", runner_ident="7")
    assert b"".join(sender.send(Heartbeat())) == line(event="keepalive", counter=0, uuid=0)


def test_an_archive_right_before_the_end_has_no_line_of_its_own() -> None:
    assert _STREAM.endswith(END)
    assert not _STREAM.endswith(b"\n" + END)
    assert isinstance(take(_STREAM.replace(b"=" + END, b"=\r\n" + END), Direction.RESULT).records[-1], TreeEnd)


def test_what_follows_the_end_is_dropped() -> None:
    taken = take(_STREAM + b"logout\n" + line(status="running"), Direction.RESULT)
    assert taken.error is None
    assert taken.noises == []
    assert isinstance(taken.records[-1], TreeEnd)


def test_the_last_line_may_lack_its_end() -> None:
    taken = take(_STREAM.rstrip(), Direction.RESULT)
    assert taken.error is None
    assert taken.receiver.closed


def test_events_pass_as_they_are() -> None:
    text = b'{"event": "verbose", "counter": 3, "x": 1.0, "u": "\xc3\xbc"}'
    assert take(text + b"\n" + END, Direction.RESULT).records == [Event(3, text)]
