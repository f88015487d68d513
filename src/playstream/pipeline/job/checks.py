"""Keyword arguments, checked against the annotations of their TypedDict."""

from __future__ import annotations

import os
import types
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import IO, Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints
from uuid import UUID

from playstream.pipeline.errors import ConfigurationError, did_you_mean


def check_options(given: Mapping[str, Any], kind: type, function: str) -> dict[str, Any]:
    """Check keyword arguments, and return those that are not None.

    Args:
        given: keyword arguments.
        kind: the TypedDict that they must match.
        function: the function's name, for errors.

    Raises:
        ConfigurationError: one has an unknown name, or a value of a wrong type.
    """
    hints = _hints(kind)
    for name, value in given.items():
        if name not in hints:
            raise ConfigurationError(f"{function}() got an unexpected keyword argument {name!r}{_suggest(name, hints)}")
        if value is not None and not _fits(value, hints[name]):
            raise ConfigurationError(f"{name}: expected {_describe(hints[name])}, got {_shown(value, hints[name])}")
    return {name: value for name, value in given.items() if value is not None}


def refuse_empty(given: Mapping[str, Any], kind: type) -> None:
    """Check that no option that is a path or a name is empty, nor any item of a list of them.

    Args:
        given: keyword arguments.
        kind: the TypedDict that has their types; other options are ignored.

    Raises:
        ConfigurationError: one is.
    """
    hints, names = _hints(kind), paths_and_names(kind)
    for name, value in given.items():
        items = value if isinstance(value, (list, tuple)) else [value]
        if name in names and any(_is_empty(item) for item in items):
            raise ConfigurationError(
                f"{name}: expected {_describe(hints[name])}, got an empty string. A variable is probably not set; omit "
                "the option for the default"
            )


@cache
def paths_and_names(kind: type) -> frozenset[str]:
    """Return the options of the TypedDict `kind` that are paths or names, which cannot be empty."""
    return frozenset(name for name, hint in _hints(kind).items() if _is_path_or_name(hint))


def _is_empty(value: Any) -> bool:
    return isinstance(value, (str, os.PathLike)) and not os.fspath(value)


def _is_path_or_name(hint: Any) -> bool:
    """Return whether texts of this type are paths or names."""
    origin = get_origin(hint)
    return origin in (Annotated, os.PathLike) or (
        origin in (Union, types.UnionType, Sequence) and any(map(_is_path_or_name, get_args(hint)))
    )


def select_options(given: Mapping[str, Any], kind: type) -> dict[str, Any]:
    """Return the options that the TypedDict `kind` has."""
    return {name: value for name, value in given.items() if name in kind.__annotations__}


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind, include_extras=True)


def _suggest(name: str, hints: Mapping[str, Any]) -> str:
    return did_you_mean(name, hints) or ". docs/python.md lists them"


def _shown(value: Any, hint: Any) -> str:
    """Return a value's type for a message. The value, which may be secret, is shown only for a choice of words."""
    hints = (hint, *get_args(hint))
    if isinstance(value, (list, tuple)):
        items = [get_args(item)[0] for item in hints if get_origin(item) is Sequence]
        wrong = [item for item in value if not any(_fits(item, kind) for kind in items)]
        if items and wrong:
            return f"a list with an item of type {type(wrong[0]).__name__}"
    is_choice = isinstance(value, str) and any(get_origin(item) is Literal for item in hints)
    return repr(value) if is_choice or isinstance(value, bool) else type(value).__name__


def _fits(value: Any, hint: Any) -> bool:
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is Any:
        return True
    if origin is Annotated:
        return _fits(value, arguments[0])
    if origin in (Union, types.UnionType):
        return any(_fits(value, item) for item in arguments)
    if origin is Literal:
        return value in arguments
    if origin is IO or origin is Callable or getattr(hint, "_is_protocol", False):
        return hasattr(value, "read") or hasattr(value, "write") if origin is IO else callable(value)
    if hint is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return _fits_generic(value, origin, arguments) if origin is not None else isinstance(value, hint)


def _fits_generic(value: Any, origin: Any, arguments: tuple[Any, ...]) -> bool:
    if origin is Mapping:
        return isinstance(value, Mapping)
    if origin is Sequence:
        plain = isinstance(value, Sequence) and not isinstance(value, (str, bytes))
        return plain and all(_fits(item, arguments[0]) for item in value)
    if origin is type(None):
        return value is None
    return callable(value) if origin.__name__ == "Callable" else isinstance(value, origin)


def _describe(hint: Any, *, many: bool = False) -> str:
    """Describe a type in words; `many` for the plural."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return f"{arguments[1]}s" if many else f"a {arguments[1]}"
    if origin in (Union, types.UnionType):
        return " or ".join(_describe(item, many=many) for item in arguments if item is not type(None))
    if origin is Literal:
        return " or ".join(repr(item) for item in arguments)
    if origin is Sequence:
        return f"{'lists' if many else 'a list'} of {_describe(arguments[0], many=True)}"
    words = {
        bool: ("true or false", "booleans"),
        int: ("an integer", "integers"),
        float: ("a number", "numbers"),
        str: ("a string", "strings"),
        Mapping: ("a dict", "dicts"),
        os.PathLike: ("a path", "paths"),
        IO: ("a file object", "file objects"),
        UUID: ("a UUID", "UUIDs"),
    }
    known = words.get(origin or hint)
    if known is not None:
        return known[many]
    is_class = isinstance(hint, type) and not getattr(hint, "_is_protocol", False)
    if is_class:
        return f"{'objects' if many else 'an object'} of {hint.__name__}"
    return "functions" if many else "a function"
