"""Signals that ask a command to stop."""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType

from playstream.pipeline.cancellation import Cancellation


def cancel_on_signals() -> Cancellation:
    """A cancellation that SIGINT, SIGTERM and SIGHUP request; SIGHUP not under nohup."""
    cancellation = Cancellation()

    def request(number: int, _frame: FrameType | None) -> None:
        cancellation.request(f"canceled by {signal.Signals(number).name}")

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, request)
    return cancellation


def call_when_canceled(cancellation: Cancellation, function: Callable[[str], None]) -> None:
    """Call `function` with the reason once the cancellation is requested: in a thread of its own.

    A signal handler must not take a lock, since the thread that it interrupts may hold it; another thread may.
    """
    import select  # noqa: PLC0415 - only where a run goes on in this process
    import threading  # noqa: PLC0415

    def watch() -> None:
        poll = select.poll()
        poll.register(cancellation, select.POLLIN)
        while cancellation.reason is None:
            poll.poll()
            cancellation.acknowledge()
        function(cancellation.reason)

    threading.Thread(target=watch, name="playstream-signals", daemon=True).start()
