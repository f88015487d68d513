"""The user's terminal at the sender's end of a link: what the worker learns of it, and when.

Ansible reads the size of its terminal once, when it starts. So it has to be known before the job is complete, and it is
sent only to a worker that knows the record. A worker says so in its Hello, as soon as it has started; one of minor
version 0 says nothing until the job runs. But every worker sends a Log record of the job back at once. So the last
record of the job is held back until one of the two has arrived.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Protocol

from playstream.pipeline.io.cancellation import LOOK_SECONDS, Cancellation
from playstream.pipeline.io.stdio import InputLayer
from playstream.pipeline.protocol import (
    Heartbeat,
    Hello,
    Input,
    Job,
    Log,
    LogLevel,
    Noise,
    Prompt,
    Record,
    Resize,
    TreeEnd,
)
from playstream.transmit.sending import Companion, JobSource

_ECHO = Log(LogLevel.INFO, "playstream: a worker that sends this back and has sent no Hello is of minor version 0")
_NEEDED = {Input.__name__, Resize.__name__}


class User(Companion, Protocol):
    """The user's terminal."""

    def state(self) -> Resize:
        """Return its size and state, and note that they were sent."""

    def take(self, prompt: Prompt) -> None:
        """Show what the worker asks, and take keys for it."""


class Introduction:
    """Yields the records of a job, with the size of the user's terminal if the worker knows that record.

    Args:
        user: the user's terminal.
        source: the job.
        cancellation: a request to cancel it, which ends the wait.
        ended: set when no more results will arrive.
    """

    def __init__(self, user: User, source: JobSource, cancellation: Cancellation, ended: threading.Event) -> None:
        self._user = user
        self._source = source
        self._cancellation = cancellation
        self._ended = ended
        self._answered = threading.Event()
        """Set when it is known which records the worker knows."""
        self._known = False
        self.reader: int | InputLayer = -1
        """Where the results come from."""

    @property
    def companion(self) -> User | None:
        """The user's terminal, if the worker may ask there."""
        return self._user if self._known else None

    def note(self, record: Record | Noise) -> bool:
        """Note a record of the results; return True if it is only the answer to this side."""
        if isinstance(record, Hello):
            self._known = set(record.records) >= _NEEDED
        if not isinstance(record, Noise):
            self._answered.set()
        return record == _ECHO

    def records(self) -> Iterator[Record]:
        """Yield the job and its tree.

        Raises:
            PlaystreamError: as the source.
        """
        for record in self._source.records():
            if isinstance(record, TreeEnd) or (isinstance(record, Job) and not record.tree):
                yield from self._introduce()
            yield record

    def _introduce(self) -> Iterator[Record]:
        """Wait until it is known what the worker knows, and yield the size of the terminal."""
        if not self._answered.is_set():
            yield _ECHO
            yield Heartbeat()  # everything before it is sent now
        while not (self._answered.wait(LOOK_SECONDS) or self._ended.is_set() or self._cancellation.reason):
            if not isinstance(self.reader, int) and self.reader.heard_at is None:
                break  # results in one encrypted file arrive at the end, as those of a worker of minor version 0
        if self._known:
            yield self._user.state()
