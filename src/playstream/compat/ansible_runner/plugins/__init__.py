"""The plugins that are installed. Every run tells them itself; here a program can see which there are."""

from __future__ import annotations

from typing import Any

from playstream.interface.plugins import find_plugins

plugins: dict[str, Any] = {}
"""Their modules by name: `ansible_runner.plugins`."""


def load() -> None:
    """Load them. One that cannot be loaded is left out; the first run says why."""
    for entry in find_plugins():
        try:
            plugins[entry.name] = entry.load()
        except (Exception, SystemExit):  # noqa: BLE001, S112 - a module may raise anything while it is loaded
            continue
