"""Trees of up to a million entries in every shape, in both dialects, and one entry too many at the usual limit.

tests/stress/hostile/test_shapes.py does the same with fewer entries. Here a million are made, which takes long on a
disk, and a minute or more for each tree in memory, where an entry costs the kernel 1 KB.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from playstream.pipeline.errors import IncompleteStream, LimitExceeded
from playstream.pipeline.limits import DEFAULT_LIMITS
from playstream.pipeline.protocol.order import Direction
from tests.stages import Stages
from tests.stress.faults.report import Report
from tests.stress.hostile.shapes import DIALECTS, NATIVE_ONLY, SHAPES

_MIB = 1 << 20
_LIMIT = DEFAULT_LIMITS.max_tree_entries
_COUNTS = (1_000, 100_000)
_SHAPES = {"runner": frozenset(SHAPES) - NATIVE_ONLY, "native": frozenset(SHAPES)}
_OF_THE_LARGEST = {**_SHAPES, "native": frozenset({"hard links of 100,000 files"})}
"""Natively only links are held in memory."""
_ALLOWED = 64 * _MIB
"""Bytes of memory that any stream may cost above a stage that gets nothing."""
_OF_AN_ENTRY = 100
"""Bytes that each entry may cost besides."""
_LONGEST_SECONDS = 1800.0
_DIRECTIONS = {"worker": Direction.JOB, "process": Direction.RESULT}


@dataclass(frozen=True)
class Served:
    """How a stage ended, what it said, and the most memory that it had, in bytes."""

    status: int
    stderr: str
    memory: int


def serve(place: Path, stage: str, pieces: Iterable[bytes], *flags: str) -> Served:
    """Let a stage serve a stream.

    Args:
        place: the directory for temporary files and results.
        stage: worker or process.
        pieces: the stream.
        flags: words after the stage's command.

    Raises:
        AssertionError: something is left.
    """
    with tempfile.TemporaryDirectory(prefix="playstream-entries-", dir=place) as made:
        stages, report, target = Stages(Path(made) / "tmp"), Path(made) / "report", Path(made) / "data"
        stages.temporary.mkdir()
        directory = [str(target), "-q", "-i", "run"] if stage == "process" else []
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.stress.hostile.measured", str(report), stage, *directory, *flags],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=stages.env,
            cwd=Path(__file__).parents[3],
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
        assert list(stages.temporary.iterdir()) == [], "something is left among the temporary files"
        return Served(process.returncode, stderr.decode(), int(report.read_text()) << 10)


def measure_idle(place: Path, stage: str) -> int:
    """Return the memory of a stage that gets nothing, in bytes."""
    idle = serve(place, stage, [b""])
    assert idle.status == IncompleteStream.exit_status, idle.stderr
    return idle.memory


def _measure(place: Path, stage: str, dialect: str, shape: str, count: int, idle: int, report: Report) -> None:
    """Take a tree of so many entries to the end."""
    row = f"{count:,} entries, {shape}, {dialect}, {stage}"
    pieces = DIALECTS[dialect](SHAPES[shape](count), _DIRECTIONS[stage])
    start = time.monotonic()
    served = serve(place, stage, pieces, "--max-tree-entries", str(count + 2))
    seconds = time.monotonic() - start
    assert (served.status, served.stderr) == (0, ""), served
    _check_memory(row, served.memory - idle, count, report)
    report.add(f"{row}: time", seconds, "s")


def _refuse(place: Path, stage: str, dialect: str, shape: str, idle: int, report: Report) -> None:
    """One entry above the limit that counts when nothing is said."""
    row = f"{_LIMIT + 1:,} entries, {shape}, {dialect}, {stage}, refused"
    start = time.monotonic()
    served = serve(place, stage, DIALECTS[dialect](SHAPES[shape](_LIMIT), _DIRECTIONS[stage]))
    seconds = time.monotonic() - start
    assert served.status == LimitExceeded.exit_status, served
    assert f"at most {_LIMIT} are accepted" in served.stderr, served
    assert "--max-tree-entries" in served.stderr, served
    assert len(served.stderr.splitlines()) == 1, served
    _check_memory(row, served.memory - idle, _LIMIT, report)
    report.add(f"{row}: time", seconds, "s")


def _check_memory(row: str, above: int, count: int, report: Report) -> None:
    report.add(f"{row}: memory above that for nothing", above / _MIB, "MiB")
    assert above < _ALLOWED + count * _OF_AN_ENTRY, f"{above >> 20} MiB above a stage that gets nothing"


def measure(flags: argparse.Namespace, report: Report) -> None:
    """Take each tree once."""
    place: Path = flags.entries_directory
    for stage in _DIRECTIONS:
        idle = measure_idle(place, stage)
        report.add(f"{stage} that gets nothing: memory", idle / _MIB, "MiB")
        for shape, dialect, count in product(SHAPES, DIALECTS, (*_COUNTS, flags.entries)):
            if shape not in (_SHAPES if count in _COUNTS else _OF_THE_LARGEST)[dialect]:
                continue
            try:
                _measure(place, stage, dialect, shape, count, idle, report)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is a broken promise
                report.fail(f"{count:,} entries, {shape}, {dialect}, {stage}", repr(error)[-600:])
        for dialect in DIALECTS:
            try:
                _refuse(place, stage, dialect, "files at the top", idle, report)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is a broken promise
                report.fail(f"{_LIMIT + 1:,} entries, {dialect}, {stage}", repr(error)[-600:])
