"""Comparing versions, as ansible-galaxy compares them: only their numbers count."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable

_NUMBERS = re.compile(r"v?(\d{1,9}(?:\.\d{1,9})*)")
_COMPARISON = re.compile(r"\s*(==|!=|>=|<=|>|<|=|)\s*v?(\d{1,9}(?:\.\d{1,9})*)[\w.+-]*\s*\Z")
_SIGNS: dict[str, Callable[[list[int], list[int]], bool]] = {
    "": operator.eq,
    "=": operator.eq,
    "==": operator.eq,
    "!=": operator.ne,
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}


def is_comparison(wanted: str) -> bool:
    """Return whether a text is understood: comparisons separated by commas, such as `>=1.0.0,<2.0.0`."""
    return all(map(_COMPARISON.match, wanted.split(",")))


def accepts(wanted: str, version: str) -> bool:
    """Return whether a version is one of those wanted.

    Args:
        wanted: comparisons separated by commas, such as `>=1.0.0,<2.0.0`, a version alone, or `*`. What cannot be
            understood is accepted: the program that knows it decides.
        version: the version; only its numbers count.
    """
    have = _NUMBERS.match(version.strip())
    comparisons = filter(None, map(_COMPARISON.match, wanted.split(",")))
    return have is None or all(_SIGNS[match[1]](*_aligned(have[1], match[2])) for match in comparisons)


def _aligned(one: str, other: str) -> tuple[list[int], list[int]]:
    """Return the numbers of two versions, as many of each."""
    numbers = [list(map(int, text.split("."))) for text in (one, other)]
    size = max(map(len, numbers))
    first, second = ([*item, *[0] * (size - len(item))] for item in numbers)
    return first, second
