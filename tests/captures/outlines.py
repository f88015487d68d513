"""Outlines of runs, which are compared."""

from __future__ import annotations

from typing import Any

from playstream.captures.comparison import Outline


def outline(*results: tuple[str, str, str], status: str = "successful", **more: Any) -> Outline:
    """A run with results: host, task, outcome. The same `seconds` and `res` are those of each."""
    found = Outline()
    found.status, found.rc = status, 0 if status == "successful" else 2
    for host, task, outcome in results:
        found.add(
            host,
            more.get("role"),
            task,
            more.get("action", "command"),
            outcome=outcome,
            seconds=more.get("seconds"),
            res=more.get("res", {}),
        )
    return found
