# SPDX-License-Identifier: GPL-3.0-or-later
"""Values as JSON text."""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Callable, Mapping, Sequence, Set
from json import encoder as json_encoder
from time import gmtime, strftime, time_ns
from typing import Any

try:
    from ansible.module_utils.secrets import mask_secrets
except ImportError:  # before ansible-core 2.22
    mask_secrets = None
_UUIDS = frozenset(("playbook_uuid", "play_uuid", "task_uuid", "uuid"))
quote: Callable[[str], str] = json_encoder.encode_basestring_ascii
"""A text as a JSON string."""


def text_of(value: object) -> str:
    """Convert a value to text, even if its own conversion fails."""
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - an undefined template variable may raise anything
        return f"<{type(value).__name__}>"


def _default(value: Any) -> object:
    """Convert a value that json cannot encode. Never raise."""
    try:
        ciphertext = getattr(value, "_ciphertext", None)
        if ciphertext is not None:
            return {"__ansible_vault": _default(ciphertext) if isinstance(ciphertext, bytes) else text_of(ciphertext)}
        if isinstance(value, (dt.date, dt.time)):
            return value.isoformat()
        if isinstance(value, (bytes, bytearray)):
            return bytes(value).decode("utf-8", "surrogateescape")
        if isinstance(value, Mapping):
            return dict(value)
        if isinstance(value, Set):
            return sorted(value, key=text_of)
        if isinstance(value, Sequence):
            return list(value)
    except Exception:  # noqa: BLE001 - the object's own methods may raise anything
        return text_of(value)
    return text_of(value)


def _plain(value: Any, above: tuple[int, ...] = ()) -> Any:
    """Return a copy that json always accepts: text keys, finite numbers, no cycles."""
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return value if value.bit_length() < 4096 else hex(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else text_of(value)
    if id(value) in above or len(above) > 100:
        return "..."
    above = (*above, id(value))
    if isinstance(value, dict):
        return {str(key) if isinstance(key, str) else text_of(key): _plain(item, above) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item, above) for item in value]
    return _plain(_default(value), above)


def _encoder() -> Callable[[Any, int], Sequence[str]]:
    """Create the encoder once, which JSONEncoder creates for each value."""
    try:
        make: Any = json_encoder.c_make_encoder  # type: ignore[attr-defined]
        made: Callable[[Any, int], Sequence[str]] = make(None, _default, quote, None, ":", ",", False, False, False)
    except (AttributeError, TypeError):  # this Python has none, or a different one
        encoder = json.JSONEncoder(allow_nan=False, check_circular=False, default=_default, separators=(",", ":"))
        return lambda value, _level: (encoder.encode(value),)
    return made


_chunks = _encoder()


def encode(value: Any) -> str:
    """Return any value as JSON."""
    try:
        return "".join(_chunks(value, 0))
    except (TypeError, ValueError, RecursionError):
        return "".join(_chunks(_plain(value), 0))


def members(fields: Mapping[str, Any]) -> str:
    """Return the fields as text inside an object, each followed by a comma, with secrets masked.

    Ansible itself masks secrets in results and in displayed text.
    """
    return encode(_masked(fields))[1:-1] + "," if fields else ""


def _masked(value: Any, above: tuple[int, ...] = ()) -> Any:
    """Return a copy of plain data with secrets masked, except in the fields that relate events."""
    if mask_secrets is None:
        return value
    if isinstance(value, str):
        return mask_secrets(value)
    if not isinstance(value, (Mapping, list, tuple)):
        return value
    if id(value) in above or len(above) > 100:
        return "..."
    above = (*above, id(value))
    if isinstance(value, Mapping):
        return {
            mask_secrets(key) if isinstance(key, str) else key: item if key in _UUIDS else _masked(item, above)
            for key, item in value.items()
        }
    return [_masked(item, above) for item in value]


def microseconds() -> int:
    """Return the microseconds since 1970."""
    return time_ns() // 1000


_second = 0, ""


def iso_of(when: int) -> str:
    """Return the time in UTC, in the form of datetime.isoformat()."""
    global _second  # noqa: PLW0603 - most events are in the same second as the previous one
    second, rest = divmod(when, 1000000)
    known, text = _second
    if known != second:
        text = strftime("%Y-%m-%dT%H:%M:%S", gmtime(second))
        _second = second, text
    return f"{text}.{rest:06d}+00:00"
