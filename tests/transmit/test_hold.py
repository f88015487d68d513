"""While transmit waits for the worker, it sends what its companion has, and a wake-up is not work for ever."""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Iterator

import pytest

from playstream.pipeline.io.cancellation import Cancellation, Waker
from playstream.pipeline.io.stdio import Connection, has_input
from playstream.pipeline.protocol import NEED_DATA, Cancel, End, Heartbeat, Input, Job, Noise, Receiver, Record, Resize
from playstream.pipeline.protocol.order import Direction
from playstream.transmit.sending import transmit
from tests.processes import wait_until


class Source:
    def records(self) -> Iterator[Record]:
        yield Job("a", playbook="b.yml")


class Keys:
    """A companion whose records come from a pipe, a byte each."""

    def __init__(self, source: int) -> None:
        self.changed = Waker()
        self.keys = source
        self.source: int | None = None
        self.started = self.stopped = False
        self.paused = threading.Event()

    def fileno(self) -> int:
        return self.changed.fileno()

    def start(self) -> None:
        self.started = True
        self.paused.clear()

    def pause(self) -> None:
        self.paused.set()

    def records(self) -> Iterator[Record]:
        self.changed.acknowledge()
        if self.source is not None and has_input(self.source):
            yield Input(1, os.read(self.source, 1))

    def stop(self) -> None:
        self.stopped = True

    def ask(self, *, asks: bool) -> None:
        self.source = self.keys if asks else None
        self.changed.wake()


class Worker:
    """Reads what transmit writes, in this thread."""

    def __init__(self, reader: int) -> None:
        self._reader = reader
        self._receiver = Receiver(Direction.JOB)

    def next(self) -> Record | Noise:
        while True:
            while (record := self._receiver.next_record()) is not NEED_DATA:
                if not isinstance(record, Heartbeat):
                    return record
            self._receiver.receive_data(os.read(self._reader, 1 << 16))


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


@pytest.fixture
def typing() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


def test_keys_are_sent_while_they_are_asked_for(pipe: tuple[int, int], typing: tuple[int, int]) -> None:
    cancellation, keys, worker = Cancellation(), Keys(typing[0]), Worker(pipe[0])
    sending = threading.Thread(
        target=transmit,
        args=(Source(), Connection(writer=pipe[1])),
        kwargs={"cancellation": cancellation, "hold": True, "companion": lambda: keys},
    )
    sending.start()
    assert isinstance(worker.next(), Job)
    os.write(typing[1], b"x")
    keys.ask(asks=True)
    assert worker.next() == Input(1, b"x")
    os.write(typing[1], b"y")
    assert worker.next() == Input(1, b"y")
    keys.ask(asks=False)
    wait_until(lambda: not has_input(keys.fileno()))
    os.write(typing[1], b"z")
    keys.changed.wake()
    wait_until(lambda: not has_input(keys.fileno()))
    cancellation.request("enough")
    assert [worker.next(), type(worker.next())] == [Cancel("enough"), End]
    sending.join()
    assert keys.started
    assert keys.stopped
    assert has_input(typing[0])
    cancellation.close()
    keys.changed.close()


class Busy(Keys):
    """It always has something to send."""

    def records(self) -> Iterator[Record]:
        yield Input(1, bytes(4096))
        self.changed.wake()


def test_keys_are_not_taken_while_the_worker_reads_nothing(pipe: tuple[int, int], typing: tuple[int, int]) -> None:
    """The companion hears of it, so that Ctrl-C is a signal meanwhile, and when the worker reads again."""
    cancellation, keys, worker = Cancellation(), Busy(typing[0]), Worker(pipe[0])
    sending = threading.Thread(
        target=transmit,
        args=(Source(), Connection(writer=pipe[1])),
        kwargs={"cancellation": cancellation, "hold": True, "companion": lambda: keys},
    )
    sending.start()
    keys.changed.wake()
    assert keys.paused.wait(60)
    while keys.paused.is_set():
        worker.next()
    cancellation.request("enough")
    while worker.next() != Cancel("enough"):
        pass
    assert type(worker.next()) is End
    sending.join()
    cancellation.close()
    keys.changed.close()


def test_a_wake_up_without_a_request_is_over(pipe: tuple[int, int]) -> None:
    """As by a change of the terminal's size: waiting does not keep a processor busy after it."""
    cancellation = Cancellation()
    sending = threading.Thread(
        target=transmit,
        args=(Source(), Connection(writer=pipe[1])),
        kwargs={"cancellation": cancellation, "hold": True},
    )
    sending.start()
    assert isinstance(Worker(pipe[0]).next(), Job)
    for _ in range(3):
        cancellation.wake()
        wait_until(lambda: not has_input(cancellation.fileno()))
    cancellation.request("enough")
    sending.join()
    cancellation.close()


def test_resize_does_not_wait_for_a_full_frame(pipe: tuple[int, int]) -> None:
    """The end of the job is held back until it is known what the worker knows, so what is before it must arrive."""
    go = threading.Event()

    class Held:
        def records(self) -> Iterator[Record]:
            yield Resize(24, 80)
            go.wait()
            yield Job("a")

    sending = threading.Thread(target=transmit, args=(Held(), Connection(writer=pipe[1])))
    sending.start()
    worker = Worker(pipe[0])
    assert worker.next() == Resize(24, 80)
    assert not select.select([pipe[0]], [], [], 0)[0]
    go.set()
    assert [type(worker.next()), type(worker.next())] == [Job, End]
    sending.join()
