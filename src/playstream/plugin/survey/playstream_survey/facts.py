# SPDX-License-Identifier: GPL-3.0-or-later
"""What was found, with a place for each value, in a bounded size."""

from __future__ import annotations

from typing import Any

_MAX_VALUES = 50
"""How many values of one kind are kept. Whoever decides needs one that is in the way, and not all."""
_MAX_TEXT = 300
_MAX_LOGINS = 5000
_MAX_LOGINS_TEXT = 1 << 18
_MAX_NAME = 255

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
        self.timeouts: Found = {}
        """Time limits of tasks, in seconds."""
        self.strategies: Found = {}
        """Strategies that plays choose."""
        self.host_keys: Found = {}
        self.unknown: Found = {}
        """What is only known at run time, or cannot be read."""
        self.logins: list[tuple[str, str, int, str]] = []
        """Hosts over ssh on which a task may become another user: name, address, port (0 for the default) and user."""
        self._logins_text = 0
        self.default_plays = 0
        """The number of plays that do not choose their strategy."""

    def note(self, found: Found, value: Any, where: Any) -> None:
        """Keep a value and the first place where it was found."""
        text = short(value)
        if text not in found and len(found) < _MAX_VALUES:
            found[text] = short(where)

    def note_login(self, name: str, address: str, port: Any, user: Any) -> None:
        """Keep how ssh is given a host, if that is plain."""
        try:
            login = name, address, int(port or 0), str(user or "")
        except (TypeError, ValueError):
            return
        texts = (login[0], login[1], login[3])
        self._logins_text += sum(map(len, texts))
        is_plain = all(len(text) <= _MAX_NAME and text.isprintable() for text in texts) and 0 <= login[2] < 1 << 16
        if is_plain and len(self.logins) < _MAX_LOGINS and self._logins_text <= _MAX_LOGINS_TEXT:
            self.logins.append(login)

    def as_dict(self) -> dict[str, Any]:
        """Return all of them, for JSON."""
        return {name: value for name, value in vars(self).items() if not name.startswith("_")}
