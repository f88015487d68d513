"""The worker of a job: an unmodified `playstream worker` on pipes, in a session of its own."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Sequence

from playstream.pipeline.errors import JobError
from playstream.worker.clock import MOMENT
from playstream.worker.readiness import Call

_BUFFER = 1 << 18
"""Bytes of results that wait in this process before the worker's pipe is not read."""


class WorkerProcess:
    """A worker. Call `start` first, then `assign`, and `close` at the end.

    It is started before there is a job for it, and waits for that: `playstream.worker.readiness`.

    Args:
        clock_seconds: how long ago the last contact to the mesh may be.
        flags: further flags.
    """

    def __init__(self, clock_seconds: float, flags: Sequence[str] = ()) -> None:
        self._clock_seconds = clock_seconds
        self._flags = flags
        self._process: asyncio.subprocess.Process | None = None
        self._clock = self._call = self._keys = self._recipient = -1

    async def start(self) -> None:
        """Start it.

        Raises:
            JobError: it cannot be started.
        """
        pipes = [os.pipe() for _ in range(4)]
        clock, call, keys, recipient = theirs = [reading for reading, _writing in pipes]
        self._clock, self._call, self._keys, self._recipient = (writing for _reading, writing in pipes)
        os.set_blocking(self._clock, False)
        words = [*self._flags, "--liveness-seconds", "0", "--wait-on", str(call), "--alive-on", str(clock)]
        words += ["--alive-seconds", f"{self._clock_seconds:g}"]
        # Keys travel in a pipe, which holds far more than them, and are in no file and no command line.
        words += ["--identity", f"/dev/fd/{keys}", "--encrypt-to", f"@/dev/fd/{recipient}"]
        try:
            self._process = await asyncio.create_subprocess_exec(
                *[sys.executable, "-P", "-m", "playstream", "worker", *words],
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                pass_fds=theirs,
                start_new_session=True,
                limit=_BUFFER,
            )
        except OSError as error:
            self._close_pipes()
            raise JobError(f"the node cannot start a worker: {error.strerror}") from None
        finally:
            for fd in theirs:
                os.close(fd)

    def assign(self, recipient: str, secret_keys: Sequence[str]) -> None:
        """Tell it that there is a job.

        Args:
            recipient: the key to which it encrypts the results; empty for a job that is not encrypted.
            secret_keys: the keys that decrypt the job.
        """
        texts = [""] * 2 if not recipient else ["".join(f"{key}\n" for key in secret_keys), f"{recipient}\n"]
        call = Call.ENCRYPTED if recipient else Call.PLAIN
        for fd, data in (
            (self._keys, texts[0].encode()),
            (self._recipient, texts[1].encode()),
            (self._call, call.value),
        ):
            try:
                os.write(fd, data)
            except BrokenPipeError:
                pass  # it has ended, which its output shows
            os.close(fd)
        self._call = self._keys = self._recipient = -1

    @property
    def pid(self) -> int:
        """Its process."""
        return self._started.pid

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self._process is not None and self._process.returncode is None

    def feed(self, moment: float) -> None:
        """Tell it when there was contact to the mesh."""
        try:
            os.write(self._clock, MOMENT.pack(moment))
        except (BlockingIOError, BrokenPipeError):
            pass  # it is frozen, so that its clock finds an old moment, or has ended

    async def write(self, data: bytes) -> bool:
        """Pass on bytes of the job. Return False if it takes no more."""
        stdin = self._started.stdin
        if stdin is None or stdin.is_closing():
            return False
        try:
            stdin.write(data)
            await stdin.drain()
        except (BrokenPipeError, ConnectionResetError):
            return False
        return True

    def end_input(self) -> None:
        """Say that the job's direction is closed."""
        stdin = self._started.stdin
        if stdin is not None:
            stdin.close()

    async def read(self, size: int) -> bytes:
        """Return the next bytes of its results; empty at the end."""
        stdout = self._started.stdout
        return b"" if stdout is None else await stdout.read(size)

    async def wait(self) -> int:
        """Return its exit status, or the negative number of the signal that ended it."""
        return await self._started.wait()

    def cancel(self) -> None:
        """Let it end its job, and report that."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """Kill it; its guard ends the job."""
        self._signal(signal.SIGKILL)

    async def close(self) -> None:
        """Kill it if it has not ended, and close the pipes."""
        if self.is_running:
            self.kill()
            while await self.read(_BUFFER):
                pass  # asyncio knows that it has ended when its pipe has been read to the end
            await self.wait()
        self._close_pipes()

    def _close_pipes(self) -> None:
        for fd in {self._clock, self._call, self._keys, self._recipient} - {-1}:
            os.close(fd)
        self._clock = self._call = self._keys = self._recipient = -1

    def _signal(self, number: signal.Signals) -> None:
        if self.is_running:
            try:
                self._started.send_signal(number)
            except ProcessLookupError:
                pass  # it has just ended

    @property
    def _started(self) -> asyncio.subprocess.Process:
        if self._process is None:
            raise AssertionError("call start first")
        return self._process
