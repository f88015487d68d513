# SPDX-License-Identifier: GPL-3.0-or-later
"""What was found, with a place for each value, in a bounded size."""

from __future__ import annotations

from typing import Any

_MAX_VALUES = 50
"""How many values of one kind are kept. Whoever decides needs one that is in the way, and not all."""
_MAX_TEXT = 300

Found = dict[str, str]
"""Each value, and one place where it was found."""


def short(value: Any) -> str:
    """Return a value as plain text that is not too long."""
    text = str(value)
    return text if len(text) <= _MAX_TEXT else text[:_MAX_TEXT] + "…"


class Facts:
    """The values that were found, by kind."""

    def __init__(self) -> None:
        self.connections: Found = {}
        self.become_methods: Found = {}
        self.become_flags: Found = {}
        self.shells: Found = {}
        self.actions: Found = {}
        """Names of actions that matter, such as `raw`."""
        self.strategies: Found = {}
        """Strategies that plays choose."""
        self.host_keys: Found = {}
        self.unknown: Found = {}
        """What is only known at run time, or cannot be read."""
        self.default_plays = 0
        """The number of plays that do not choose their strategy."""

    def note(self, found: Found, value: Any, where: Any) -> None:
        """Keep a value and the first place where it was found."""
        text = short(value)
        if text not in found and len(found) < _MAX_VALUES:
            found[text] = short(where)

    def as_dict(self) -> dict[str, Any]:
        """Return all of them, for JSON."""
        return dict(vars(self))
