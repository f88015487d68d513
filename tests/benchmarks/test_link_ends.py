"""Both ends of a link that is measured, through pipes: plain, and as the workers of a node, which encrypt."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from benchmarks.errors import BenchmarkError
from benchmarks.far_end import READY, STAMP, order
from benchmarks.link_ends import Ends, Way, speed_in, speed_out, through_pipe, through_program, time_events
from playstream.pipeline.io.age_batches import BatchReader, BatchWriter
from playstream.pipeline.io.age_keys import import_pyrage

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch) -> Way:
    monkeypatch.chdir(ROOT)
    return through_pipe()


def test_events_arrive_and_say_how_late_they_are(pipe: Way) -> None:
    late = time_events(pipe, 0.1)
    assert 0 < late.median <= late.p99


def test_bytes_go_both_ways(pipe: Way) -> None:
    assert speed_in(pipe, 1 << 20) > 0
    assert speed_out(pipe, 1 << 20) > 0


def test_a_far_end_that_is_missing_is_an_error() -> None:
    with pytest.raises(BenchmarkError, match="has ended too early"):
        speed_out(through_program(["sh", "-c", "read line"]), 1 << 20)


@contextmanager
def waiting_far_end(call: bytes, key: str, recipient: str) -> Iterator[tuple[subprocess.Popen[bytes], Ends]]:
    """Start a far end as a node starts its workers, and say that there is a job."""
    pipes = [os.pipe() for _ in range(3)]
    for (_, writing), data in zip(pipes, (call, key.encode(), recipient.encode()), strict=True):
        os.write(writing, data)
        os.close(writing)
    waits, keys, recipients = theirs = [reading for reading, _ in pipes]
    words = ["--wait-on", str(waits), "--identity", f"/dev/fd/{keys}", "--encrypt-to", f"@/dev/fd/{recipients}"]
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.far_end", "--alive-on", "9", *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        pass_fds=theirs,
        cwd=ROOT,
    )
    for fd in theirs:
        os.close(fd)
    assert process.stdin is not None
    assert process.stdout is not None
    with process.stdin, process.stdout:
        yield process, Ends(process.stdout.fileno(), process.stdin.fileno())


def test_the_far_end_encrypts_like_a_worker() -> None:
    keys = import_pyrage().x25519
    near, far = keys.Identity.generate(), keys.Identity.generate()
    with waiting_far_end(b"e", f"{far}\n", f"{near.to_public()}\n") as (process, _):
        data = b"".join(BatchWriter([far.to_public()]).wrap([order("in", 3), b"abc"], flush=True))
        output, _ = process.communicate(data, timeout=60)
    reader = BatchReader([near])
    reader.receive_data(output)
    found = b""
    while (content := reader.next()) is not None:
        found += content
    reader.receive_eof()
    assert found[: len(READY)] == READY
    assert len(found) == len(READY) + STAMP.size


def test_the_far_end_of_a_plain_job_does_not() -> None:
    with waiting_far_end(b"p", "", "") as (process, _):
        output, _ = process.communicate(order("out", 1 << 16), timeout=60)
    assert output[: len(READY)] == READY
    assert len(output) == len(READY) + STAMP.size + (1 << 16)
