"""JSON that every reader accepts.

Python's json writes NaN and Infinity, which are not JSON, and lone surrogates, which cannot be encoded. Both occur in
results of modules, and in what an untrusted worker sends.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

MAX_LEVELS = 100
"""Levels of nesting that `fit_json` keeps, so that the value can be read and written within Python's recursion
limit."""
_MAX_BITS = 14_000
"""The limit for integers: Python writes at most 4300 digits."""

_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, default=str).encode


def dump_json(value: Any, *, default: Callable[[Any], Any] | None = None, indent: int | None = None) -> str:
    """Return the value as valid JSON, in ASCII. What JSON cannot represent is replaced, as by `fit_json`.

    Raises:
        TypeError: it contains an object that JSON cannot represent, and there is no `default`.
        ValueError: it contains itself.
        RecursionError: it is nested too deep.
    """
    try:
        text = json.dumps(value, default=default, indent=indent, allow_nan=False)
    except ValueError:
        value = _clean(json.loads(json.dumps(value, default=default)), 0)  # raises if it contains itself
        return json.dumps(value, indent=indent)
    if "\\ud" in text and not is_json(json.loads(text)):
        return json.dumps(_clean(json.loads(text), 0), indent=indent)
    return text


def is_json(value: Any) -> bool:
    """Return True if a value from json.loads can be represented in JSON and encoded as UTF-8."""
    try:
        text = _encode(value)
        if not text.isascii():
            text.encode("utf-8")
    except (ValueError, RecursionError):
        return False
    return True


def fit_json(value: Any) -> Any:
    """Make a value from json.loads representable in JSON.

    Args:
        value: not changed.

    Returns:
        The value itself if it is representable. Otherwise a copy, with None for NaN, Infinity and integers that are too
        long, U+FFFD for lone surrogates, and `…` for values nested deeper than MAX_LEVELS levels.
    """
    try:
        text = _encode(value)
        if not text.isascii():
            text.encode("utf-8")
        if text.count("{") + text.count("[") <= MAX_LEVELS or not _is_deep(value):
            return value
    except (ValueError, RecursionError):
        pass
    return _clean(value, 0)


def _is_deep(value: Any) -> bool:
    level = [value]
    for _ in range(MAX_LEVELS):
        level = [
            item
            for outer in level
            for item in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(item, (dict, list))
        ]
        if not level:
            return False
    return True


def _clean(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        return _clean_text(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, int):
        return value if value.bit_length() <= _MAX_BITS else None
    if not isinstance(value, (dict, list)):
        return value
    if depth == MAX_LEVELS:
        return "…"
    if isinstance(value, dict):
        return {_clean_text(key): _clean(item, depth + 1) for key, item in value.items()}
    return [_clean(item, depth + 1) for item in value]


def _clean_text(text: str) -> str:
    return text if text.isascii() else text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
