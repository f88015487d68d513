"""Extra variables: converting a caller's values to texts from which Ansible reads the same values.

The text of a file of extra variables is sent, vaulted or not, and Ansible reads it where the job runs, so every value
is the same as on Ansible's own command line. Data of a program is sent as JSON, or as YAML if JSON cannot represent a
value.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from playstream.pipeline.errors import ConfigurationError
from playstream.pipeline.job.inputs import VAULT_HEAD, check_extravars_text, load_mapping, read_extravars_text
from playstream.pipeline.job.plain import copy_plain
from playstream.pipeline.job.yaml_loader import ExactLoader

ExtraVars: TypeAlias = "Mapping[Any, Any] | str"
"""Variables as data, or the text of a file of them."""


def split_extravars(source: str, items: Sequence[ExtraVars]) -> tuple[tuple[str, ...], dict[str, Any]]:
    """Return the texts in order, and separately the last item if it is data that JSON can represent.

    Args:
        source: the name of the argument, for errors.
        items: the variables; later values override earlier ones of the same name.

    Raises:
        ConfigurationError: a value cannot be represented in any text that Ansible reads; names the variable.
    """
    texts: list[str] = []
    last: dict[str, Any] = {}
    for number, item in enumerate(items, 1):
        if isinstance(item, str):
            texts += [item] if item.strip() else []
            continue
        copied, exact = copy_plain(source, item, yaml=True)
        if exact and number == len(items):
            last = copied
        elif copied:
            texts.append(json.dumps(copied) if exact else dump_yaml(copied))
    return tuple(texts), last


def dump_yaml(values: Mapping[Any, Any]) -> str:
    """Return YAML from which Ansible reads the values."""
    return yaml.dump(values, Dumper=_Dumper, sort_keys=False, width=10**6)


class _Dumper(yaml.SafeDumper):
    """Writes objects that represent Ansible's tags in JSON as those tags."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - the base asks for each value
        return True


def _represent_dict(dumper: _Dumper, data: dict[Any, Any]) -> yaml.Node:
    if len(data) == 1:
        ((name, value),) = data.items()
        if isinstance(value, str) and name in {"__ansible_vault", "__ansible_unsafe"}:
            tag = "!vault" if name == "__ansible_vault" else "!unsafe"
            return dumper.represent_scalar(tag, value, style='"')
    return dumper.represent_dict(data)


_Dumper.add_representer(dict, _represent_dict)


def merge_as_json(texts: Sequence[str], last: Mapping[str, Any]) -> dict[str, Any] | None:
    """Merge all variables into one JSON object; None if that would change a value, or how Ansible merges them."""
    merged: dict[str, Any] = {}
    for values in (*map(_json_values, texts), last):
        if values is None:
            return None
        # With hash_behaviour=merge Ansible merges the two dicts.
        if any(isinstance(values[name], dict) and isinstance(merged[name], dict) for name in merged.keys() & values):
            return None
        merged.update(values)
    return merged


def _json_values(text: str) -> dict[str, Any] | None:
    """Return the values of a text if JSON can represent all of them."""
    if text.startswith(VAULT_HEAD):
        return None
    try:
        copied, exact = copy_plain("extravars", load_mapping("extravars", text, ExactLoader), yaml=True)
    except ConfigurationError:
        return None
    return copied if exact else None


def read_extravars(given: Any, directory: str | os.PathLike[str]) -> tuple[ExtraVars, ...]:
    """Read the argument `extravars`: data, the path of a file, a text that begins with `{`, or a list of these.

    Raises:
        ConfigurationError: a file cannot be read or does not contain variables.
    """
    items = [given] if isinstance(given, (Mapping, str, os.PathLike)) else list(given)
    return tuple(item if isinstance(item, Mapping) else _read_text(item, Path(directory)) for item in items)


def _read_text(item: str | os.PathLike[str], directory: Path) -> str:
    if isinstance(item, str) and item.lstrip().startswith(("{", "[", VAULT_HEAD)):
        return check_extravars_text("extravars", item)
    path = directory / item
    # A FIFO that the caller names by its absolute path may be anywhere.
    text = read_extravars_text(path, Path("/") if os.path.isabs(item) else path.parent)
    if text is None:
        raise ConfigurationError(f"extravars: {str(path)!r} cannot be read: No such file or directory")
    return text
