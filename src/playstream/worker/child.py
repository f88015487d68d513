"""A child process that can be signalled and waited for with a time limit."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Mapping, Sequence

from playstream.pipeline.io.owned import close_owned, own_descriptor
from playstream.pipeline.io.stdio import as_milliseconds

_PAUSE_SECONDS = 0.01
"""How often to check whether it has ended, if the kernel has no handle for it."""
_KILL_SECONDS = 1.0
"""How long a killed process may take to end."""


class Child:
    """A process that this one has started.

    Args:
        pid: its id.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        try:
            self._handle: int | None = own_descriptor(os.pidfd_open(pid))
        except (AttributeError, OSError):  # it has ended, or the kernel or a sandbox does not support such handles
            self._handle = None
        self._reaped = False
        self.exit_code: int | None = None
        """Its exit status, or the negative number of the signal that ended it; None while that is not known."""

    def signal(self, number: signal.Signals) -> None:
        """Signal it, unless it has ended."""
        try:
            if self._handle is not None:
                signal.pidfd_send_signal(self._handle, number)
            elif not self._reap():
                os.kill(self._pid, number)
        except OSError:
            pass  # it has ended

    def wait(self, seconds: float) -> bool:
        """Wait until it has ended. Return False if it has not after `seconds`."""
        if self._handle is not None:
            poll = select.poll()
            poll.register(self._handle, select.POLLIN)
            ended = bool(poll.poll(as_milliseconds(seconds)))
            self._reap()
            return ended
        end = time.monotonic() + seconds
        while not self._reap() and time.monotonic() < end:
            time.sleep(_PAUSE_SECONDS)
        return self._reaped

    def close(self) -> None:
        """Close the handle of the process."""
        if self._handle is not None:
            close_owned(self._handle)
            self._handle = None

    def _reap(self) -> bool:
        """Reap the process; return False while it runs. Never block, because a tracer may reap it first."""
        if not self._reaped:
            try:
                pid, status = os.waitpid(self._pid, os.WNOHANG)
            except ChildProcessError:
                self._reaped = True  # the embedding program reaps all of its children
            else:
                if pid:
                    self._reaped = True
                    self.exit_code = os.waitstatus_to_exitcode(status)
        return self._reaped


def run_briefly(words: Sequence[str], env: Mapping[str, str], seconds: float) -> None:
    """Run a program without input and output, and wait for its end, or kill it if that takes too long.

    Args:
        words: the program and its arguments. Nothing happens if there is no such program.
        env: its environment.
        seconds: how long it may take.
    """
    null = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in range(3)]
    try:
        child = Child(os.posix_spawnp(words[0], list(words), env, file_actions=null, setsid=True, setsigmask=[]))
    except OSError:
        return
    if not child.wait(seconds):
        child.signal(signal.SIGKILL)
        child.wait(_KILL_SECONDS)
    child.close()
