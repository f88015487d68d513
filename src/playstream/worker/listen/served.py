"""A connection whose job has a worker: bytes are passed on in both directions until both sides have ended.

The worker is a `playstream worker` on pipes, in a session of its own. It does not know of the connection: when the
client goes away, its pipes are closed, as by an ssh that has lost its client.
"""

from __future__ import annotations

import os
import resource
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from typing import IO

from playstream.pipeline.dialect import Dialect
from playstream.pipeline.io.channels import Flow, PipeReader, PipeWriter, SocketChannel
from playstream.pipeline.io.stdio import enlarge_pipe
from playstream.worker.listen.greeting import Greeting, WithoutGreeting
from playstream.worker.stage import START, WAIT

_STRAY_SECONDS = 5.0
"""How long the output of a worker that has ended is read while another process holds it open."""


class WorkerProcess:
    """A worker on pipes.

    Args:
        flags: its flags.
        env: its environment.
        waits: whether it starts its job only after `begin`.
        open_files: its limits of open files (RLIMIT_NOFILE).
        shows_messages: whether it has this process's standard error.

    Raises:
        OSError: it cannot be started.
    """

    def __init__(
        self,
        flags: Sequence[str],
        env: Mapping[str, str],
        *,
        waits: bool,
        open_files: tuple[int, int],
        shows_messages: bool,
    ) -> None:
        gate: int | None = None
        self._gate: int | None = None
        if waits:
            gate, self._gate = os.pipe()
        words = [sys.executable, "-P", "-m", "playstream", "worker", *flags]
        if gate is not None:
            words += ["--start-on", str(gate)]
        try:
            self._process = subprocess.Popen(
                words,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=None if shows_messages else subprocess.DEVNULL,
                env=env,
                start_new_session=True,
                pass_fds=() if gate is None else (gate,),
                bufsize=0,
            )
        except OSError:
            self.begin()
            raise
        finally:
            if gate is not None:
                os.close(gate)
        resource.prlimit(self._process.pid, resource.RLIMIT_NOFILE, open_files)
        self.stdin = PipeWriter(_own(self._process.stdin))
        self.stdout = PipeReader(_own(self._process.stdout))
        self.handle = os.pidfd_open(self._process.pid)
        self.exit_status: int | None = None
        """Its exit status, or the negative number of the signal that ended it; None while it runs."""

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    @property
    def waits(self) -> bool:
        """Whether it still has to wait before it may start its job."""
        return self._gate is not None

    def begin(self) -> None:
        """Let it start its job."""
        self._say(START)
        if self._gate is not None:
            os.close(self._gate)
            self._gate = None

    def queue(self) -> None:
        """Tell it that its job has to wait."""
        self._say(WAIT)

    def _say(self, word: bytes) -> None:
        if self._gate is not None:
            try:
                os.write(self._gate, word)
            except BrokenPipeError:
                pass  # it has ended

    def signal(self, number: int) -> None:
        """Send it a signal, if it has not ended."""
        if self.exit_status is None:
            signal.pidfd_send_signal(self.handle, number)

    def reap(self) -> bool:
        """Take its exit status, after `handle` has become readable. Return False if it runs."""
        self.exit_status = self._process.poll()
        if self.exit_status is None:
            return False
        os.close(self.handle)
        self.handle = -1
        if self._gate is not None:
            os.close(self._gate)
            self._gate = None
        return True

    def close(self) -> None:
        """Close its pipes; it then ends its job."""
        self.stdin.close()
        self.stdout.close()


def _own(pipe: IO[bytes] | None) -> int:
    """Return a descriptor of a pipe that this module closes itself."""
    if pipe is None:
        raise AssertionError("both ends are pipes")
    with pipe:
        fd = os.dup(pipe.fileno())
    enlarge_pipe(fd)
    return fd


