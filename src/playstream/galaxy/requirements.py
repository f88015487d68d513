"""The files of a project that name the collections and roles that it requires."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from playstream.pipeline.errors import ConfigurationError
from playstream.pipeline.io.small_files import read_text
from playstream.pipeline.job.yaml_loader import ExactLoader, TooLarge

PLACES = ("requirements", "collections/requirements", "roles/requirements")
"""The places in a project where Ansible's tools look, without the ending."""
_ENDINGS = (".yml", ".yaml")
_FULL_NAME = re.compile(r"\w+\.\w+")


@dataclass(frozen=True, slots=True)
class RequirementsFile:
    """One file, and what it names. ansible-galaxy checks the items."""

    name: str
    """Its path relative to the project."""
    text: str
    collections: tuple[Any, ...] = ()
    roles: tuple[Any, ...] = ()

    @property
    def versions(self) -> dict[str, str]:
        """The collections that are named by their full names, with the versions that are accepted; `*` for any."""
        found = {}
        for item in self.collections:
            name = item.get("name") if isinstance(item, Mapping) else item
            version = str(item.get("version", "*")) if isinstance(item, Mapping) else "*"
            if isinstance(name, str) and _FULL_NAME.fullmatch(name):  # not a URL, a file or a repository
                found[name] = version
        return found


def find_requirements(project: Path) -> list[RequirementsFile]:
    """Return the files of a project, each place with the first of its two endings.

    Raises:
        ConfigurationError: one cannot be read, or is not valid YAML, or names something that is not a list.
    """
    return [found for place in PLACES for found in _read_place(project, place)]


def _read_place(project: Path, place: str) -> Iterator[RequirementsFile]:
    for name in (place + ending for ending in _ENDINGS):
        text = read_text(project / name, project)
        if text is not None:
            content = load_items(project / name, text)
            # A list without a key is the older form, which has only roles.
            parts = content if isinstance(content, dict) else {"roles": content}
            collections, roles = (_listed(project / name, kind, parts.get(kind)) for kind in ("collections", "roles"))
            yield RequirementsFile(name, text, collections, roles)
            return


def _listed(path: Path, kind: str, items: Any) -> tuple[Any, ...]:
    if items is None:
        return ()
    if not isinstance(items, list):
        got = "a mapping" if isinstance(items, Mapping) else repr(items)
        raise ConfigurationError(f"{path}: {kind}: expected a list, as in `- name: NAME`, got {got}")
    return tuple(items)


def load_items(path: Path, text: str) -> Any:
    """Parse the text of a file.

    Raises:
        ConfigurationError: it is not valid YAML.
    """
    try:
        return yaml.load(text, Loader=ExactLoader)  # noqa: S506 - it derives from SafeLoader
    except yaml.MarkedYAMLError as error:
        line = f" in line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ConfigurationError(f"{path}: not valid YAML: {error.problem}{line}") from None
    except (yaml.YAMLError, TooLarge, ValueError, RecursionError) as error:
        raise ConfigurationError(f"{path}: not valid YAML: {error}") from None


def explain_none(project: Path) -> ConfigurationError:
    """Return the error for a project that names nothing to install."""
    places = ", ".join(place + _ENDINGS[0] for place in PLACES)
    return ConfigurationError(
        f"galaxy: expected a file that names collections or roles, found none in {os.fspath(project)!r}; searched "
        f"{places} (and {_ENDINGS[1]}). Write one, or omit this option"
    )
