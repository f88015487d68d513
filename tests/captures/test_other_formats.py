"""ansible-runner's streams and recordings, with the place of each line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playstream.captures.pieces import ArchiveStart, Arguments, Format, LastLine, Piece
from playstream.pipeline.errors import IncompleteStream, PlaystreamError
from playstream.pipeline.protocol import Event, FileEntry, Heartbeat, Noise, Status, StatusName
from playstream.pipeline.protocol.order import Direction
from tests.captures.reading import Source, an_event, read
from tests.pipeline.protocol.strategies import CHUNK_SIZES
from tests.pipeline.runner_dialect.wire import take

VECTORS = Path(__file__).parents[1] / "vectors" / "runner"
STREAMS = sorted(VECTORS.glob("*/*.stream"))
WORKER = (VECTORS / "2.4.3" / "worker.stream").read_bytes()
STATS = an_event(3, "playbook_on_stats", event_data={"ok": {"a": 1}})
RECORDING = b"".join(event.json + b"\n" for event in (an_event(1), an_event(2), STATS))


@pytest.mark.parametrize("path", STREAMS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_streams_of_ansible_runner(path: Path) -> None:
    data = path.read_bytes()
    done = read(data, [1000])
    assert done.error is None
    assert done.stream.walker is not None
    assert (done.stream.walker.format, done.stream.behind_end) == (Format.RUNNER, 0)
    direction = Direction.JOB if path.stem == "transmit" else Direction.RESULT
    assert done.stream.walker.direction is direction
    for piece in done.pieces:
        if piece.size is not None:
            line = data[piece.offset : piece.offset + piece.size]
            assert line + b"\n" == data[piece.offset : data.index(b"\n", piece.offset) + 1] or piece is done.pieces[-1]
            json.loads(line)
    # The same records as a receiver gets; a job and heartbeats in the middle of an archive stand in no line.
    taken = take(data, direction)
    records = [piece.item for piece in done.pieces if not isinstance(piece.item, (ArchiveStart, Arguments, LastLine))]
    if direction is Direction.RESULT:
        assert [type(item) for item in records] == [type(item) for item in taken.items]
        assert isinstance(done.pieces[-1].item, LastLine)


def test_names_of_a_job() -> None:
    data = b'{"kwargs": {"extravars": {"b": "secret", "a": 1}, "ident": "x", "tags": ""}}\n{"eof": true}\n'
    first, last = read(data).pieces
    assert first.item == Arguments(("extravars.a", "extravars.b", "ident", "tags"))
    assert last == Piece(LastLine(), data.index(b'{"eof'), 0, 13)


@given(st.integers(0, len(WORKER) - 10), CHUNK_SIZES)
def test_a_cut(size: int, sizes: list[int]) -> None:
    done = read(WORKER[:size], sizes)
    whole = read(WORKER).pieces
    assert isinstance(done.error, IncompleteStream)
    for piece, other in zip(done.pieces, whole, strict=False):
        if not isinstance(piece.item, Status):  # its time is that of its arrival, and at a cut it waits no longer
            assert piece == other


@pytest.mark.parametrize("data", [b"", b"{", RECORDING[:5]])
def test_what_ends_before_its_kind_is_known(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    reads = 0

    def count(source: Source) -> bytes:
        nonlocal reads
        reads += 1
        assert reads <= 3, "it does not wait for more at the end"
        return next(source._data, b"")

    monkeypatch.setattr(Source, "read", count)
    assert read(data).error is not None


@given(st.data(), CHUNK_SIZES)
def test_any_byte_may_be_another(data: st.DataObject, sizes: list[int]) -> None:
    changed = bytearray(WORKER)
    for _ in range(data.draw(st.integers(1, 3))):
        changed[data.draw(st.integers(0, len(WORKER) - 1))] = data.draw(st.integers(0, 255))
    done = read(bytes(changed), sizes)
    assert done.error is None or isinstance(done.error, PlaystreamError)
    assert 0 <= done.stream.offset <= done.stream.size + 1


@given(st.binary(max_size=300), CHUNK_SIZES)
def test_any_lines(data: bytes, sizes: list[int]) -> None:
    done = read(b'{"status": "running"}\n' + data, sizes)
    assert isinstance(done.error, PlaystreamError) or b"eof" in data


def test_noise_before_a_line() -> None:
    pieces = read(b'Welcome!\n{"status": "starting"}\nWarning {"event": "keepalive"}\n{"eof": true}\n').pieces
    assert [type(piece.item) for piece in pieces] == [Noise, Status, Noise, Heartbeat, LastLine]
    assert [piece.offset for piece in pieces if not isinstance(piece.item, Noise)] == [9, 40, 63]


@given(CHUNK_SIZES)
def test_a_recording(sizes: list[int]) -> None:
    done = read(RECORDING, sizes)
    assert done.error is None
    assert done.stream.walker is not None
    assert done.stream.walker.format is Format.RECORDING
    *events, last = done.pieces
    for piece in events:
        assert isinstance(piece.item, Event)
        assert RECORDING[piece.offset :].startswith(piece.item.json)
    assert isinstance(last.item, Status)
    assert (last.item.status, last.size) == (StatusName.SUCCESSFUL, None)


@given(st.data(), CHUNK_SIZES)
def test_any_byte_of_a_recording_may_be_another(data: st.DataObject, sizes: list[int]) -> None:
    changed = bytearray(RECORDING)
    at = data.draw(st.integers(9, len(RECORDING) - 1))
    changed[at] = data.draw(st.integers(0, 255))
    done = read(bytes(changed), sizes)
    assert done.error is None or isinstance(done.error, PlaystreamError)
    assert done.stream.offset <= at or done.error is None


def test_the_place_of_a_faulty_line() -> None:
    first = an_event(1).json + b"\n\n"
    done = read(first + b'{"uuid":"half\n')
    assert "line 2 of the recording is not an event" in str(done.error)
    assert done.stream.offset == len(first)


def test_entries_of_an_archive_are_where_its_line_is() -> None:
    pieces = read(WORKER).pieces
    start = next(piece for piece in pieces if isinstance(piece.item, ArchiveStart))
    entries = [piece for piece in pieces if isinstance(piece.item, FileEntry)]
    assert entries
    assert {(piece.offset, piece.size) for piece in entries} == {(start.offset, None)}
    assert WORKER[start.offset :].startswith(b'{"zipfile":')
