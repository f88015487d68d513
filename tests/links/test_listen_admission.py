"""What a connection sends until its job is complete: the same however it is cut into pieces, and within limits."""

from __future__ import annotations

import itertools
import json

import pyrage
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from playstream.pipeline.dialect import Dialect
from playstream.pipeline.errors import LimitExceeded, PlaystreamError, RemoteProtocolError, WorkerError
from playstream.pipeline.io.age_batches import BatchWriter
from playstream.pipeline.protocol import Cancel, Failure, FileEntry, Heartbeat, Job, Log, LogLevel, Record, Sender
from playstream.pipeline.protocol.frames import encode_frame, encode_preamble
from playstream.pipeline.protocol.order import Direction
from playstream.pipeline.protocol.records import FileType
from playstream.worker.listen.admission import Admission

LIMIT = 1 << 22


def stream(*records: Record, flush: bool = True) -> bytes:
    sender = Sender(Direction.JOB)
    return b"".join([sender.flush(), *(sender.send(record, flush=flush) for record in records), sender.flush()])


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[start:end] for start, end in itertools.pairwise(places)]


JOB = Job("night-1", playbook="site.yml", passwords={"ssh": "secret"})
LARGE = Job("large", plays=({"hosts": "all", "vars": {"text": "".join(map(str, range(400_000)))}},))
ROOT = FileEntry(b"", FileType.DIRECTORY, 0o755, 0)
GOOD = {
    "alone": stream(JOB),
    "after heartbeats": stream(Heartbeat(), Log(LogLevel.INFO, "packing"), Heartbeat(), JOB),
    "with more": stream(Job("night-1", playbook="site.yml", tree=True), ROOT, flush=False),
    "runner": json.dumps({"kwargs": {"ident": "night-1", "playbook": "site.yml"}}).encode() + b"\n",
}


@pytest.mark.parametrize("name", GOOD)
@given(cuts=st.lists(st.integers(0, 1 << 20), max_size=20))
@example(cuts=[])
@example(cuts=list(range(60)))
def test_a_job_in_any_pieces(name: str, cuts: list[int]) -> None:
    """It is complete with the last byte that it needs; what is taken is what has arrived."""
    admission = Admission(LIMIT)
    for piece in pieces(GOOD[name], cuts):
        admission.receive_data(piece)
    assert admission.complete
    assert admission.ident == "night-1"
    assert admission.dialect is (Dialect.RUNNER if name == "runner" else Dialect.PLAYSTREAM)
    assert admission.take() == GOOD[name]
    assert admission.size == 0


@pytest.mark.parametrize("name", GOOD)
def test_no_beginning_of_a_job_is_complete(name: str) -> None:
    data = GOOD[name]
    end = len(data) - (data.endswith(b"\n") or 1)
    for size in range(end if name != "with more" else 60):
        admission = Admission(LIMIT)
        admission.receive_data(data[:size])
        assert not admission.complete


def test_a_job_of_several_frames_is_complete_with_its_last() -> None:
    data = stream(LARGE)
    admission = Admission(LIMIT)
    states = []
    for piece in (data[:-1], data[-1:]):
        admission.receive_data(piece)
        states.append(admission.complete)
    assert states == [False, True]
    assert admission.size >= len(data)
    assert admission.ident == "large"


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=5))
@example(b"GET / HTTP/1.1\r\n", [])
@example(b"\xf5\x00playstream\r\n\x1a\n\x02\x00\x00\x00", [])
@example(b'{"status": "starting"}\n', [])
def test_any_bytes_are_waited_for_or_refused(data: bytes, cuts: list[int]) -> None:
    admission = Admission(LIMIT)
    try:
        for piece in pieces(data, cuts):
            admission.receive_data(piece)
    except PlaystreamError:
        return
    assert not admission.complete
    assert admission.size == len(data)


@pytest.mark.parametrize("name", ["alone", "after heartbeats", "with more"])
@given(place=st.integers(0, 10_000), change=st.integers(1, 255))
def test_any_changed_byte_is_refused_or_waited_for(name: str, place: int, change: int) -> None:
    """Checksums cover everything but the preamble's last bytes; a damaged size is refused at once."""
    data = bytearray(GOOD[name])
    place %= len(data)
    data[place] ^= change
    admission = Admission(LIMIT)
    try:
        admission.receive_data(bytes(data))
    except PlaystreamError as error:
        assert "secret" not in str(error)
        return
    assert not admission.complete or 17 <= place < 20


