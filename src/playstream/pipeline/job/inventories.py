"""Inventories given as data: as text that Ansible reads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from playstream.pipeline.errors import ConfigurationError
from playstream.pipeline.job.plain import copy_plain

_META = "_meta"


def write_inventory(value: Mapping[str, Any]) -> str:
    """Return an inventory as text. It may be in the form of Ansible's files or of inventory scripts.

    Raises:
        ConfigurationError: a value cannot be represented in JSON, or a group is not valid; names it.
    """
    values, _ = copy_plain("inventory", value)
    return json.dumps(_as_file(values) if _META in values else values)


def convert_text(text: str) -> str:
    """Return the text of an inventory; the output of an inventory script is converted to the form of a file.

    Raises:
        ConfigurationError: as with `write_inventory`.
    """
    if not text.lstrip().startswith("{") or f'"{_META}"' not in text:
        return text
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        return text  # Ansible says what is wrong with it
    return write_inventory(values) if _META in values else text


def _as_file(values: Mapping[str, Any]) -> dict[str, Any]:
    """Convert groups to dicts of hosts and children, with the variables of each host beside its name."""
    meta = values[_META] or {}
    variables = meta.get("hostvars") if isinstance(meta, dict) else meta
    if variables is not None and not isinstance(variables, dict):
        got = type(variables).__name__
        raise ConfigurationError(f"inventory: {_META}: expected hostvars, a dict of hosts, got {got}")
    left = dict(variables or {})
    groups: dict[str, Any] = {}
    for name, group in values.items():
        if name == _META:
            continue
        given = {"hosts": group} if isinstance(group, list) else group or {}
        if not isinstance(given, dict):
            raise ConfigurationError(f"inventory: {name}: expected a group, got {type(group).__name__}")
        made = dict(given)
        for part in ("hosts", "children"):
            if isinstance(made.get(part), list):
                made[part] = {member: {} for member in _names(f"{name}.{part}", made[part])}
        hosts = made.get("hosts")
        if isinstance(hosts, dict):
            made["hosts"] = {host: {**(own or {}), **(left.pop(host, None) or {})} for host, own in hosts.items()}
        groups[name] = made
    return groups


def _names(place: str, members: list[Any]) -> list[str]:
    for member in members:
        if not isinstance(member, str):
            raise ConfigurationError(f"inventory: {place}: expected names, got {member!r}")
    return members
