"""What the worker at the other end of a two-way link knows, for what is only sent to a worker that knows it.

A worker says so in its Hello, as soon as it has started; one of minor version 0 says nothing until the job runs. But
every worker sends a Log record of the job back at once. So whoever has to know waits for one of the two.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

from playstream.pipeline.io.cancellation import LOOK_SECONDS, Cancellation
from playstream.pipeline.protocol import Heartbeat, Hello, Log, LogLevel, Noise, Record

_ECHO = Log(LogLevel.INFO, "playstream: a worker that sends this back and has sent no Hello is of minor version 0")


class Greeting:
    """Waits for the Hello of a worker.

    Args:
        cancellation: a request to cancel the job, which ends the wait.
        ended: set when no more results will arrive, which ends it too.
    """

    def __init__(self, cancellation: Cancellation, ended: threading.Event) -> None:
        self._cancellation = cancellation
        self._ended = ended
        self._answered = threading.Event()
        """Set when it is known which records the worker knows."""
        self._asked = False
        self.hello: Hello | None = None
        """What the worker has said; None if nothing, so that it knows only what minor version 0 has."""
        self.comes_late: Callable[[], bool] = lambda: False
        """Returns True if results in one encrypted file arrive at the end, so that nothing is known before."""

    def knows(self, *kinds: type) -> bool:
        """Return whether the worker knows records of the job direction."""
        return self.hello is not None and {kind.__name__ for kind in kinds} <= set(self.hello.records)

    def note(self, record: Record | Noise) -> bool:
        """Note a record of the results; return True if it is only the answer to this side."""
        if isinstance(record, Hello):
            self.hello = record
        if not isinstance(record, Noise):
            self._answered.set()
        return record == _ECHO

    @property
    def ended(self) -> bool:
        """True if no more results will arrive."""
        return self._ended.is_set()

    def ask(self) -> Iterator[Record]:
        """Yield what the worker answers, unless it is known what the worker knows."""
        if not self._answered.is_set() and not self._asked:
            self._asked = True
            yield _ECHO
            yield Heartbeat()  # everything before it is sent now

    def wait(self) -> Iterator[Record]:
        """Yield what is sent first, and wait until it is known what the worker knows."""
        yield from self.ask()
        while not (self._answered.wait(LOOK_SECONDS) or self.ended or self._cancellation.reason or self.comes_late()):
            pass