@pytest.mark.parametrize(
    ("data", "error", "said"),
    [
        (stream(Failure("ConfigurationError", "no playbook")), WorkerError, "there is no job to run"),
        (stream(*[Heartbeat()] * 101), RemoteProtocolError, "more than 100 other records"),
        (stream(*[Log(LogLevel.INFO, "x" * (1 << 20))] * 5), RemoteProtocolError, "bytes of other records"),
        (encode_preamble() + encode_frame(1, b"", 0), RemoteProtocolError, "expected frame 0, got frame 1"),
        (encode_preamble() + bytes(24), RemoteProtocolError, "expected frame 0 at byte 20, got other bytes"),
        (b'{"kwargs": {"ident": "' + bytes([97]) * LIMIT, LimitExceeded, "--max-record-bytes"),
        (b"age-encryption.org/v1\n-> X", RemoteProtocolError, "this worker has no key"),
        (b"\xf5\x00playstreem", RemoteProtocolError, "expected a job as the first bytes"),
        (b'{"uuid": "1"}\n', RemoteProtocolError, "expected a job as the first bytes"),
    ],
)
def test_what_is_refused(data: bytes, error: type[PlaystreamError], said: str) -> None:
    admission = Admission(LIMIT)
    with pytest.raises(error, match=said.replace("(", r"\(")):
        admission.receive_data(data)


def test_a_job_over_the_limit_is_refused_by_its_header() -> None:
    """Before it has arrived."""
    data = stream(LARGE)
    admission = Admission(1 << 20)
    sizes: list[int] = []
    with pytest.raises(LimitExceeded, match="--max-record-bytes"):
        feed(admission, data, sizes)
    assert max(sizes) < (1 << 21) + 1000


def feed(admission: Admission, data: bytes, sizes: list[int]) -> None:
    for start in range(0, len(data), 1000):
        admission.receive_data(data[start : start + 1000])
        sizes.append(admission.size)


def test_a_record_that_must_not_come_first() -> None:
    with pytest.raises(RemoteProtocolError, match="got a record of kind 9"):
        Admission(LIMIT).receive_data(only(Cancel("why")))


def only(record: Record) -> bytes:
    """A stream of one record that must not come first."""
    from playstream.pipeline.protocol import codec  # noqa: PLC0415
    from playstream.pipeline.protocol.compression import Compressor  # noqa: PLC0415

    content = codec.encode(record)
    return encode_preamble() + encode_frame(0, Compressor(1).compress(content), len(content))


def test_an_encrypted_job_ends_with_its_header() -> None:
    head = b"age-encryption.org/v1\n-> X25519 abc\ndef\n--- mac\n"
    keys = (pyrage.x25519.Identity.generate(),)
    for size in range(len(head)):
        admission = Admission(LIMIT, keys)
        admission.receive_data(head[:size])
        assert not admission.complete
    admission = Admission(LIMIT, keys)
    admission.receive_data(head + b"payload")
    assert admission.complete
    assert admission.ident is None
    with pytest.raises(RemoteProtocolError, match="expected an encrypted job"):
        Admission(LIMIT, keys).receive_data(stream(JOB))
    with pytest.raises(RemoteProtocolError, match="header of age"):
        Admission(LIMIT, keys).receive_data(head[:30] + b"x" * (1 << 17))


@given(cuts=st.lists(st.integers(0, 1 << 20), max_size=20))
def test_an_encrypted_job_in_batches(cuts: list[int]) -> None:
    """The end of the job is seen in what they contain."""
    key = pyrage.x25519.Identity.generate()
    writer = BatchWriter([key.to_public()])
    data = b"".join(writer.wrap([GOOD["alone"]], flush=True))
    admission = Admission(LIMIT, (key,))
    for piece in pieces(data, cuts):
        assert not admission.complete
        admission.receive_data(piece)
    assert admission.complete
    assert admission.ident == "night-1"
    assert admission.take() == data
    assert admission.size == 0
