"""Copying data to plain values that JSON or Ansible's YAML can represent."""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Mapping
from typing import Any

from playstream.pipeline.errors import ConfigurationError

MAX_LEVELS = 200
"""Maximum nesting of lists and objects. Python's own limit for JSON depends on its version and on the caller."""
_EXPECTED = "a string, a number, true, false, null, a list or a dict"
_SHOWN = 200
_YAML_ONLY = (bytes, dt.date, set, frozenset)


def copy_plain(
    source: str, values: Mapping[Any, Any], *, yaml: bool = False, paths: bool = False
) -> tuple[dict[Any, Any], bool]:
    """Return a copy in Python's own types, and whether JSON represents it without a change.

    A tuple becomes a list, and an object of a derived type, such as an enumeration, one of the base type.

    Args:
        source: the name of the argument, for errors.
        values: the data to copy.
        yaml: accept what only YAML can represent: names that are not strings, dates, bytes, sets and infinite numbers.
        paths: accept halves of a character (U+D800 to U+DFFF): they stand for bytes in the paths of files.

    Raises:
        ConfigurationError: a value is of another kind or is nested too deeply; names the value.
    """
    copier = _Copier(source, yaml, paths)
    copied = copier.copy(values, "", 0)
    try:
        json.dumps(copied if copier.exact else None)
    except ValueError as error:  # an integer that has too many digits
        raise ConfigurationError(f"{source}: a value cannot be converted to text: {error}") from None
    return copied, copier.exact


def too_deep(source: str) -> ConfigurationError:
    """Return the error for data that is nested too deeply."""
    return ConfigurationError(
        f"{source}: expected at most {MAX_LEVELS} levels of nested lists and objects, got more. A value probably "
        "contains itself"
    )


class _Copier:
    def __init__(self, source: str, yaml: bool, paths: bool) -> None:
        self._source = source
        self._yaml = yaml
        self._paths = paths
        self.exact = True

    def copy(self, value: Any, place: str, level: int) -> Any:
        """Copy a value; `place` is its position, as in `hosts.web[2]`."""
        if not isinstance(value, (Mapping, list, tuple, set, frozenset)):
            return self._scalar(value, place)
        if level >= MAX_LEVELS:
            raise too_deep(self._source)
        if isinstance(value, Mapping):
            return {
                self._name(name, place): self.copy(item, _join(place, name), level + 1) for name, item in value.items()
            }
        if isinstance(value, (list, tuple)):
            return [self.copy(item, f"{place}[{number}]", level + 1) for number, item in enumerate(value)]
        self._need_yaml(value, place)
        return {self._scalar(item, place) for item in value}

    def _name(self, name: Any, place: str) -> Any:
        if isinstance(name, str):
            return self._text(name, _join(place, name))
        if not self._yaml or not (name is None or isinstance(name, (int, float, dt.date))):
            raise ConfigurationError(
                f"{self._source}: {_show(_join(place, name))}: expected a string as a name, got {name!r}; put it in "
                "quotes"
            )
        self.exact = False
        return self._scalar(name, place)

    def _scalar(self, value: Any, place: str) -> Any:
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            return self._text(value, place)
        if isinstance(value, int):
            return int(value)
        if isinstance(value, float) and math.isfinite(value):
            return float(value)
        self._need_yaml(value, place)
        return value

    def _text(self, value: str, place: str) -> str:
        text = str.__str__(value)
        if not text.isascii() and not self._paths:
            try:
                text.encode()
            except UnicodeEncodeError:
                raise ConfigurationError(
                    f"{self._source}: {_show(ascii(place)[1:-1])}: expected a string that can be encoded as UTF-8, got "
                    "a lone surrogate (U+D800 to U+DFFF)"
                ) from None
        return text

    def _need_yaml(self, value: Any, place: str) -> None:
        if not self._yaml or not isinstance(value, (*_YAML_ONLY, float)):
            got = repr(value) if isinstance(value, float) else f"an object of the type {type(value).__name__}"
            raise ConfigurationError(f"{self._source}: {_show(place)}: expected {_EXPECTED}, got {got}")
        self.exact = False


def _join(place: str, name: Any) -> str:
    return f"{place}.{name}" if place else str(name)


def _show(place: str) -> str:
    return place if len(place) <= _SHOWN else f"{place[:_SHOWN]}…"
