"""The user's terminal at the sender's end of a link: what the worker learns of it, and when.

Ansible reads the size of its terminal once, when it starts. So it has to be known before the job is complete, and it is
sent only to a worker that knows the record. So the last record of the job is held back until that is known.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from playstream.pipeline.protocol import Input, Job, Prompt, Record, Resize, TreeEnd
from playstream.transmit.greeting import Greeting
from playstream.transmit.sending import Companion, JobSource


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
        greeting: what the worker knows.
    """

    def __init__(self, user: User, source: JobSource, greeting: Greeting) -> None:
        self._user = user
        self._source = source
        self._greeting = greeting

    @property
    def companion(self) -> User | None:
        """The user's terminal, if the worker may ask there."""
        return self._user if self._greeting.knows(Input, Resize) else None

    def records(self) -> Iterator[Record]:
        """Yield the job and its tree.

        Raises:
            PlaystreamError: as the source.
        """
        for record in self._source.records():
            if isinstance(record, TreeEnd) or (isinstance(record, Job) and not record.tree):
                yield from self._greeting.wait()
                if self.companion is not None:
                    yield self._user.state()
            yield record
