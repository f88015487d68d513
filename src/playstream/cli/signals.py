"""Signals that ask a command to stop."""

from __future__ import annotations

import signal
from types import FrameType

from playstream.pipeline.cancellation import Cancellation


def cancel_on_signals() -> Cancellation:
    """A cancellation that SIGINT, SIGTERM and SIGHUP request."""
    cancellation = Cancellation()

    def request(number: int, _frame: FrameType | None) -> None:
        cancellation.request(f"canceled by {signal.Signals(number).name}")

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, request)
    return cancellation
