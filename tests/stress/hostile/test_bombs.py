"""Small streams that stand for much, and streams without end: refused early, and in little memory.

Time is bounded by what is taken: each test counts the bytes that the stage took before it refused the rest. Memory is
that of a process of its own; what a stage needs for nothing is measured beside.
"""

from __future__ import annotations

import os
import stat
import struct
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from playstream.pipeline.errors import (
    IncompleteStream,
    LimitExceeded,
    PlaystreamError,
    RemoteProtocolError,
    UnsafePath,
)
from playstream.pipeline.job.ident import KNOWN_NAMES
from playstream.pipeline.protocol import FileEntry, FileType, codec, frames
from playstream.pipeline.protocol.compression import Compressor
from playstream.pipeline.protocol.order import Direction
from tests.pipeline.protocol.wire import RawStream
from tests.pipeline.runner_dialect.wire import archive, line
from tests.stages import LIMIT_SECONDS, Stages
from tests.stress.hostile.streams import ENDED, JOB, KWARGS, ROOT, STARTING, file, many_files, runner_tree, zipped

MIB = 1 << 20
SLACK = 64 * MIB
"""Bytes of memory above an empty run: buffers of a link and a decoder, and what the allocator keeps."""
IN_PIPE = 2 * MIB
"""Bytes that may have been written and not taken: a pipe's, and one read ahead."""
STAGES = ["worker", "process"]


@dataclass(frozen=True)
class Cost:
    """How a stage ended, and what it took."""

    status: int
    stderr: str
    taken: int
    """Bytes that were written to it before it went; up to IN_PIPE of them it never read."""
    memory: int
    """Bytes it had at most."""


Run = Callable[..., Cost]


@pytest.fixture
def run(stages: Stages, tmp_path: Path) -> Run:
    """Runs a stage on pieces of a stream, until it has gone or there are no more."""

    def run(stage: str, pieces: Iterable[bytes], *flags: str, among_runs: bool = False) -> Cost:
        report = tmp_path / "report"
        directory = [str(tmp_path / "data")] if stage == "process" else []
        ident = ["-i", "run"] if stage == "process" and not among_runs else []
        program = [sys.executable, "-m", "tests.stress.hostile.measured"]
        command = [*program, str(report), stage, *directory, *ident, *flags]
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=stages.env,
            cwd=Path(__file__).parents[3],
        )
        assert process.stdin is not None
        stdin, process.stdin = process.stdin, None
        taken = [0]

        def feed() -> None:
            try:
                with stdin:
                    for piece in pieces:
                        stdin.write(piece)
                        stdin.flush()
                        taken[0] += len(piece)
            except BrokenPipeError:
                pass

        feeder = threading.Thread(target=feed)
        feeder.start()
        _, stderr = process.communicate(timeout=LIMIT_SECONDS)
        feeder.join(LIMIT_SECONDS)
        assert not feeder.is_alive()
        return Cost(process.returncode, stderr.decode(), taken[0], int(report.read_text()) * 1024)

    return run


def check(cost: Cost, error: type[PlaystreamError], idle: Cost, *, slack: int = SLACK) -> None:
    assert cost.status == error.exit_status, cost.stderr
    assert "Traceback" not in cost.stderr
    assert cost.memory < idle.memory + slack


def beginning(stage: str) -> RawStream:
    stream = RawStream()
    return stream.records(replace(JOB, tree=True), ROOT) if stage == "worker" else stream.records(STARTING, ENDED, ROOT)


def entries_for_ever(stage: str, count: int) -> Iterator[bytes]:
    """So many entries of one tree, in frames of 1,000 names each."""
    stream = beginning(stage)
    yield stream.data
    for start in range(0, count, 1000):
        stream.data = b""
        stream.content(b"".join(codec.encode(file(b"%d" % number)) for number in range(start, start + 1000)))
        yield stream.data


@pytest.mark.parametrize("stage", STAGES)
def test_ten_million_entries(run: Run, stage: str) -> None:
    idle = run(stage, [b""])
    assert idle.status == IncompleteStream.exit_status
    sent = list(entries_for_ever(stage, 5000))
    cost = run(stage, entries_for_ever(stage, 10_000_000), "--max-tree-entries", "2000")
    check(cost, LimitExceeded, idle)
    assert "--max-tree-entries" in cost.stderr
    assert cost.taken < sum(map(len, sent)) + IN_PIPE


