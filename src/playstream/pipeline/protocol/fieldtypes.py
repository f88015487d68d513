"""The fields of the JSON records: their types, checked in both directions.

Errors never show a payload, because a Job contains secrets.

The other side is not trusted: JSON that is nested too deeply, repeats a key, or contains NaN or a value of the wrong
type is a RemoteProtocolError that names the field.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import MISSING, Field, fields
from typing import Any, cast

from playstream.pipeline.errors import LocalProtocolError, RemoteProtocolError
from playstream.pipeline.protocol.records import Job, KeyMode, LogLevel, Record, StatusName

_Check = Callable[[Any], Any]


class _Mismatch(Exception):
    """A value does not have its field's type; the message says what was expected."""


def _string(value: Any) -> str:
    if type(value) is not str:
        raise _Mismatch("a string")
    return value


def _whole_number(value: Any) -> int:
    if type(value) is not int or not -(2**63) <= value < 2**63:
        raise _Mismatch("a 64-bit integer")
    return value


def _cell_count(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 2**16:
        raise _Mismatch("a 16-bit integer that is not negative")
    return value


def _number(value: Any) -> float:
    if type(value) not in {int, float} or not abs(value) < 2**63:
        raise _Mismatch("a number below 2 to the power of 63")
    return float(value)


def _boolean(value: Any) -> bool:
    if type(value) is not bool:
        raise _Mismatch("true or false")
    return value


def _object(value: Any) -> dict[str, Any]:
    if type(value) is not dict:
        raise _Mismatch("an object")
    return value


def _strings_by_name(value: Any) -> dict[str, str]:
    if type(value) is not dict or not all(type(item) is str for item in value.values()):
        raise _Mismatch("an object of strings")
    return value


def _strings(value: Any) -> tuple[str, ...]:
    if type(value) is not list or not all(type(item) is str for item in value):
        raise _Mismatch("a list of strings")
    return tuple(value)


def _objects(value: Any) -> tuple[dict[str, Any], ...]:
    if type(value) is not list or not all(type(item) is dict for item in value):
        raise _Mismatch("a list of objects")
    return tuple(value)


def _digest(value: Any) -> bytes:
    if type(value) is str and len(value) == 64:
        try:
            digest = bytes.fromhex(value)
        except ValueError:
            digest = b""
        if len(digest) == 32:  # fromhex ignores spaces
            return digest
    raise _Mismatch("64 hexadecimal digits")


def _status(value: Any) -> StatusName:
    try:
        return StatusName(value)
    except ValueError:
        raise _Mismatch("one of " + ", ".join(name.value for name in StatusName)) from None


def _level(value: Any) -> LogLevel:
    try:
        return LogLevel(value)
    except ValueError:
        raise _Mismatch("one of " + ", ".join(name.value for name in LogLevel)) from None


def _key_mode(value: Any) -> KeyMode:
    try:
        return KeyMode(value)
    except ValueError:
        raise _Mismatch("one of " + ", ".join(name.value for name in KeyMode)) from None


_CHECKS: dict[str, _Check] = {
    "str": _string,
    "int": _whole_number,
    "CellCount": _cell_count,
    "float": _number,
    "bool": _boolean,
    "bytes": _digest,
    "Mapping[str, Any]": _object,
    "Mapping[str, str]": _strings_by_name,
    "tuple[str, ...]": _strings,
    "tuple[Mapping[str, Any], ...]": _objects,
    "StatusName": _status,
    "LogLevel": _level,
    "KeyMode": _key_mode,
}
_OPTIONAL = " | None"


def _default(item: Field[Any]) -> Any:
    if item.default is not MISSING:
        return item.default
    return item.default_factory() if item.default_factory is not MISSING else MISSING


def encode_fields(record: Record) -> bytes:
    """Return the JSON of a record. Fields with their default are omitted, so that older receivers need not know them.

    Raises:
        LocalProtocolError: a value does not have its field's type, or is not JSON.
    """
    values: dict[str, Any] = {}
    for item in fields(record):
        value = getattr(record, item.name)
        if value == _default(item) and type(value) is type(_default(item)):
            continue
        values[item.name] = value.hex() if isinstance(value, bytes) else value
    try:
        payload = json.dumps(values, allow_nan=False, ensure_ascii=True, separators=(",", ":")).encode()
        decode_fields(type(record), payload)  # this side must not send what it would not accept
    except (TypeError, ValueError, RecursionError, RemoteProtocolError) as error:
        raise LocalProtocolError(f"{record!r} cannot be sent: {error}") from None
    return payload


def decode_fields(cls: type, payload: bytes) -> Record:
    """Decode the record of class `cls` in `payload`.

    Raises:
        RemoteProtocolError: it is not the JSON of such a record.
    """
    name = cls.__name__
    values = _load_object(name, payload)
    arguments: dict[str, Any] = {}
    for item in fields(cls):
        if item.name in values:
            arguments[item.name] = _check_field(name, item, values.pop(item.name))
        elif _default(item) is MISSING:
            raise RemoteProtocolError(f"a {name} record lacks its field {item.name!r}")
    if values and cls is Job:
        # An unknown field would change what runs, so it must not be ignored.
        raise RemoteProtocolError(
            f"the job has arguments that this side does not know: {_shown(sorted(values))}. The sender is newer; "
            "update playstream here, or omit the arguments"
        )
    return cast(Record, cls(**arguments))


def _shown(names: list[str]) -> str:
    """Return the first names for a message, only identifiers: others may be long or unprintable."""
    shown = [name if name.isidentifier() and len(name) <= 64 else "(not a name)" for name in names[:8]]
    return ", ".join(shown) + (f" and {len(names) - 8} more" if len(names) > 8 else "")


def _check_field(name: str, item: Field[Any], value: Any) -> Any:
    kind = str(item.type)
    if kind.endswith(_OPTIONAL):
        if value is None:
            return None
        kind = kind[: -len(_OPTIONAL)]
    try:
        return _CHECKS[kind](value)
    except _Mismatch as mismatch:
        raise RemoteProtocolError(
            f"field {item.name!r} of a {name} record: expected {mismatch}, got {type(value).__name__}"
        ) from None


def _load_object(name: str, payload: bytes) -> dict[str, Any]:
    try:
        values = json.loads(
            payload.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_constant=_refuse_constant,
            parse_float=_finite,
        )
    except (ValueError, RecursionError) as error:
        raise RemoteProtocolError(f"a {name} record of {len(payload)} bytes is not valid JSON: {error}") from None
    if type(values) is not dict:
        raise RemoteProtocolError(f"a {name} record must be a JSON object, got {type(values).__name__}")
    return values


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise ValueError("an object contains a duplicate key")
    return values


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError("a number is too large")
    return number


def _refuse_constant(constant: str) -> None:
    raise ValueError(f"{constant} is not a JSON value")
