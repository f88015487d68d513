"""Cancel a command on signals."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING

from playstream.cli.output import StandardStream
from playstream.pipeline.io.cancellation import DELIVERY_SECONDS, Cancellation

if TYPE_CHECKING:
    from playstream.worker.user_terminal import UserTerminal

_ONE_SIGNAL_SECONDS = 0.2
"""Signals within this time count as one: timeout(1) signals both the program and its group, and a hangup comes from the
kernel and from the shell."""


def cancel_on_signals(terminal: UserTerminal | None = None) -> Cancellation:
    """Return a cancellation that SIGINT, SIGTERM and SIGHUP request; under nohup, SIGHUP is ignored.

    After a signal, the command waits at most DELIVERY_SECONDS for readers of standard output and error. A second signal
    kills this process: the guard then ends the job, and the artifacts written so far are kept.

    Args:
        terminal: the user's terminal, which is restored while this process is stopped (SIGTSTP), and whose changes of
            size are noted (SIGWINCH); None for none.
    """
    cancellation = Cancellation()
    first: float | None = None

    def request(number: int, _frame: FrameType | None) -> None:
        nonlocal first
        now = time.monotonic()
        if first is None:
            first = now
            StandardStream.until = now + DELIVERY_SECONDS
        elif now > first + _ONE_SIGNAL_SECONDS:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        cancellation.request(f"canceled by {signal.Signals(number).name}")

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, request)
    if terminal is not None:
        _look_after(terminal, cancellation.wake)
    return cancellation


def _look_after(terminal: UserTerminal, wake: Callable[[], None]) -> None:
    def note_size() -> None:
        terminal.resized = True
        wake()

    signal.signal(signal.SIGWINCH, lambda _number, _frame: note_size())
    restore_while_stopped(terminal, note_size)


def restore_while_stopped(terminal: UserTerminal, continued: Callable[[], None] = lambda: None) -> None:
    """Restore the terminal while SIGTSTP (Ctrl-Z) stops this process.

    Args:
        terminal: the user's terminal.
        continued: called when this process was continued.
    """

    def stop(number: int, _frame: FrameType | None) -> None:
        terminal.restore()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)  # returns when this process was continued
        signal.signal(number, stop)
        continued()

    if signal.getsignal(signal.SIGTSTP) is not signal.SIG_IGN:
        signal.signal(signal.SIGTSTP, stop)
