"""Silence is counted only while nothing waits to be read."""

from __future__ import annotations

import array
import fcntl
import math
import os
import termios
import threading
from collections.abc import Iterator

import pytest

from playstream.pipeline.dialect import Dialect, PieceReader
from playstream.pipeline.errors import SilentPeer
from playstream.pipeline.io.liveness import PATIENCE, Liveness, WatchedWriter
from playstream.pipeline.io.read_ahead import ReadAhead
from playstream.pipeline.protocol import FrameReader
from tests.processes import wait_until

AT_ONCE = 1e-9


class _Late(ReadAhead):
    """One whose thread gets no time to read."""

    def _run(self) -> None:
        self._listening = True


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """Its ends."""
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


def test_what_waits_in_the_link_is_no_silence(pipe: tuple[int, int]) -> None:
    """A process that was stopped finds the limit passed and what has come meanwhile at once."""
    liveness = Liveness("the worker", AT_ONCE, pipe[0])
    os.write(pipe[1], b"x")
    liveness.check()
    os.read(pipe[0], 1)
    with pytest.raises(SilentPeer):
        liveness.check()


def test_what_the_thread_has_not_read_yet_is_no_silence(pipe: tuple[int, int]) -> None:
    def choose(_dialect: Dialect) -> FrameReader:
        raise AssertionError("nothing is read here")

    reader = _Late(pipe[0], PieceReader(choose), Liveness("the transmit stage", AT_ONCE, pipe[0]))
    try:
        reader._thread.join()
        os.write(pipe[1], b"x")
        reader.check()
        os.read(pipe[0], 1)
        with pytest.raises(SilentPeer):
            reader.check()
    finally:
        reader.close()


class _Layer:
    """A layer whose data comes when a test says so."""

    def __init__(self) -> None:
        self.heard_at: float | None = 0.0
        self.data = False

    def fileno(self) -> int:
        raise AssertionError("the layer itself knows what waits")

    def read(self) -> bytes:
        raise AssertionError("nothing is read here")

    def has_data(self) -> bool:
        return self.data


def test_what_a_layer_cannot_pass_on_yet_is_no_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a slow link a large batch takes longer than the limit."""
    now = 0.0
    monkeypatch.setattr("playstream.pipeline.io.liveness.time.monotonic", lambda: now)
    layer = _Layer()
    liveness = Liveness("the worker", 10, layer)
    liveness.mark_alive()
    now = layer.heard_at = 9.0
    assert liveness.time_left == 10
    now = 20.0
    layer.data = True
    liveness.check()
    layer.data = False
    with pytest.raises(SilentPeer, match="the worker has been silent for 10 seconds"):
        liveness.check()
    layer.heard_at = None
    liveness.check()
    assert liveness.time_left is None


def test_what_a_layer_takes_from_the_link_meanwhile_is_no_silence() -> None:
    class Taking(_Layer):
        def has_data(self) -> bool:
            """Return False, because the layer's thread has just taken it."""
            self.heard_at = math.inf
            return False

    Liveness("the worker", AT_ONCE, Taking()).check()


PIECE = 1 << 16


def test_who_takes_a_little_at_a_time_is_not_lost(pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """One write of a large frame may take longer than the limit on a slow link."""
    now = 0.0
    monkeypatch.setattr("playstream.pipeline.io.liveness.time.monotonic", lambda: now)
    delivery = WatchedWriter(pipe[1], "the worker", 1, None)
    lost: list[SilentPeer] = []

    def write() -> None:
        try:
            delivery.write(bytes(16 * PIECE))
        except SilentPeer as error:
            lost.append(error)

    def is_waiting() -> bool:
        return delivery._waiting_since == now and size_of(pipe[0]) == PIECE

    thread = threading.Thread(target=write)
    thread.start()
    for _ in range(8):
        wait_until(is_waiting)
        now += PATIENCE
        delivery.check()
        assert len(os.read(pipe[0], PIECE)) == PIECE
    wait_until(is_waiting)
    now += PATIENCE + 1
    with pytest.raises(SilentPeer, match="the worker has read nothing for 5 seconds"):
        delivery.check()
    os.read(pipe[0], PIECE)
    thread.join()
    assert lost, "who has given up may close the link, so nothing more is written there"


def test_room_in_the_link_is_taken(pipe: tuple[int, int]) -> None:
    """A process that was stopped finds the limit passed and has not yet written what the other side waits for."""
    delivery = WatchedWriter(pipe[1], "the worker", AT_ONCE, None)
    delivery._waiting_since = 0.0
    delivery.check()
    os.write(pipe[1], bytes(PIECE))
    with pytest.raises(SilentPeer):
        delivery.check()


def size_of(fd: int) -> int:
    """Bytes that wait in a pipe."""
    size = array.array("i", [0])
    fcntl.ioctl(fd, termios.FIONREAD, size)
    return size[0]
