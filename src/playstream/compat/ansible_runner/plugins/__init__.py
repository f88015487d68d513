"""The installed plugins. Every run notifies them; a program can list them here."""

from __future__ import annotations

from typing import Any

from playstream.interface.plugins import find_plugins

plugins: dict[str, Any] = {}
"""Their modules by name: `ansible_runner.plugins`."""


def load() -> None:
    """Load the plugins. One that cannot be loaded is omitted; the first run logs the reason."""
    for entry in find_plugins():
        try:
            plugins[entry.name] = entry.load()
        except (Exception, SystemExit):  # noqa: BLE001, S112 - a module may raise anything while it is loaded
            continue
