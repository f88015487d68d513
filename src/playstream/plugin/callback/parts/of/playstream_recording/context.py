# SPDX-License-Identifier: GPL-3.0-or-later
"""Fields that the events of a play or a task share."""

from __future__ import annotations

from typing import Any

from .wire import members, quote


class Context:
    """Fields for `event_data`, as a dictionary and as the text in an event."""

    __slots__ = ("_members", "_parents", "fields", "head")

    def __init__(self, fields: dict[str, Any], adhoc: bool) -> None:
        keys = ("playbook_uuid",) if adhoc else ("task_uuid", "play_uuid", "playbook_uuid")
        self.fields = fields
        self._parents = [fields[key] for key in keys if fields.get(key)]
        self._members = members(fields)
        self.head = self.head_of(None)
        """The event's text from `parent_uuid` to the last of these fields, for an event with its own uuid."""

    def head_of(self, own: str | None, *, before: str = "", kept: bool = True) -> str:
        """Return this text for an event with the uuid `own`, with `before` before `event_data`, if that is `kept`."""
        parent = next((parent for parent in self._parents if parent != own), None)
        stated = f'"parent_uuid":{quote(parent)},' if parent else ""
        return f'{stated}{before}"event_data":{{{self._members if kept else ""}'
