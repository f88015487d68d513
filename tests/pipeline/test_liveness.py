"""Silence is counted only while nothing waits to be read."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from playstream.pipeline.dialect import Dialect, PieceReader
from playstream.pipeline.errors import SilentPeer
from playstream.pipeline.links.read_ahead import ReadAhead
from playstream.pipeline.liveness import Liveness
from playstream.pipeline.protocol import FrameReader

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
    liveness = Liveness("the worker", AT_ONCE)
    os.write(pipe[1], b"x")
    liveness.check(pipe[0])
    os.read(pipe[0], 1)
    with pytest.raises(SilentPeer):
        liveness.check(pipe[0])


def test_what_the_thread_has_not_read_yet_is_no_silence(pipe: tuple[int, int]) -> None:
    def choose(_dialect: Dialect) -> FrameReader:
        raise AssertionError("nothing is read here")

    reader = _Late(pipe[0], PieceReader(choose), Liveness("the transmit stage", AT_ONCE))
    try:
        reader._thread.join()
        os.write(pipe[1], b"x")
        reader.check()
        os.read(pipe[0], 1)
        with pytest.raises(SilentPeer):
            reader.check()
    finally:
        reader.close()
