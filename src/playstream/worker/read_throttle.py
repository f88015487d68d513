"""Throttling the reading of a job's output: at once, or after it has gathered for a moment."""

from __future__ import annotations

import time

REST_SECONDS = 0.2
"""How long output gathers, because each round of reading has a fixed cost (docs/performance.md). The first event after
a pause is read at once."""
_LITTLE = 4
"""A rest may follow a round in which the events filled less than this fraction of their pipe: about as many will
follow, and their writer must not wait."""
_LITTLE_TEXT = 4095
"""Bytes of text in one round below which a rest may follow: a terminal returns this many at once, so after a smaller
round none are left."""
_FLOOD = 1 << 14
"""Bytes of text within REST_SECONDS after which there is no rest: the kernel buffers 68 KiB for a terminal, and a
process that writes more would wait during each rest."""


class ReadThrottle:
    """Decides after each round of reading whether output may gather.

    Args:
        capacity: bytes that the pipe of the events holds.
    """

    def __init__(self, capacity: int) -> None:
        self._little = capacity // _LITTLE
        self.rest_until = time.monotonic()
        """The end of the rest, on the monotonic clock."""
        self._flood_until = self.rest_until
        self._text = 0
        """Bytes of text since the last check for a flood."""
        self._round_text = self._round_events = 0

    @property
    def resting(self) -> bool:
        """True while output is not read."""
        return time.monotonic() < self.rest_until

    def note(self, size: int, *, text: bool) -> None:
        """Count bytes read in this round, of text or of events."""
        if text:
            self._round_text += size
        else:
            self._round_events += size

    def end_round(self, *, may_rest: bool) -> None:
        """End a round of reading; the next one may be delayed."""
        events, text, self._round_events, self._round_text = self._round_events, self._round_text, 0, 0
        self._text += text
        if not may_rest or not (events or text) or events >= self._little or text >= _LITTLE_TEXT:
            return
        now = time.monotonic()
        if now < self._flood_until:
            return
        if self._text >= _FLOOD:
            self._flood_until = now + REST_SECONDS
        else:
            self.rest_until = now + REST_SECONDS
        self._text = 0
