"""Converting values of events for a column: a worker is not trusted, so each may be any JSON value."""

from __future__ import annotations

import math
from datetime import UTC, datetime

_MAX_COUNT = 2**31 - 1
_LARGEST = 2**63 - 1
_FIRST_YEAR, _LAST_YEAR = 1970, 2999
"""Times outside this range are not times of runs, and converting their zone could exceed the calendar's range."""


def as_text(value: object, limit: int) -> str | None:
    """Return text that every database accepts, cut at `limit` characters; None if it is not text.

    PostgreSQL refuses NUL, and nothing can encode half of a surrogate pair.
    """
    if not isinstance(value, str):
        return None
    if len(value) > limit:
        value = value[: limit - 1] + "…"
    if not value.isascii():
        value = value.encode("utf-8", "replace").decode()
    return value.replace("\0", "\N{REPLACEMENT CHARACTER}") if "\0" in value else value


def as_time(value: object) -> str | None:
    """Return a time as ISO 8601 in UTC; None if it is not valid. One without a zone is in UTC."""
    if isinstance(value, datetime):
        time = value
    elif not isinstance(value, str):
        return None
    else:
        try:
            time = datetime.fromisoformat(value)
        except ValueError:
            return None
    if not _FIRST_YEAR < time.year < _LAST_YEAR:
        return None
    offset = time.utcoffset()
    if not offset:
        return time.replace(tzinfo=UTC).isoformat()
    return time.astimezone(UTC).isoformat()


def as_count(value: object) -> int:
    """Return a count; 0 if it is not valid."""
    if type(value) is not int:
        return 0
    return min(max(value, 0), _MAX_COUNT)


def as_integer(value: object) -> int | None:
    """Return a number that fits into 64 bits; None if it does not."""
    return value if type(value) is int and -_LARGEST <= value <= _LARGEST else None


def as_rc(value: object) -> int | None:
    """Return a return code; None if it is not valid."""
    return value if type(value) is int and abs(value) <= _MAX_COUNT else None


def as_seconds(value: object) -> float | None:
    """Return a duration in seconds; None if it is not valid."""
    if type(value) is int:
        value = float(value) if abs(value) <= _LARGEST else math.inf
    return value if type(value) is float and math.isfinite(value) and value >= 0 else None
