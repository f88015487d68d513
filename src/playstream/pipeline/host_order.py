"""The order in which hosts are named to people."""

from __future__ import annotations

import re
from collections.abc import Iterable

_PARTS = re.compile(r"[0-9]+|[^0-9]+")
_TEXT = 1 << 62
"""Where a text stands: behind each number."""


def sort_hosts(names: Iterable[str]) -> list[str]:
    """Return names sorted as people count: `web2` is before `web10`."""
    return sorted(names, key=_key)


def _key(name: str) -> tuple[list[tuple[int, str]], str]:
    return [_part(part) for part in _PARTS.findall(name)], name


def _part(part: str) -> tuple[int, str]:
    """Return a number by its length and its digits, because int() refuses long ones, and a text as it is."""
    if part[0] not in "0123456789":
        return _TEXT, part
    digits = part.lstrip("0")
    return len(digits), digits
