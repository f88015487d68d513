"""The diffs of a result as unified diffs, as Ansible prints them."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from playstream.process.event_data import text_of
from playstream.report.failures import clean

_MAX_LINES = 3000
"""Number of lines of a file up to which two versions are compared; the time for it grows with its square."""
_MAX_TEXT = 120_000
_MAX_DIFFS = 50
"""Number of diffs of a result: those of a loop's items are in it."""
_HEADERS = ("after_header", "before_header")
_PATHS = ("path", "dest", "name")
"""Values of a result that say what was changed, if the diff does not."""
_TOO_LONG = "(too long to be compared)"


def diffs_of(res: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the name of each changed thing, such as a path, and how it changed; '' if it has no name."""
    left = _MAX_DIFFS
    for part in _parts(res):
        found = part.get("diff")
        for diff in found if isinstance(found, list) else [found]:
            if not isinstance(diff, dict) or not left:
                continue
            text = _text_of(diff)
            if text:
                left -= 1
                name = next(
                    filter(
                        None, (*(text_of(diff, side) for side in _HEADERS), *(text_of(part, key) for key in _PATHS))
                    ),
                    "",
                )
                yield name.removesuffix(" (content)").removesuffix(" (file attributes)"), text


def _parts(res: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield res
    items = res.get("results")
    for item in items if isinstance(items, list) else ():
        if isinstance(item, dict):
            yield item


def _text_of(diff: Mapping[str, Any]) -> str:
    prepared = text_of(diff, "prepared")
    if prepared:
        return clean(prepared)[:_MAX_TEXT]
    before, after = _side_of(diff.get("before")), _side_of(diff.get("after"))
    return "" if before == after else compare(before, after)


def _side_of(value: object) -> str:
    """Return one side of a diff as text; a mapping has a line for each value, as in Ansible's output."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return "".join(f"{clean(str(key))}: {_as_line(value[key])}\n" for key in sorted(value, key=str))
    return ""


def _as_line(value: object) -> str:
    try:
        return clean(str(value))
    except (RecursionError, ValueError):  # nested too deeply, or a number too long
        return "…"


@lru_cache(maxsize=64)
def compare(before: str, after: str) -> str:
    """Return how a text changed, in the format of `diff -u` without its head. Many hosts have the same change."""
    lines = before.splitlines(keepends=True), after.splitlines(keepends=True)
    if max(map(len, lines)) > _MAX_LINES or max(len(before), len(after)) > _MAX_TEXT:
        return _TOO_LONG
    parts = list(difflib.unified_diff(*lines))[2:]
    return "".join(part if part.endswith("\n") else f"{part}\n\\ no line end\n" for part in parts)[:_MAX_TEXT]
