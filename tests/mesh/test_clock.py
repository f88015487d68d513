"""The dead-man's clock of a worker: only a moment that is new enough lets a job run on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playstream.pipeline.errors import NodeLost
from playstream.pipeline.io.cancellation import Cancellation
from playstream.worker import clock
from playstream.worker.clock import MOMENT, DeadMansClock

SECONDS = 4.0


class Host:
    """A clock that the test sets, and the node's end of the pipe."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.reading_end, self.writing_end = os.pipe()

    def feed(self, data: bytes) -> None:
        os.write(self.writing_end, data)

    def close(self) -> None:
        for fd in (self.reading_end, self.writing_end):
            if fd >= 0:
                os.close(fd)


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    made = Host()
    monkeypatch.setattr(clock, "now", lambda: made.now)
    yield made
    made.close()


def reason(watched: DeadMansClock) -> str | None:
    with closing(Cancellation()) as cancellation:
        watched.check(cancellation)
        assert (cancellation.reason is None) == (cancellation.error is None)
        assert cancellation.error is None or isinstance(cancellation.error, NodeLost)
        return cancellation.reason


def test_a_job_runs_while_the_node_has_contact(host: Host) -> None:
    watched = DeadMansClock(host.reading_end, SECONDS)
    for _ in range(10):
        host.now += 3
        host.feed(MOMENT.pack(host.now))
        assert reason(watched) is None


def test_a_job_ends_when_the_node_has_no_contact(host: Host) -> None:
    watched = DeadMansClock(host.reading_end, SECONDS)
    host.now += SECONDS
    assert reason(watched) is None
    host.now += 0.5
    assert str(reason(watched)).startswith("the node has had no contact to the mesh for 4.5 seconds, or is frozen")


def test_it_counts_from_the_contact_and_not_from_when_the_worker_hears_of_it(host: Host) -> None:
    watched = DeadMansClock(host.reading_end, SECONDS)
    host.feed(MOMENT.pack(host.now))
    host.now += 5
    assert reason(watched) is not None


def test_a_host_that_was_frozen_ends_its_jobs_first(host: Host) -> None:
    watched = DeadMansClock(host.reading_end, SECONDS)
    host.feed(MOMENT.pack(host.now))
    assert reason(watched) is None
    host.now += 3600
    assert "3600.0 seconds" in str(reason(watched))


def test_a_node_that_dies_ends_its_jobs(host: Host) -> None:
    watched = DeadMansClock(host.reading_end, SECONDS)
    os.close(host.writing_end)
    host.writing_end = -1
    assert reason(watched) == "the node of the mesh was killed, so its worker has ended the job"


def test_the_pipe_is_for_the_worker_alone(host: Host) -> None:
    os.set_inheritable(host.reading_end, True)
    DeadMansClock(host.reading_end, SECONDS)
    assert not os.get_inheritable(host.reading_end)


@given(moments=st.lists(st.floats(0, 1e6), min_size=1, max_size=50), sizes=st.lists(st.integers(1, 40), min_size=1))
def test_the_latest_moment_counts_however_its_bytes_arrive(moments: list[float], sizes: list[int]) -> None:
    made = Host()
    before, clock.now = clock.now, lambda: made.now
    try:
        made.now = 0.0
        watched = DeadMansClock(made.reading_end, SECONDS)
        data = b"".join(map(MOMENT.pack, moments))
        while data:
            size = sizes[len(data) % len(sizes)]
            made.feed(data[:size])
            data = data[size:]
            reason(watched)
        made.now = max(moments) + SECONDS
        assert reason(watched) is None
        made.now += 1
        assert reason(watched) is not None
    finally:
        clock.now = before
        made.close()
