"""When the records of a run at rest are due. No clock is read here: the caller passes the time."""

from __future__ import annotations

import math
import re
from datetime import datetime, timedelta

from playstream.pipeline.errors import ConfigurationError

AT_ONCE = "max"
"""The speed at which nothing waits."""
SLOWEST, FASTEST = 1 / 64, 1024.0
_OFFSET = re.compile(r"(?:(?:(\d+):)?(\d{1,2}):)?(\d{1,6}(?:\.\d{1,6})?)")
"""Hours, minutes and seconds from the beginning of a run: 90, 1:30, 1:00:00."""


def check_speed(speed: float | str, source: str = "speed") -> float | None:
    """Return a speed as a factor; None for `max`.

    Args:
        speed: the factor, or `max`.
        source: the flag or parameter, for errors.

    Raises:
        ConfigurationError: it is neither a positive number nor `max`.
    """
    if speed == AT_ONCE:
        return None
    try:
        factor = float(speed)
    except ValueError:
        factor = math.nan
    if not (math.isfinite(factor) and factor > 0):
        raise ConfigurationError(f"{source}: expected a number above 0, such as 2 or 0.5, or {AT_ONCE}, got {speed!r}")
    return factor


class Pace:
    """The time of a run that is shown again.

    Args:
        speed: how much faster than the run; None does not wait.
    """

    def __init__(self, speed: float | None) -> None:
        self.speed = speed
        self._anchor: tuple[float, float] | None = None
        """A moment of the run and when it was due; None before the first."""
        self._paused_at: float | None = None
        """The moment at which time stands still."""

    @property
    def paused(self) -> bool:
        """Whether time stands still."""
        return self._paused_at is not None

    def left(self, moment: float, now: float) -> float | None:
        """Return how many seconds are left until a moment is due, 0 if it is; None while time stands still.

        Args:
            moment: seconds on the clock of the run. The first one is due at once.
            now: seconds on any clock that does not go back.
        """
        if self._paused_at is not None:
            return None
        if self._anchor is None or self.speed is None:
            self._anchor = moment, now
        if self.speed is None:
            return 0.0
        then, due = self._anchor
        return max(0.0, due + (moment - then) / self.speed - now)

    def restart(self) -> None:
        """Let the next moment be due at once, whichever it is."""
        self._anchor = None

    def toggle_pause(self, now: float) -> None:
        """Stop the time, or let it continue."""
        if self._paused_at is None:
            self._paused_at = self._position(now)
        else:
            moment, self._paused_at = self._paused_at, None
            self._anchor = None if self._anchor is None else (moment, now)

    def change(self, factor: float, now: float) -> None:
        """Change the speed by a factor, from now on; after `max` it is that of the run."""
        moment = self._position(now) if self._paused_at is None else self._paused_at
        self.speed = 1.0 if self.speed is None else min(max(self.speed * factor, SLOWEST), FASTEST)
        if self._anchor is not None:
            self._anchor = moment, now
        if self._paused_at is not None:
            self._paused_at = moment

    def _position(self, now: float) -> float:
        """Return the moment of the run that it is now."""
        if self._anchor is None:
            return 0.0
        then, due = self._anchor
        return then + (now - due) * (1.0 if self.speed is None else self.speed)


def read_start(text: str, source: str) -> timedelta | datetime:
    """Read where in a run to begin: a time since its beginning (`90`, `1:30`, `1:00:00`), or a date and a time.

    Args:
        text: what was given.
        source: the flag, for errors.

    Raises:
        ConfigurationError: it is neither.
    """
    found = _OFFSET.fullmatch(text)
    if found is not None:
        hours, minutes, seconds = found.groups()
        return timedelta(hours=int(hours or 0), minutes=int(minutes or 0), seconds=float(seconds))
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigurationError(
            f"{source}: expected a time since the beginning of the run, such as 90, 1:30 or 1:00:00, or a date and a "
            f"time, such as 2026-11-01T08:30:00, got {text!r}"
        ) from None
    return time.astimezone()  # a time without a zone is that of this host
