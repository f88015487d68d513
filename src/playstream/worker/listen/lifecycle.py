"""The life of a listening worker: signals, draining, and the end."""

from __future__ import annotations

import resource
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import IntEnum

from playstream.pipeline.errors import ConfigurationError, counted
from playstream.worker.listen.entrance import Entrance
from playstream.worker.listen.event_log import EventLog
from playstream.worker.listen.server import Server
from playstream.worker.listen.service import Service

END_SECONDS = 10.0
"""How long workers may take to cancel their jobs and deliver the results, before they are killed."""
_KILL_SECONDS = 3.0
"""How long to wait for workers that were killed."""
_LEAVE_SECONDS = 5.0
"""How long connections without a worker may take their last bytes at the end."""
_MAX_OPEN_FILES = 1 << 16
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class _Phase(IntEnum):
    SERVING = 0
    DRAINING = 1
    """Active jobs may end."""
    ENDING = 2
    """Active jobs were canceled."""
    KILLING = 3


class Lifecycle:
    """Turns a server until it is told to end.

    SIGTERM drains, and a second one, or SIGINT, ends the jobs at once; one after that kills the workers. SIGHUP reads
    certificates again.

    Args:
        server: what to turn.
        entrance: whose files SIGHUP reads.
        service: the service manager.
        log: takes events.
        drain_seconds: how long active jobs may go on after SIGTERM.
        release: stops listening, and removes the socket's file.
    """

    def __init__(
        self,
        server: Server,
        entrance: Entrance,
        service: Service,
        log: EventLog,
        drain_seconds: float,
        release: Callable[[], None],
    ) -> None:
        self._server = server
        self._entrance = entrance
        self._service = service
        self._log = log
        self._drain_seconds = drain_seconds
        self._release = release
        self._phase = _Phase.SERVING
        self._deadline: float | None = None
        """When the phase ends."""
        self._leave_until = 0.0
        """When connections without a worker are closed at the end."""
        self._received: list[int] = []

    def run(self, status: str) -> None:
        """Serve until the end.

        Args:
            status: one line about what is served, for the service manager.
        """
        with self._heed_signals():
            self._service.ready(status)
            while not self._is_over():
                self._service.beat()
                self._server.turn(self._patience())
                while self._received:
                    self._take(self._received.pop(0), status)
                if self._deadline is not None and time.monotonic() >= self._deadline:
                    self._next_phase()
        self._server.close()
        self._log.write("stopped")

    def _is_over(self) -> bool:
        if self._phase is _Phase.SERVING:
            return False
        if self._server.jobs:
            return self._phase is _Phase.KILLING and self._deadline is not None and time.monotonic() >= self._deadline
        return self._phase is _Phase.KILLING or not len(self._server.watch) or time.monotonic() >= self._leave_until

    def _patience(self) -> float | None:
        waits = [] if self._service.interval is None else [self._service.interval]
        if self._phase is not _Phase.SERVING:
            waits.append(0.25)
        return min(waits, default=None)

    def _take(self, number: int, status: str) -> None:
        if number == signal.SIGHUP:
            self._reload(status)
        elif self._phase is _Phase.SERVING:
            self._drain(number)
        else:
            self._next_phase()

    def _drain(self, number: int) -> None:
        at_once = number == signal.SIGINT or not self._drain_seconds
        jobs = counted(len(self._server.jobs), "job")
        self._service.stopping(f"waiting for {jobs}")
        self._log.write("draining", active=jobs, seconds=0.0 if at_once else self._drain_seconds)
        self._phase = _Phase.DRAINING
        self._leave_until = time.monotonic() + _LEAVE_SECONDS
        self._deadline = time.monotonic() + (0.0 if at_once else self._drain_seconds)
        self._server.stop_accepting()
        self._release()

    def _next_phase(self) -> None:
        """End the jobs, and then kill the workers."""
        self._phase = _Phase(min(self._phase + 1, _Phase.KILLING))
        killing = self._phase is _Phase.KILLING
        for served in self._server.jobs:
            self._log.write(
                "killed" if killing else "canceled", job=served.ident, who=served.who, pid=served.worker.pid
            )
            served.worker.signal(signal.SIGKILL if killing else signal.SIGTERM)
            if killing:
                served.lose()
        self._deadline = time.monotonic() + (_KILL_SECONDS if killing else END_SECONDS)
        self._leave_until = time.monotonic() + _LEAVE_SECONDS

    def _reload(self, status: str) -> None:
        self._service.reloading()
        try:
            what = self._entrance.reload()
        except ConfigurationError as error:
            self._log.write("reload-failed", reason=f"{error}. The earlier files stay in use")
        else:
            self._log.write("reloaded", certificate=what)
        if self._phase is _Phase.SERVING:
            self._service.ready(status)

    @contextmanager
    def _heed_signals(self) -> Iterator[None]:
        """Note signals, and wake the server when one arrives."""
        news, tell = socket.socketpair()
        for end in (news, tell):
            end.setblocking(False)
        self._server.watch.call(news.fileno(), lambda: news.recv(4096))
        earlier = {number: signal.signal(number, lambda got, _frame: self._received.append(got)) for number in _SIGNALS}
        before = signal.set_wakeup_fd(tell.fileno(), warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(before)
            for number, handler in earlier.items():
                signal.signal(number, handler)
            news.close()
            tell.close()


def raise_open_files() -> tuple[int, int]:
    """Allow this process as many open files as it may have. Return the limits before, for the workers."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MAX_OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, _MAX_OPEN_FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    return soft, hard
