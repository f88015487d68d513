"""A tree of more than a million entries, at the limit that a worker has when nothing is said: refused, and removed.

With a smaller limit the same is in tests/hostile/test_bombs.py. Here each entry is made, so it takes minutes on a disk
and a minute in memory, where an entry costs the kernel 1 KB.
"""

from __future__ import annotations

import argparse
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from playstream.pipeline.errors import IncompleteStream, LimitExceeded
from playstream.pipeline.limits import DEFAULT_LIMITS
from playstream.pipeline.protocol import FileEntry, codec
from playstream.pipeline.protocol.order import Direction
from tests.faults.report import Report
from tests.hostile.streams import JOB, ROOT, directory, file, runner_tree, symlink
from tests.pipeline.protocol.wire import RawStream
from tests.stages import Stages

_MIB = 1 << 20
_LIMIT = DEFAULT_LIMITS.max_tree_entries
_IN_A_DIRECTORY = 1000
_LEVELS = 4
"""Directories around each file of the archive, which has entries for the files alone."""
_SLACK = 64 * _MIB
"""Bytes of memory above a worker that gets nothing."""
_OF_AN_ARCHIVE = 300 * _MIB
"""The same where a zip's table and the directories that it leaves out are held in memory."""
_LONGEST_SECONDS = 900.0


def _native() -> Iterator[bytes]:
    """Directories with files, symlinks and empty directories in them, each of another name."""
    stream = RawStream().records(replace(JOB, tree=True), ROOT)
    yield stream.data
    for start in range(0, 2 * _LIMIT, _IN_A_DIRECTORY):
        parent = b"%d" % start
        entries: list[FileEntry] = [directory(parent)]
        for number in range(_IN_A_DIRECTORY):
            path = b"%s/%d" % (parent, number)
            kinds = (file(path), symlink(path, b"/nowhere"), directory(path))
            entries.append(kinds[number % len(kinds)])
        stream.data = b""
        stream.content(b"".join(map(codec.encode, entries)))
        yield stream.data


def _runner() -> Iterator[bytes]:
    """A zip of empty files. Its table may have 32 MiB, which a million entries exceed, but not what stands for them."""
    local, central = bytearray(), bytearray()
    count = _LIMIT // (_LEVELS + 1) + 1000
    for number in range(count):
        name = b"%d" % number + b"/d" * (_LEVELS - 1) + b"/f"
        fields = struct.pack("<HHHHHIIIHH", 20, 0, 0, 0, 0x21, 0, 0, 0, len(name), 0)
        central += b"PK\1\2" + struct.pack("<H", 3 << 8) + fields + struct.pack("<HHHII", 0, 0, 0, 0, len(local)) + name
        local += b"PK\3\4" + fields + name
    end = struct.pack("<4sQ2H2I4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, len(central), len(local))
    end += struct.pack("<4sIQI", b"PK\6\7", 0, len(local) + len(central), 1)
    end += struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    yield runner_tree(bytes(local + central) + end, Direction.JOB)


def _serve(stages: Stages, pieces: Iterable[bytes]) -> tuple[int, str, int]:
    """A worker's exit status, what it said, and the most memory that it had, in bytes."""
    report = stages.temporary.parent / "report"
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.hostile.measured", str(report), "worker"], stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=stages.env, cwd=Path(__file__).parents[2],
    )
    assert process.stdin is not None
    stdin, process.stdin = process.stdin, None

    def feed() -> None:
        try:
            with stdin:
                for piece in pieces:
                    stdin.write(piece)
        except BrokenPipeError:
            pass  # it has had enough, which is what is waited for

    feeder = threading.Thread(target=feed)
    feeder.start()
    try:
        _, stderr = process.communicate(timeout=_LONGEST_SECONDS)
    finally:
        process.kill()
        feeder.join()
    return process.returncode, stderr.decode(), int(report.read_text()) << 10


def _measure(place: Path, name: str, pieces: Callable[[], Iterator[bytes]], slack: int, report: Report) -> None:
    with tempfile.TemporaryDirectory(prefix="playstream-entries-", dir=place) as made:
        stages = Stages(Path(made) / "tmp")
        stages.temporary.mkdir()
        status, stderr, idle = _serve(stages, [b""])
        assert status == IncompleteStream.exit_status, stderr
        start = time.monotonic()
        status, stderr, memory = _serve(stages, pieces())
        seconds = time.monotonic() - start
        assert status == LimitExceeded.exit_status, (status, stderr)
        assert f"at most {_LIMIT} are accepted" in stderr, stderr
        assert "--max-tree-entries" in stderr, stderr
        assert len(stderr.splitlines()) == 1, stderr
        assert list(stages.temporary.iterdir()) == []
        assert memory < idle + slack, f"{memory >> 20} MiB, {idle >> 20} MiB for nothing"
        report.add(f"a million entries, {name}: time", seconds, "s")
        report.add(f"a million entries, {name}: memory above that for nothing", (memory - idle) / _MIB, "MiB")


def measure(flags: argparse.Namespace, report: Report) -> None:
    """Run each dialect once."""
    for name, pieces, slack in (("native", _native, _SLACK), ("runner", _runner, _OF_AN_ARCHIVE)):
        try:
            _measure(flags.entries_directory, name, pieces, slack, report)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is a broken promise
            report.fail(f"a million entries, {name}", repr(error)[-600:])