def test_ten_million_names_among_runs(run: Run, tmp_path: Path) -> None:
    cost = run("process", entries_for_ever("process", 10_000_000), among_runs=True)
    check(cost, UnsafePath, run("process", [b""], among_runs=True))
    assert "more than 10000 entries beside the runs" in cost.stderr
    assert cost.taken < sum(map(len, entries_for_ever("process", 15_000))) + IN_PIPE
    assert len(list((tmp_path / "data" / "artifacts").iterdir())) <= 10_000 + len(KNOWN_NAMES) + 1


@pytest.mark.parametrize("place", ["", "below/"])
def test_entries_take_no_memory_wherever_they_lie(run: Run, place: str) -> None:
    """One list of these names, as of a directory whose entries are moved, would take 26 MB."""
    count = 60_000
    stream = beginning("process")
    stream.records(FileEntry(b"below", FileType.DIRECTORY, 0o700, 0))
    for start in range(0, count, 10_000):
        names = (f"{place}{number}".encode() for number in range(start, start + 10_000))
        stream.content(b"".join(codec.encode(file(name)) for name in names))
    cost = run("process", [stream.data], "--max-tree-entries", str(count))
    check(cost, LimitExceeded, run("process", [b""]), slack=16 * MIB)


def deflated_zeros(blocks: int) -> bytes:
    """A deflate stream of so many MiB of zeros: one block again and again."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(bytes(MIB)) + packer.flush(zlib.Z_FULL_FLUSH)
    return block * blocks + zlib.compressobj(9, zlib.DEFLATED, -15).flush()


def bomb(blocks: int, announced: int) -> bytes:
    """A zip of one file that is so many MiB of zeros, and says it is so large."""
    data = deflated_zeros(blocks)
    fields = (20, 0, 8, 0, 0x21, 0, len(data), min(announced, 0xFFFFFFFF), 1)
    extra = struct.pack("<HHQ", 1, 8, announced) if announced > 0xFFFFFFFE else b""
    local = struct.pack("<4s5H3I2H", b"PK\3\4", *fields[:8], 1, len(extra)) + b"f" + extra
    central = (
        struct.pack(
            "<4s6H3I5H2I", b"PK\1\2", 20 | 3 << 8, *fields[:8], 1, len(extra), 0, 0, 0, (stat.S_IFREG | 0o644) << 16, 0
        )
        + b"f"
        + extra
    )
    start = len(local) + len(data)
    return local + data + central + struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 1, 1, len(central), start, 0)


def direction_of(stage: str) -> Direction:
    return Direction.JOB if stage == "worker" else Direction.RESULT


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize(("announced", "error"), [(10 << 30, LimitExceeded), (1000, RemoteProtocolError)])
def test_a_zip_of_10_mb_that_holds_10_gb(run: Run, stage: str, announced: int, error: type[PlaystreamError]) -> None:
    """One that says so, and one that lies."""
    packed = bomb(10 << 10, announced)
    assert len(packed) < 12 * MIB
    cost = run(stage, [runner_tree(packed, direction_of(stage))], "--max-tree-bytes", str(64 * MIB))
    check(cost, error, run(stage, [b""]))


@pytest.mark.parametrize("stage", STAGES)
def test_a_zip_in_a_zip_is_a_file(run: Run, stage: str, tmp_path: Path) -> None:
    """What is packed twice is unpacked once: the inner bomb stays what it is."""
    inner = bomb(10 << 10, 10 << 30)
    target = tmp_path / "own" if stage == "worker" else tmp_path / "data" / "artifacts" / "run"
    flags = ["--private-data-dir", str(target)] if stage == "worker" else []
    stream = runner_tree(archive(zipped("inner.zip", inner)), direction_of(stage))
    cost = run(stage, [stream], "--max-tree-bytes", str(64 * MIB), *flags)
    assert "Traceback" not in cost.stderr
    assert cost.memory < run(stage, [b""]).memory + SLACK
    assert (target / "inner.zip").stat().st_size == len(inner)


@pytest.mark.parametrize("stage", STAGES)
def test_a_zip_whose_table_has_ten_million_entries(run: Run, stage: str) -> None:
    """A table of 470 MB would take ten times that in memory; the zip says where it ends, and it is never read."""
    count = 10_000_000
    end = struct.pack("<4sQ2H2I4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, 47 * count, 0)
    end += struct.pack("<4sIQI", b"PK\6\7", 0, 47 * count, 1)
    end += struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0, 0)
    cost = run(stage, [runner_tree(end, direction_of(stage))])
    check(cost, RemoteProtocolError, run(stage, [b""]))
    assert "central directory" in cost.stderr


@pytest.mark.parametrize("stage", STAGES)
def test_a_table_that_two_end_records_tell_differently(run: Run, stage: str) -> None:
    """The ordinary one says 100 bytes; that of 64 bits says 77 MB, and counts. Entries are counted as they are read."""
    packed = many_files((b"%05d" % (number % 100_000) for number in range(1_500_000)), told=100)
    limit = 50_000
    cost = run(stage, [runner_tree(packed, direction_of(stage))], "--max-tree-entries", str(limit))
    check(cost, LimitExceeded, run(stage, [b""]), slack=SLACK + limit * 100)
    assert "--max-tree-entries" in cost.stderr


LONG_NAMES = [b"%05d" % number + b"x" * 250 for number in range(60_000)]
DEEP_NAMES = [b"/".join([b"%04d" % number, *[b"x" * 14] * 254]) for number in range(80)]
"""80 files, each in 254 directories of its own, which the table has no entries for."""


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize(
    ("names", "limit", "slack"),
    [
        pytest.param(LONG_NAMES, 60_000, SLACK, id="names of 255 bytes"),
        pytest.param(DEEP_NAMES, 18_000, 24 * MIB, id="255 components"),
    ],
)
def test_entries_take_100_bytes_each(run: Run, stage: str, names: list[bytes], limit: int, slack: int) -> None:
    """Of both there are more than the limit allows. The paths of the 255 components alone have 40 MB."""
    packed = many_files(names)
    cost = run(stage, [runner_tree(packed, direction_of(stage))], "--max-tree-entries", str(limit))
    check(cost, LimitExceeded, run(stage, [b""]), slack=slack + limit * 100)


@pytest.mark.parametrize("stage", STAGES)
def test_an_archive_without_end(run: Run, stage: str) -> None:
    """It says its size, and more than a tree may have is refused before it comes."""
    first = line(kwargs=KWARGS) if stage == "worker" else line(status="starting")

    def pieces() -> Iterator[bytes]:
        yield first + line(zipfile=1 << 61)
        while True:
            yield b"A" * MIB

    cost = run(stage, pieces())
    check(cost, LimitExceeded, run(stage, [b""]))
    assert "--max-tree-bytes" in cost.stderr
    assert cost.taken <= 8 * MIB


@pytest.mark.parametrize("stage", STAGES)
def test_a_frame_of_4_kb_that_holds_128_mb(run: Run, stage: str) -> None:
    payload = Compressor(1).compress(bytes(128 * MIB))
    data = frames.encode_preamble() + frames.encode_frame(0, payload, MIB)
    assert len(data) < 6000
    check(run(stage, [data]), RemoteProtocolError, run(stage, [b""]), slack=16 * MIB)


@pytest.mark.parametrize("stage", STAGES)
def test_a_file_of_10_gb_in_frames_of_1_mb(run: Run, stage: str) -> None:
    """Each frame is what it says; the tree is not what it may be."""
    stream = beginning(stage).records(replace(file(b"f", 10 << 30), type=FileType.FILE))
    check(run(stage, [stream.data], "--max-tree-bytes", str(64 * MIB)), LimitExceeded, run(stage, [b""]))


def dribbled(text: bytes, size: int) -> Iterator[bytes]:
    for start in range(0, len(text), size):
        yield text[start : start + size]


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("start", [b'{"status": "', b'{"kwargs": "', b'{"uuid":"'])
def test_a_line_without_end(run: Run, stage: str, start: bytes) -> None:
    """It is taken to the limit, which is the same for a recording."""

    def pieces() -> Iterator[bytes]:
        yield start
        while True:
            yield b"x" * 5000

    cost = run(stage, pieces(), "--max-record-bytes", str(4 * MIB))
    error = RemoteProtocolError if stage == "worker" and start == b'{"uuid":"' else LimitExceeded
    check(cost, error, run(stage, [b""]))
    assert cost.taken <= 4 * MIB + IN_PIPE + MIB


@pytest.mark.parametrize("stage", STAGES)
def test_noise_without_end(run: Run, stage: str) -> None:
    def pieces() -> Iterator[bytes]:
        while True:
            yield os.urandom(65536).replace(b"\xf5", b"x")

    cost = run(stage, pieces())
    check(cost, RemoteProtocolError, run(stage, [b""]))
    assert cost.taken <= frames.MAX_NOISE + IN_PIPE + MIB
