"""The near end of a link while it is measured: each way to the far end (`far_end`), and what is measured over it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.errors import BenchmarkError
from benchmarks.far_end import READY, STAMP, order
from benchmarks.mesh_hosts import BenchMesh, Receptor
from benchmarks.toolbox import ROOT
from playstream.links.nats import find_nats_link
from playstream.mesh.terms import Terms
from playstream.pipeline.io.stdio import enlarge_pipe, read_some, write_all

RATE = 1000
EVENT_BYTES = 1000
_FIRST_SECONDS = 0.5
"""Events of this time are not counted: buffers grow, and code is loaded."""
_PIECE = 1 << 18


@dataclass(frozen=True, slots=True)
class Ends:
    """An open link."""

    reader: int
    writer: int


Way = Callable[[], AbstractContextManager[Ends]]
"""Opens a link."""


@dataclass(frozen=True, slots=True)
class Latency:
    """How late events have arrived, in milliseconds."""

    median: float
    p99: float


class _Arrivals:
    """Reads what comes out of a link."""

    def __init__(self, reader: int) -> None:
        self._reader = reader
        self._held = bytearray()

    def take(self, size: int) -> bytes:
        while len(self._held) < size:
            self._fill()
        data = bytes(self._held[:size])
        del self._held[:size]
        return data

    def skip(self, size: int) -> None:
        while size > len(self._held):
            size -= len(self._held)
            self._held.clear()
            self._fill()

    def _fill(self) -> None:
        data = read_some(self._reader)
        if not data:
            raise BenchmarkError("the far end of a link has ended too early")
        self._held += data

    def events(self, count: int) -> Iterator[float]:
        """Yield how late each event is, in seconds."""
        now = time.monotonic()
        for _ in range(count):
            while len(self._held) < EVENT_BYTES:
                self._fill()
                now = time.monotonic()
            yield now - STAMP.unpack_from(self._held)[0]
            del self._held[:EVENT_BYTES]


def latency(arrivals: _Arrivals, count: int) -> Latency:
    """Read so many events."""
    late = sorted(list(arrivals.events(count))[min(count // 2, int(_FIRST_SECONDS * RATE)) :])
    return Latency(late[len(late) // 2] * 1000, late[len(late) * 99 // 100] * 1000)


def time_events(way: Way, seconds: float) -> Latency:
    """Let the far end send events for some seconds."""
    count = max(2, int(RATE * seconds))
    with way() as ends:
        write_all(ends.writer, order("events", RATE, count, EVENT_BYTES))
        arrivals = _Arrivals(ends.reader)
        arrivals.take(len(READY))
        return latency(arrivals, count)


def speed_in(way: Way, size: int) -> float:
    """Send so many bytes; return the megabytes in a second until the far end has all of them."""
    piece = os.urandom(_PIECE)
    with way() as ends:
        write_all(ends.writer, order("in", size))
        arrivals = _Arrivals(ends.reader)
        arrivals.take(len(READY))
        begin = time.monotonic()
        for _ in range(size // _PIECE):
            write_all(ends.writer, piece)
        return _speed(size, STAMP.unpack(arrivals.take(STAMP.size))[0] - begin)


def speed_out(way: Way, size: int) -> float:
    """Let the far end send so many bytes; return the megabytes in a second."""
    with way() as ends:
        write_all(ends.writer, order("out", size))
        arrivals = _Arrivals(ends.reader)
        arrivals.take(len(READY))
        return _out(arrivals, size)


def _out(arrivals: _Arrivals, size: int) -> float:
    begin = STAMP.unpack(arrivals.take(STAMP.size))[0]
    arrivals.skip(size)
    return _speed(size, time.monotonic() - begin)


def _speed(size: int, seconds: float) -> float:
    return size / 1e6 / seconds


def through_program(words: Sequence[str], env: Mapping[str, str] | None = None) -> Way:
    """Return the way through the pipes of a program, whose far end is the program or what it starts."""

    @contextmanager
    def open_it() -> Iterator[Ends]:
        process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env, cwd=ROOT)
        if process.stdin is None or process.stdout is None:
            raise AssertionError("they are pipes")
        try:
            with process.stdin, process.stdout:
                for pipe in (process.stdin, process.stdout):
                    enlarge_pipe(pipe.fileno())
                yield Ends(process.stdout.fileno(), process.stdin.fileno())
        finally:
            process.wait()

    return open_it


def through_pipe() -> Way:
    """Return the way through two pipes."""
    return through_program([sys.executable, "-m", "benchmarks.far_end"])


def through_ssh(ssh: Path) -> Way:
    """Return the way through ssh, the one in a directory, to the host `host`."""
    command = f"cd {ROOT} && exec {sys.executable} -m benchmarks.far_end"
    return through_program([str(ssh / "ssh"), "host", command])


def through_mesh(mesh: BenchMesh, *, encrypted: bool) -> Way:
    """Return the way through a mesh."""

    @contextmanager
    def open_it() -> Iterator[Ends]:
        link = find_nats_link(mesh.link)
        link.terms = Terms(encrypted=encrypted)
        opened = link.open()
        try:
            yield Ends(opened.reader, opened.writer)
        finally:
            opened.end(wait=True)
            opened.close()
        mesh.forget_results()

    return open_it


def through_service(receptor: Receptor) -> Way:
    """Return the way through Receptor's `connect` to a service."""

    @contextmanager
    def open_it() -> Iterator[Ends]:
        with receptor.controller.connect("connect", "execution", "far") as connection:
            yield Ends(connection.fileno(), connection.fileno())

    return open_it


class Unit:
    """What is measured over units of work of Receptor, which take their whole input before they begin."""

    def __init__(self, receptor: Receptor) -> None:
        self._receptor = receptor

    @contextmanager
    def _run(self, *pieces: bytes) -> Iterator[_Arrivals]:
        unit = self._receptor.submit("far", pieces)
        try:
            with self._receptor.results(unit) as results:
                arrivals = _Arrivals(results.fileno())
                arrivals.take(len(READY))
                yield arrivals
        finally:
            self._receptor.release(unit)

    def time_events(self, seconds: float) -> Latency:
        """See `time_events`."""
        count = max(2, int(RATE * seconds))
        with self._run(order("events", RATE, count, EVENT_BYTES)) as arrivals:
            return latency(arrivals, count)

    def speed_in(self, size: int) -> float:
        """See `speed_in`."""
        begin = time.monotonic()
        with self._run(order("in", size), *[os.urandom(_PIECE)] * (size // _PIECE)) as arrivals:
            return _speed(size, STAMP.unpack(arrivals.take(STAMP.size))[0] - begin)

    def speed_out(self, size: int) -> float:
        """See `speed_out`."""
        with self._run(order("out", size)) as arrivals:
            return _out(arrivals, size)