class Served:
    """One such connection.

    Args:
        channel: the connection.
        worker: its worker.
        first: the bytes that have arrived already.
        who: who has connected.
        ident: the name of the job, if it is known.
        dialect: the dialect of the other side; None if it is unknown.
        greeting: what the client has got already; None for nothing.
        since: when the connection was made, on the monotonic clock.
        patience: seconds in which the client has to take something of the last bytes; 0 for no limit.
    """

    def __init__(
        self,
        channel: SocketChannel,
        worker: WorkerProcess,
        first: bytes,
        *,
        who: str,
        ident: str | None,
        dialect: Dialect | None,
        greeting: Greeting | None,
        since: float,
        patience: float,
    ) -> None:
        self.channel: SocketChannel | None = channel
        """The connection; None after the client has gone, or when everything was delivered."""
        self.worker = worker
        self.who = who
        self.ident = ident
        self.since = since
        self.dialect = dialect
        self.deadline: float | None = None
        self.has_gone = False
        """Whether the client went away before everything was delivered."""
        self._patience = patience
        self._up = Flow(channel, worker.stdin, first)
        self.greeting = greeting
        self.may_begin = False
        """Whether the job has a slot."""
        self._output = WithoutGreeting(worker.stdout, b"" if greeting is None else greeting.data)
        self._down = Flow(self._output, channel, shuts=False)
        self._stray: float | None = None
        """Until when to read the output of a worker that has ended."""

    @property
    def has_answered(self) -> bool:
        """Whether the worker has said anything, be it the greeting that the client had already."""
        return self._down.passed > 0 or (self.greeting is not None and self._output.seen)

    @property
    def differs(self) -> bool:
        """Whether the worker is another one than the client was told. It has not started the job."""
        return self._output.differs

    @property
    def finished(self) -> bool:
        """Whether both sides have ended."""
        return self.channel is None and self.worker.exit_status is not None

    def interests(self) -> dict[int, int]:
        """Return what to wait for: descriptors, and events of poll(2)."""
        found = {}
        if self.worker.handle >= 0:
            found[self.worker.handle] = select.POLLIN
        if self.channel is not None:
            found[self.channel.fd] = self.channel.events(reading=self._up.reading, writing=self._down.writing)
            if self.worker.stdin.fd >= 0 and self._up.writing:
                found[self.worker.stdin.fd] = select.POLLOUT
            if self.worker.stdout.fd >= 0 and self._down.reading:
                found[self.worker.stdout.fd] = select.POLLIN
        return found

    def advance(self) -> bool:
        """Pass on what can be passed on. Return True if there is more to do at once."""
        if self.channel is None:
            return False
        before = self._down.passed
        more = self._up.pump()
        more = self._down.pump() or more
        if self.may_begin and self._output.seen:
            self.worker.begin()
        if self._up.lost is not None or self._down.refused is not None:
            self.lose()
            return False
        if self._up.done:
            self.worker.stdin.close()
        if self.worker.exit_status is not None and self._down.passed != before:
            self._wait_for_client()
        return more

    def take_delivered(self) -> SocketChannel | None:
        """Return the connection once everything was delivered, for the caller to shut and close; None before that."""
        if self.channel is None or not self._down.done:
            return None
        channel, self.channel = self.channel, None
        self.worker.close()
        return channel

    def lose(self) -> None:
        """Note that the client has gone away. The worker notices as on a pipe, and ends its job."""
        if self.channel is not None:
            self.has_gone = True
            self.channel.close()
            self.channel = None
        self.worker.close()
        self.deadline = None

    def check_client(self) -> None:
        """Check whether the client has gone: it neither sends nor reads."""
        if self.channel is not None:
            poll = select.poll()
            poll.register(self.channel.fd, 0)
            if poll.poll(0):
                self.lose()

    def note_exit(self) -> None:
        """Note that the worker has ended, if it has. Its last bytes may still be on their way."""
        if not self.worker.reap():
            return
        self._stray = time.monotonic() + _STRAY_SECONDS
        self._wait_for_client()

    def expire(self) -> None:
        """Give up: the rest cannot be delivered, or only a stray process holds the worker's output."""
        if self._stray is not None and not self._down.ended:
            self._down.ended = True
            self.advance()
        if self.channel is not None and not self._down.done:
            self.lose()

    def _wait_for_client(self) -> None:
        limit = time.monotonic() + self._patience if self._patience else None
        stray = self._stray if not self._down.ended else None
        self.deadline = min((moment for moment in (limit, stray) if moment is not None), default=None)
