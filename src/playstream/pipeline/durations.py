"""Durations as people write them."""

from __future__ import annotations

import re

from playstream.pipeline.errors import ConfigurationError

_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)([smhdw]?)", re.ASCII)
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def parse_duration(text: str) -> float:
    """Return the seconds of a duration: a number with one of `s m h d w`, or a number of seconds.

    Raises:
        ConfigurationError: it is none.

    Example:
        >>> parse_duration("90m")
        5400.0
    """
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        raise ConfigurationError(f"expected a duration such as 90s, 30m, 12h or 7d, got {text[:40]!r}")
    return float(found[1]) * _SECONDS[found[2]]
