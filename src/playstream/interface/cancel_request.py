"""A request to end a run, made by any thread, before the run begins or while it goes on."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

from playstream.pipeline.errors import ConfigurationError
from playstream.pipeline.io.cancellation import Cancellation


class CancelRequest:
    """Passes a request on to the run, when there is one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._reason: str | None = None
        self._cancellation: Cancellation | None = None

    def make(self, reason: str) -> None:
        """Ask for the end. Of several reasons the first counts."""
        with self._lock:
            self._reason = self._reason or reason
            if self._cancellation is not None:
                self._cancellation.request(reason)

    @contextmanager
    def heard(self) -> Iterator[Cancellation]:
        """What the run looks at while the context lasts; it is told of an earlier request at once.

        Raises:
            ConfigurationError: there is a run already.
        """
        with closing(Cancellation()) as cancellation:
            with self._lock:
                if self._cancellation is not None:
                    raise ConfigurationError(
                        "this run goes on, so it cannot be started again, by one of its handlers or another thread. "
                        "Wait for its end, or make an object of its own for another run"
                    )
                self._cancellation = cancellation
                if self._reason is not None:
                    cancellation.request(self._reason)
            try:
                yield cancellation
            finally:
                with self._lock:
                    self._cancellation = self._reason = None
