# SPDX-License-Identifier: GPL-3.0-or-later
"""The values of the settings that `--fast` may change or depends on, and who has made them."""

from __future__ import annotations

from typing import Any

from ansible import constants as C  # noqa: N812 - ansible's own name for it
from ansible.plugins.loader import become_loader, connection_loader

from .facts import short

_OF_ANSIBLE = {
    "forks": "DEFAULT_FORKS",
    "strategy": "DEFAULT_STRATEGY",
    "strategy_plugins": "DEFAULT_STRATEGY_PLUGIN_PATH",
    "keep_remote_files": "DEFAULT_KEEP_REMOTE_FILES",
    "gathering": "DEFAULT_GATHERING",
    "transport": "DEFAULT_TRANSPORT",
    "become": "DEFAULT_BECOME",
    "become_method": "DEFAULT_BECOME_METHOD",
}
_OF_SSH = {
    "pipelining": "pipelining",
    "ssh_args": "ssh_args",
    "ssh_common_args": "ssh_common_args",
    "ssh_extra_args": "ssh_extra_args",
    "control_path": "control_path",
    "control_path_dir": "control_path_dir",
    "host_key_checking": "host_key_checking",
    "ssh_executable": "ssh_executable",
}
_DEFAULT = "default"


def read_settings(given: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the value of each setting, and where it was made; None for Ansible's default.

    Args:
        given: values of the command line, which take precedence.
    """
    connection_loader.get("ssh", class_only=True)  # makes the settings of the plugin known
    found = {name: _read(key) for name, key in _OF_ANSIBLE.items()}
    found.update((name, _read(key, plugin_type="connection", plugin_name="ssh")) for name, key in _OF_SSH.items())
    become_loader.get("sudo", class_only=True)
    found["become_flags"] = _read("become_flags", plugin_type="become", plugin_name="sudo")
    # The other form is a template for the default.
    found["strategy_plugins"]["value"] = [str(path) for path in C.DEFAULT_STRATEGY_PLUGIN_PATH or ()]
    for name, value in given.items():
        found[name] = {"value": _plain(value), "origin": "the command line"}
    return found


def _read(key: str, **plugin: str) -> dict[str, Any]:
    try:
        value, origin = C.config.get_config_value_and_origin(key, **plugin)
    except Exception:  # noqa: BLE001 - a version without this setting, or a value that Ansible refuses
        return {"value": None, "origin": None}
    made = None if origin == _DEFAULT else short(origin)
    return {"value": _plain(value), "origin": made}


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, (list, tuple)):
        return [str(item) for item in value]
    return str(value)
