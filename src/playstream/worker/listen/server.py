"""The loop of a listening worker: one thread waits for all connections and workers."""

from __future__ import annotations

import errno
import select
import signal
import socket
import time
from collections import deque
from collections.abc import Mapping, Sequence
from functools import partial

from playstream.pipeline.errors import JobError, PlaystreamError, WorkerBusy, WorkerNotFound, counted
from playstream.pipeline.io.channels import SocketChannel
from playstream.pipeline.io.liveness import PATIENCE
from playstream.worker.listen.admission import Admission
from playstream.worker.listen.entrance import Entrance
from playstream.worker.listen.event_log import EventLog
from playstream.worker.listen.greeting import Greeter
from playstream.worker.listen.options import ListenOptions
from playstream.worker.listen.refusal import refusal
from playstream.worker.listen.served import Served, WorkerProcess
from playstream.worker.listen.waiting import Leaving, Waiting
from playstream.worker.listen.watch import Party, Watch

_ACCEPTED = 64
"""Connections that are accepted at once."""
_LEAVE_SECONDS = 5.0
"""How long a refused connection may take its refusal."""
_CHANGED = "playstream was updated on the host of the worker, or Ansible was: try again, and restart the listener"
_SHUTTING_DOWN = "the worker is shutting down: try again later"
_TICK_SECONDS = 0.25
"""How often deadlines are looked at."""
_MAX_HELD = 1 << 27
"""Bytes of all connections whose job is not complete: 128 MiB, or two of the largest jobs."""


