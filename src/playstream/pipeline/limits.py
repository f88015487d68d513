"""Limits: on the resources that a stream may use on its receiver, whose errors name the flag, and on times."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from playstream.pipeline.errors import ConfigurationError, LimitExceeded


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits whose defaults are far above the needs of usual projects, but protect disk and memory."""

    max_tree_bytes: int = 1 << 36
    """Bytes of file content of a tree: 64 GiB."""
    max_tree_entries: int = 1_000_000
    """Entries of a tree, its root included."""
    max_record_bytes: int = 1 << 26
    """Bytes of one record, or of one line in ansible-runner's protocol: 64 MiB. JSON takes several times as much
    memory."""


DEFAULT_LIMITS = Limits()
MAX_SECONDS = 10**10
"""The largest time limit: 300 years."""


def check_seconds(source: str, seconds: float) -> float:
    """Check a number of seconds, where 0 means never.

    Args:
        source: the flag, argument or setting, for errors.
        seconds: the number.

    Raises:
        ConfigurationError: it is negative, too large or not a number.
    """
    if seconds > MAX_SECONDS:
        raise ConfigurationError(f"{source}: expected at most {MAX_SECONDS} seconds; 0 means no limit")
    if not seconds >= 0:  # or not a number
        raise ConfigurationError(f"{source}: expected a number of seconds, 0 or more, got {seconds:g}")
    return seconds


def limits_of(options: Mapping[str, Any]) -> Limits:
    """Return the limits from keyword arguments or flags; those that are None or missing get their defaults.

    Raises:
        ConfigurationError: a limit is less than 1.
    """
    given = {item.name: options[item.name] for item in fields(Limits) if options.get(item.name) is not None}
    for name, value in given.items():
        if value < 1:
            raise ConfigurationError(f"{name}: expected an integer of 1 or more, got {value}")
    return Limits(**given)


def exceeded(what: str, limit: int, name: str) -> LimitExceeded:
    """Return the error for a limit that was exceeded.

    Args:
        what: what exceeds the limit, for the message.
        limit: the limit.
        name: the name of the limit as an argument; the name of its flag is derived from it.
    """
    flag = "--" + name.replace("_", "-")
    return LimitExceeded(
        f"{what}: at most {limit} are accepted. The other side may be faulty; if not, raise the limit with {flag}"
    )
