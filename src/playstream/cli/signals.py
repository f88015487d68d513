"""Cancel a command on signals."""

from __future__ import annotations

import os
import signal
import time
from types import FrameType

from playstream.cli.output import StandardStream
from playstream.pipeline.io.cancellation import DELIVERY_SECONDS, Cancellation

_ONE_SIGNAL_SECONDS = 0.2
"""Signals within this time count as one: timeout(1) signals both the program and its group, and a hangup comes from the
kernel and from the shell."""


def cancel_on_signals() -> Cancellation:
    """Return a cancellation that SIGINT, SIGTERM and SIGHUP request; under nohup, SIGHUP is ignored.

    After a signal, the command waits at most DELIVERY_SECONDS for readers of standard output and error. A second signal
    kills this process: the guard then ends the job, and the artifacts written so far are kept.
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
