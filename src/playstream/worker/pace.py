"""How often a job's output is read: at once, or gathered for a moment."""

from __future__ import annotations

import time

REST_SECONDS = 0.1
"""How long output gathers. On 2 cores that Ansible keeps busy, reading each of 10,000 events as it came took the worker
1.6 seconds of processor time and process 0.6; reading them so, 0.3 and 0.4. The first event after a pause is still read
at once."""
_LITTLE = 1 << 13
"""Bytes of output in one round below which the next round rests: far less than a pipe holds."""
_LITTLE_TEXT = 1 << 11
"""The same for text: a terminal hands over 4,095 bytes at once, so a round with half of that may have left some."""
_FLOOD = 1 << 14
"""Bytes of text within REST_SECONDS after which there is no rest: the kernel holds 68 KiB for a terminal, and whoever
writes more would wait for each rest."""


class Pace:
    """Decides after each round of reading whether output may gather."""

    def __init__(self) -> None:
        self.rest_until = time.monotonic()
        """On the monotonic clock."""
        self._flood_until = self.rest_until
        self._text = 0
        """Bytes since it was last seen whether they are a flood."""
        self._round_text = self._round = 0

    @property
    def resting(self) -> bool:
        """True while output is left where it is."""
        return time.monotonic() < self.rest_until

    def note(self, size: int, *, text: bool) -> None:
        """Bytes were read in this round, of text or of events."""
        self._round += size
        if text:
            self._round_text += size

    def end_round(self, *, may_rest: bool) -> None:
        """A round is over; the next one may rest."""
        size, text, self._round, self._round_text = self._round, self._round_text, 0, 0
        self._text += text
        if not may_rest or not 0 < size < _LITTLE or text >= _LITTLE_TEXT:
            return
        now = time.monotonic()
        if now < self._flood_until:
            return
        if self._text >= _FLOOD:
            self._flood_until = now + REST_SECONDS
        else:
            self.rest_until = now + REST_SECONDS
        self._text = 0
