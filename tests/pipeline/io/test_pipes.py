"""What a pipe holds, as far as its user may say."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from playstream.pipeline.io.stdio import enlarge_pipe


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for fd in ends:
        os.close(fd)


def test_it_holds_what_was_asked_for(pipe: tuple[int, int]) -> None:
    assert enlarge_pipe(pipe[1], 1 << 17) == fcntl.fcntl(pipe[0], fcntl.F_GETPIPE_SZ) == 1 << 17


def test_where_its_size_stays_that_is_told(pipe: tuple[int, int]) -> None:
    """The kernel refuses a size below what is in the pipe, as it refuses one above a user's limit."""
    fcntl.fcntl(pipe[1], fcntl.F_SETPIPE_SZ, 1 << 14)
    os.write(pipe[1], bytes(1 << 13))
    assert enlarge_pipe(pipe[1], 1 << 12) == 1 << 14


def test_of_no_pipe_the_usual_size_is_told() -> None:
    with Path(os.devnull).open("rb") as file:
        assert enlarge_pipe(file.fileno()) == 1 << 16