class Server:
    """Accepts connections and starts workers.

    Args:
        sockets: the listening sockets.
        entrance: decides who may connect.
        options: see ListenOptions.
        greeter: makes the beginning of every stream of results.
        env: the environment of the workers.
        log: takes events.
    """

    def __init__(
        self,
        sockets: Sequence[socket.socket],
        entrance: Entrance,
        options: ListenOptions,
        greeter: Greeter,
        env: Mapping[str, str],
        log: EventLog,
    ) -> None:
        self._entrance = entrance
        self._options = options
        self._greeter = greeter
        self._env = env
        self._log = log
        self.watch = Watch()
        """What is waited for."""
        self._listening = list(sockets)
        self._busy: set[Party] = set()
        """Those with more to do at once."""
        self._running: set[Served] = set()
        self._queue: deque[Served] = deque()
        self._held = 0
        """Bytes of all connections whose job is not complete."""
        self._max_held = max(_MAX_HELD, 2 * options.limits.max_record_bytes)
        self._next_tick = 0.0
        self._paused = False
        for sock in self._listening:
            sock.setblocking(False)
            self.watch.call(sock.fileno(), partial(self._accept, sock), last=True)

    @property
    def jobs(self) -> list[Served]:
        """The connections that have a worker."""
        return [party for party in self.watch if isinstance(party, Served)]

    def turn(self, seconds: float | None) -> None:
        """Wait at most so many seconds until something happens, and do what follows from it."""
        if len(self.watch):
            seconds = _TICK_SECONDS if seconds is None else min(seconds, _TICK_SECONDS)
        if self._busy:
            seconds = 0
        busy, self._busy = self._busy, set()
        for party, fd, events in self.watch.wait(seconds):
            busy.discard(party)
            self._handle(party, fd, events)
        for party in busy:
            if party in self.watch:
                self._advance(party)
        if time.monotonic() >= self._next_tick:
            self._next_tick = time.monotonic() + _TICK_SECONDS
            self._tick()

    def stop_accepting(self) -> None:
        """Accept no more connections, and refuse those whose job is not complete or waits for a slot."""
        for sock in self._listening:
            self.watch.drop(sock.fileno())
        self._listening.clear()
        for party in self.watch:
            if isinstance(party, Waiting):
                party.refuse(WorkerBusy(_SHUTTING_DOWN))
                self._advance_waiting(party)
        for served in list(self._queue):
            served.worker.signal(signal.SIGTERM)

    def close(self) -> None:
        """Close all connections. Workers that are left are told, and end their jobs."""
        for party in self.watch:
            if isinstance(party, Served):
                party.lose()
            else:
                party.channel.close()
        self.watch.close()

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(_ACCEPTED):
            try:
                sock, place = listening.accept()
            except (BlockingIOError, ConnectionError):
                return
            except OSError as error:
                if error.errno not in {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}:
                    raise
                if not self._drop_oldest("this host has no room for more open files"):
                    self._pause()
                    return
                continue
            self._enter(sock, f"{place[0]}:{place[1]}" if isinstance(place, tuple) else None)

    def _enter(self, sock: socket.socket, address: str | None) -> None:
        try:
            channel = self._entrance.accept(sock)
        except OSError:
            sock.close()  # the other side has gone already
            return
        now = time.monotonic()
        seconds = self._options.arrival_seconds
        admission = Admission(
            self._options.limits.max_record_bytes, self._options.identities, greets=self._greeter.enabled
        )
        deadline = now + seconds if seconds else float("inf")
        party = Waiting(channel, self._entrance, admission, now, deadline, address, self._greeter)
        self.watch.add(party)
        self._advance(party)
        waiting = len(self.watch) - len(self._running) - len(self._queue)
        if waiting > self._options.max_connections:
            self._drop_oldest("too many connections have not sent a job")

    def _pause(self) -> None:
        """Accept nothing until the next tick."""
        self._paused = True
        for sock in self._listening:
            self.watch.pause(sock.fileno(), paused=True)

    def _drop_oldest(self, why: str) -> bool:
        """Close the oldest connection that is not served. Return False if there is none."""
        party = next((party for party in self.watch if not isinstance(party, Served)), None)
        if party is None:
            return False
        if isinstance(party, Waiting):
            self._log.write("dropped", who=party.who, address=party.address, reason=why, seconds=_since(party.since))
        self._forget(party)
        party.channel.close()
        return True

    def _handle(self, party: Party, fd: int, events: int) -> None:
        if isinstance(party, Served):
            if fd == party.worker.handle:
                party.note_exit()
            elif events & (select.EPOLLHUP | select.EPOLLERR):
                party.check_client()
        self._advance(party)

    def _advance(self, party: Party) -> None:
        if isinstance(party, Waiting):
            self._advance_waiting(party)
        elif isinstance(party, Served):
            self._advance_served(party)
        else:
            party.advance()
            self._settle_leaving(party)

    def _advance_waiting(self, party: Waiting) -> None:
        if party.refusal is None:
            party.advance()
        if party.has_job:
            self._forget(party)
            self._serve(party)
        elif party.refusal is not None:
            self._forget(party)
            self._refuse(party, party.refusal.error, answer=party.refusal.answer)
        else:
            self.watch.update(party)
            if party.has_more:
                self._busy.add(party)
            self._count(party, party.admission.size)
            if self._held > self._max_held:
                self._bound_memory()

    def _advance_served(self, party: Served) -> None:
        if party.advance():
            self._busy.add(party)
        channel = party.take_delivered()
        if channel is not None:
            patience = self._options.liveness_seconds * PATIENCE
            self._leave(channel, self._last_bytes(party), patience or float("inf"))
        if party.worker.exit_status is not None:
            self._free(party)
        if party.finished:
            self._forget(party)
            self._log_end(party)
        else:
            self.watch.update(party)

    def _serve(self, party: Waiting) -> None:
        """Start a worker for a connection whose job is complete."""
        options = self._options
        who, ident = party.who or "", party.admission.ident
        waits = len(self._running) >= options.slots
        if waits and len(self._queue) >= options.queue:
            places = f" and {counted(options.queue, 'place')} of the queue" if options.queue else ""
            self._refuse(
                party,
                WorkerBusy(
                    f"all {counted(options.slots, 'slot')}{places} are taken: try again later, or start the worker "
                    "with more (--slots, --queue)"
                ),
            )
            return
        try:
            worker = WorkerProcess(
                self._flags_for(party),
                self._env,
                waits=waits or party.greeting is not None,
                open_files=options.open_files,
                shows_messages=options.shows_messages,
            )
        except OSError as error:
            self._refuse(party, JobError(f"no process can be started for the job: {error.strerror}"))
            return
        served = Served(
            party.channel,
            worker,
            party.admission.take(),
            who=who,
            ident=ident,
            dialect=party.admission.dialect,
            greeting=party.greeting,
            since=party.since,
            patience=options.liveness_seconds * PATIENCE,
        )
        if waits:
            worker.queue()
            self._queue.append(served)
        else:
            served.may_begin = True
            self._running.add(served)
        self._log.write("queued" if waits else "started", job=ident, who=who, address=party.address, pid=worker.pid)
        self.watch.add(served)
        self._advance(served)

    def _flags_for(self, party: Waiting) -> list[str]:
        """Return the flags of the worker of a connection."""
        sender = ["--cache-sender", party.sender] if self._options.has_cache and party.sender is not None else []
        return [*self._options.worker_flags, *sender]

    def _last_bytes(self, party: Served) -> bytes:
        """Return what a client gets in place of a worker that has told it nothing."""
        if party.has_answered:
            return b""
        if party.differs:
            self._greeter.enabled = False
            self._log.write("worker-changed", job=party.ident, reason=_CHANGED)
        greeted = party.greeting is not None
        return refusal(
            self._explain_silence(party), party.dialect, party.greeting or self._greeter.current, greeted=greeted
        )

    def _explain_silence(self, party: Served) -> PlaystreamError:
        """Return why a worker has told its client nothing."""
        if party.differs:
            return WorkerBusy(_CHANGED)
        if not self._listening:
            return WorkerBusy(_SHUTTING_DOWN)
        return WorkerNotFound(
            "the listener's worker process ended before it answered: playstream may be damaged there. The log of the "
            "listener has its exit status, and with --debug its messages"
        )

    def _refuse(self, party: Waiting, error: PlaystreamError, *, answer: bool = True) -> None:
        self._log.write(
            "refused",
            job=party.admission.ident,
            who=party.who,
            address=party.address,
            error=type(error).__name__,
            reason=str(error),
            seconds=_since(party.since),
        )
        greeted = party.greeting is not None
        greeting = party.greeting or self._greeter.current
        data = refusal(error, party.admission.dialect, greeting, greeted=greeted) if answer else b""
        self._leave(party.channel, data, _LEAVE_SECONDS)

    def _leave(self, channel: SocketChannel, data: bytes, seconds: float) -> None:
        leaving = Leaving(channel, data, time.monotonic() + seconds)
        self.watch.add(leaving)
        self._settle_leaving(leaving)

    def _settle_leaving(self, party: Leaving) -> None:
        if party.closed:
            self._forget(party)
        else:
            self.watch.update(party)

    def _free(self, party: Served) -> None:
        """Give the slot of a worker that has ended to the next in the queue."""
        self._running.discard(party)
        if party in self._queue:
            self._queue.remove(party)
        while self._listening and self._queue and len(self._running) < self._options.slots:
            served = self._queue.popleft()
            self._running.add(served)
            served.may_begin = True
            self._busy.add(served)
            self._log.write("started", job=served.ident, who=served.who, pid=served.worker.pid)

    def _log_end(self, party: Served) -> None:
        status = party.worker.exit_status or 0
        self._log.write(
            "ended",
            job=party.ident,
            who=party.who,
            exit_status=status if status >= 0 else None,
            signal=-status if status < 0 else None,
            client="gone" if party.has_gone else None,
            seconds=_since(party.since),
        )

    def _tick(self) -> None:
        """Look at the deadlines."""
        if self._paused:
            self._paused = False
            for sock in self._listening:
                self.watch.pause(sock.fileno(), paused=False)
        now = time.monotonic()
        for party in self.watch:
            if party not in self.watch:
                continue
            if party.deadline is None or now < party.deadline:
                continue
            if isinstance(party, Waiting):
                party.expire(self._options.arrival_seconds)
                self._advance(party)
            elif isinstance(party, Served):
                party.expire()
                self._advance(party)
            else:
                self._forget(party)
                party.close()

    def _count(self, party: Waiting, size: int) -> None:
        """Note how many bytes a connection holds."""
        self._held += size - party.counted
        party.counted = size

    def _bound_memory(self) -> None:
        """Refuse the connections that hold most, because all of them hold too much."""
        largest_first = sorted(
            (party for party in self.watch if isinstance(party, Waiting)), key=lambda party: -party.counted
        )
        for party in largest_first:
            if self._held <= self._max_held:
                break
            party.refuse(WorkerBusy("too many large jobs arrive at the same time: try again later"))
            self._advance_waiting(party)

    def _forget(self, party: Party) -> None:
        self.watch.forget(party)
        self._busy.discard(party)
        if isinstance(party, Waiting):
            self._count(party, 0)


def _since(moment: float) -> float:
    return round(time.monotonic() - moment, 3)
