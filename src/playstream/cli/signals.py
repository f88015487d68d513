"""Signals that ask a command to stop."""

from __future__ import annotations

import os
import signal
import time
from types import FrameType

from playstream.cli.output import StandardStream
from playstream.pipeline.io.cancellation import DELIVERY_SECONDS, Cancellation

_ONE_SIGNAL_SECONDS = 0.2
"""Signals that follow one another as closely are one: timeout(1) sends its own to the program and to its group, and a
hangup comes from the kernel and from the shell."""


def cancel_on_signals() -> Cancellation:
    """A cancellation that SIGINT, SIGTERM and SIGHUP request; SIGHUP not under nohup.

    Readers of standard output and error are waited for no longer than DELIVERY_SECONDS then. A second signal ends this
    process at once, as if nobody had caught it: the guard ends the job, and what has been written stays.
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
    return cancellation
