"""What waits for the other side of a link, and what does not: opening it, and its end."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from playstream.links.exchange import Exchange
from playstream.links.opening import open_link
from playstream.links.program import ProgramLink
from playstream.pipeline.errors import IncompleteStream, PlaystreamError, SilentPeer, UnreachableHost
from playstream.pipeline.io.cancellation import Cancellation
from playstream.pipeline.protocol import Job, Record
from playstream.process.receiving import STOP_SECONDS
from tests.processes import wait_until


class Pipes:
    """An open link whose other side is this test."""

    def __init__(self) -> None:
        self.reader, self.theirs = os.pipe()
        self.job, self.writer = os.pipe()
        self.waits: list[bool] = []
        """How `end` was called."""
        self.closed = False

    def note_sent(self, size: int) -> None:
        pass

    def end(self, *, wait: bool) -> None:
        self.waits.append(wait)
        if self.job >= 0:
            os.close(self.job)
            self.job = -1

    def explain(self, error: PlaystreamError, *, answered: bool) -> PlaystreamError:  # noqa: ARG002 - as every link
        return error

    def close(self) -> None:
        self.closed = True
        os.close(self.reader)
        os.close(self.writer)

    def hang_up(self) -> None:
        """End the stream of the results."""
        if self.theirs >= 0:
            os.close(self.theirs)
            self.theirs = -1


def test_the_memory_for_messages(caplog: pytest.LogCaptureFixture) -> None:
    """Each piece is at most as long as what is kept."""
    caplog.set_level("INFO", "playstream")
    link = ProgramLink("exec:x", ["sh", "-c", "yes | tr -d '\\n' | head -c 100000 >&2"]).open()
    with closing(link):
        link.end(wait=True)
    sizes = [len(record.getMessage()) for record in caplog.records]
    assert sum(sizes) >= 100_000
    assert max(sizes) < 17_000


class SlowLink:
    """A link that opens when it is told to.

    Args:
        opened: what it opens.
        error: why it cannot be opened.
    """

    name = "slow:"

    def __init__(self, opened: Pipes, error: UnreachableHost | None = None) -> None:
        self._opened = opened
        self._error = error
        self.begun = threading.Event()
        self.may_open = threading.Event()

    def open(self, _cancellation: Cancellation | None = None, /) -> Pipes:
        self.begun.set()
        self.may_open.wait()
        if self._error is not None:
            raise self._error
        return self._opened


@pytest.fixture
def pipes() -> Iterator[Pipes]:
    """An open link; its ends are closed at last."""
    found = Pipes()
    yield found
    found.hang_up()
    found.end(wait=False)
    if not found.closed:
        found.close()


@pytest.fixture
def cancellation() -> Iterator[Cancellation]:
    """A cancellation that nobody has requested yet."""
    with closing(Cancellation()) as found:
        yield found


def test_a_cancel_does_not_wait_for_a_link_that_opens(pipes: Pipes, cancellation: Cancellation) -> None:
    """What it opens later is closed."""
    link = SlowLink(pipes)
    cancellation.request("enough")
    assert open_link(link, cancellation) is None
    assert not pipes.closed
    link.may_open.set()
    wait_until(lambda: pipes.closed)
    assert pipes.waits == [False]


def test_a_link_that_opens_before_a_cancel(pipes: Pipes, cancellation: Cancellation) -> None:
    link = SlowLink(pipes)
    link.may_open.set()
    assert open_link(link, cancellation) is pipes
    assert (pipes.waits, pipes.closed) == ([], False)


def test_a_link_that_cannot_be_opened(pipes: Pipes, cancellation: Cancellation) -> None:
    link = SlowLink(pipes, UnreachableHost("nobody there"))
    link.may_open.set()
    with pytest.raises(UnreachableHost, match="nobody there"):
        open_link(link, cancellation)


class Source:
    """A job without a tree."""

    def records(self) -> Iterator[Record]:
        yield Job("x", playbook="x.yml")


class Sink:
    """Takes records."""

    def put_when_room(self, record: object) -> None:
        pass


def exchange(pipes: Pipes, cancellation: Cancellation, liveness_seconds: float) -> PlaystreamError | None:
    link = SlowLink(pipes)
    link.may_open.set()
    return Exchange(Source(), link, {"liveness_seconds": liveness_seconds}, Sink(), cancellation).run()


def test_a_silent_side_is_not_waited_for(pipes: Pipes, cancellation: Cancellation) -> None:
    assert isinstance(exchange(pipes, cancellation, 0.01), SilentPeer)
    assert pipes.waits[0] is False


def test_a_side_that_does_not_report_after_a_cancel_is_not_waited_for_again(
    pipes: Pipes, cancellation: Cancellation
) -> None:
    cancellation.request("enough")
    assert cancellation.requested_at is not None
    cancellation.requested_at -= STOP_SECONDS
    assert exchange(pipes, cancellation, 0.0) is None
    assert pipes.waits[0] is False


def test_a_side_that_has_hung_up_may_say_how_it_ended(pipes: Pipes, cancellation: Cancellation) -> None:
    pipes.hang_up()
    assert isinstance(exchange(pipes, cancellation, 0.0), IncompleteStream)
    assert pipes.waits[0] is True
