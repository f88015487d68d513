"""The Hello that a native connection gets at once, although its worker starts only when its job has arrived.

The greeting is byte for byte what the worker sends first, so it is dropped from what the worker sends. If that is
something else, because playstream was updated under the running listener, nothing of the job has started: a worker
whose client was greeted waits until its own greeting was seen.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from playstream.pipeline.io.channels import Source
from playstream.pipeline.limits import Limits
from playstream.pipeline.protocol import Hello, Sender
from playstream.pipeline.protocol.order import Direction
from playstream.worker.hello import make_hello

_FRESH_SECONDS = 5.0
"""How long a greeting is used before the versions are looked up again."""


@dataclass(frozen=True, slots=True)
class Greeting:
    """The first bytes of a stream of results."""

    hello: Hello
    data: bytes


class Greeter:
    """Makes greetings.

    Args:
        limits: the limits of the workers.
        max_job_seconds: their limit of time.
        enabled: whether connections are greeted; not if the results are encrypted.
        has_cache: whether the workers have a cache.
    """

    def __init__(self, limits: Limits, max_job_seconds: float | None, *, enabled: bool, has_cache: bool) -> None:
        self._limits = limits
        self._max_job_seconds = max_job_seconds
        self._has_cache = has_cache
        self.enabled = enabled
        """Whether connections are greeted before they have a worker."""
        self._current: Greeting | None = None
        self._until = 0.0

    @property
    def current(self) -> Greeting:
        """What workers say first."""
        if self._current is None or time.monotonic() > self._until:
            hello = make_hello(self._limits, self._max_job_seconds, has_cache=self._has_cache)
            self._current = Greeting(hello, Sender(Direction.RESULT).send(hello))
            self._until = time.monotonic() + _FRESH_SECONDS
        return self._current


class WithoutGreeting:
    """A worker's output without the greeting that the client has already.

    Args:
        source: the output.
        greeting: what it has to begin with.
    """

    def __init__(self, source: Source, greeting: bytes) -> None:
        self._source = source
        self._missing = greeting
        self.differs = False
        """Whether it begins with something else. Nothing of it is passed on then."""

    @property
    def seen(self) -> bool:
        """Whether the whole greeting has arrived."""
        return not self._missing and not self.differs

    def receive(self, size: int) -> bytes | None:
        """Return what follows the greeting; see Source."""
        while self._missing and not self.differs:
            data = self._source.receive(len(self._missing))
            if not data:
                return data
            self.differs = not self._missing.startswith(data)
            self._missing = self._missing[len(data) :]
        return b"" if self.differs else self._source.receive(size)
