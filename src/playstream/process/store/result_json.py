"""A result as JSON text: limited in size, valid in every database, without private keys and what no_log hides."""

from __future__ import annotations

import json
import math
from typing import Any

from playstream.process.event_data import CENSORED, is_private
from playstream.process.store.values import as_text

MAX_RES = 65_536
"""Maximum number of characters of a result's JSON."""
_MAX_LEVELS = 40
_SHORT = 1000
_KEPT_WHEN_CUT = ("changed", "failed", "skipped", "unreachable", "rc", "msg", "exception")
_PLAIN = (str, bool, int, float, type(None))
_HIDDEN = {"censored": CENSORED}


def _as_word(value: object) -> str:
    """Return the replacement for a value that JSON cannot represent, which a handler may have added."""
    return f"<{type(value).__name__}>"


_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_as_word).encode
_SUSPICIOUS = ('"_ansible_', '"censored"', "\\u0000")


def encode_res(res: object, limit: int = MAX_RES) -> tuple[str | None, bool]:
    """Encode a result as JSON.

    Args:
        res: the result in the event, of any type.
        limit: maximum number of characters.

    Returns:
        The JSON, or None if there is no result, and whether something was cut off.
    """
    if res is None:
        return None, False
    shown = _try_encode(res)
    if shown is None or any(mark in shown for mark in _SUSPICIOUS) or _is_deep(res, shown):
        res = _clean(res, 0)
        shown = _try_encode(res)
    if shown is not None and len(shown) <= limit:
        return shown, False
    short = _cut(res)
    shown = _try_encode(short)
    return (shown if shown is not None and len(shown) <= max(limit, 2) else "{}"), True


def is_hidden(res: object) -> bool:
    """Return True if no_log hides the result."""
    return isinstance(res, dict) and (isinstance(res.get("censored"), str) or bool(res.get("_ansible_no_log")))


def _try_encode(value: object) -> str | None:
    """Return JSON; None if a value cannot be represented in JSON or UTF-8, or is nested too deeply."""
    try:
        shown = _encode(value)
        if not shown.isascii():
            shown.encode("utf-8")
    except (ValueError, TypeError, RecursionError):
        return None
    return shown


def _clean(value: object, depth: int) -> Any:
    """Return a copy that can be stored.

    It has no private keys, nothing that no_log hides, and no NUL, lone surrogates, NaN and Infinity.
    """
    if isinstance(value, str):
        return as_text(value, max(len(value), 1))
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return value if value.bit_length() <= 64 else _as_word(value)
    if depth == _MAX_LEVELS:
        return "…"
    if isinstance(value, dict):
        if is_hidden(value):
            return _HIDDEN
        return {as_text(str(key), 1000): _clean(item, depth + 1) for key, item in value.items() if _is_key(key)}
    if isinstance(value, (list, tuple)):
        return [_clean(item, depth + 1) for item in value]
    return _as_word(value)


def _is_key(key: object) -> bool:
    return isinstance(key, _PLAIN) and not is_private(key)


def _is_deep(value: object, shown: str) -> bool:
    """Return True if parsing the JSON again may exceed Python's recursion limit."""
    if shown.count("{") + shown.count("[") <= _MAX_LEVELS:
        return False
    level = [value]
    for _ in range(_MAX_LEVELS):
        level = [
            item
            for outer in level
            if isinstance(outer, (dict, list, tuple))
            for item in (outer.values() if isinstance(outer, dict) else outer)
        ]
    return any(isinstance(item, (dict, list, tuple)) for item in level)


def _cut(res: object) -> object:
    """Return a few short fields, as the callback plugin does with long results."""
    if not isinstance(res, dict):
        return {}
    kept = {}
    for name in _KEPT_WHEN_CUT:
        value = res.get(name)
        if isinstance(value, str):
            kept[name] = as_text(value, _SHORT)
        elif value is not None and isinstance(value, _PLAIN):
            kept[name] = _clean(value, 0)
    return kept
