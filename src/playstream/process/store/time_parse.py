"""Parsing points in time."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from playstream.pipeline.errors import ConfigurationError

_AGO = re.compile(r"([0-9]{1,9})([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def parse_since(text: str, now: datetime | None = None) -> datetime:
    """Parse a point in time, and return it in UTC.

    Args:
        text: how long ago, as a number and one of `s m h d w` (`90m`, `12h`, `7d`), or a date or a date and time in ISO
            8601 (`2026-11-01`, `2026-11-01T08:30`, `2026-11-01T08:30:00+01:00`). The default time zone is this host's;
            a date means its beginning.
        now: the time to count back from, with its zone; the current time by default.

    Raises:
        ConfigurationError: it is none of these, or outside the range of the calendar.

    Example:
        >>> parse_since("12h", datetime(2026, 11, 21, 12, tzinfo=UTC)).isoformat()
        '2026-11-21T00:00:00+00:00'
    """
    text = text.strip()
    try:
        if ago := _AGO.fullmatch(text):
            return (now or datetime.now(UTC)) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ConfigurationError(
            f"{text[:100]!r} is not a valid time: expected something like 7d, 12h, 30m, 2026-11-01 or "
            "2026-11-01T08:30+01:00"
        ) from None
