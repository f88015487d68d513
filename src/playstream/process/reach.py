"""Whether a run has reached any host: Ansible takes an inventory that it cannot read, and no hosts, for success."""

from __future__ import annotations

import re
from typing import Any

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_UNREAD = re.compile(r"Unable to parse (.{1,300}?) as an inventory source")
_NOBODY = re.compile(r"No hosts matched, nothing to do|provided hosts list is empty")
_MAX_TEXT = 1 << 16
"""Characters of what Ansible says before its first play that are looked at."""


class Reach:
    """Follows the events of a run."""

    def __init__(self) -> None:
        self._plays = 0
        self._without_hosts = 0
        self._text = ""
        self.reached = False
        """True once a host has been worked on: nothing more is needed."""

    def event(self, event: dict[str, Any]) -> None:
        """Take the next event; not needed once `reached`."""
        name = event.get("event")
        if not isinstance(name, str):
            return
        if name.startswith("runner_"):
            self.reached = True
        elif name == "playbook_on_play_start":
            self._plays += 1
        elif name == "playbook_on_no_hosts_matched":
            self._without_hosts += 1
        if not self._plays and len(self._text) < _MAX_TEXT:
            self._text += event["stdout"][:_MAX_TEXT] + "\n"

    def explain(self, *, successful: bool) -> str | None:
        """What a person has to know of a run that has ended; None for nothing."""
        text = " ".join(_COLOUR.sub("", self._text).split())  # Ansible breaks its lines
        said = [f"Ansible could not read the inventory {name}" for name in dict.fromkeys(_UNREAD.findall(text))]
        if successful and not self.reached:
            if self._plays and self._without_hosts >= self._plays:
                said.append("no play matched a host, so nothing was done")
            elif not self._plays and _NOBODY.search(text):
                said.append("no host matched, so nothing was done")
        return "; ".join(said) + ". See the inventory, hosts and limit" if said else None
