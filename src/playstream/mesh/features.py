"""What a node has, what a job needs, and whether the one is enough for the other. Nothing is read or written here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from playstream.pipeline.errors import ConfigurationError, did_you_mean
from playstream.pipeline.versions import accepts, is_comparison

PLAIN: Final = "no-encryption"
"""What a node has that runs jobs that are not encrypted."""
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}", re.ASCII)
_NEED = re.compile(rf"({_NAME.pattern})\s*([=!<>].{{0,80}})?", re.ASCII)
_MAX_NEEDS = 32


@dataclass(frozen=True, slots=True)
class Features:
    """What a node has."""

    versions: Mapping[str, str]
    """Versions by name: `playstream`, `python`, `ansible-core`, `mitogen`."""
    names: tuple[str, ...] = ()
    """What has no version, such as `podman`."""

    def missing(self, needs: Iterable[str]) -> list[str]:
        """Return those of the needs of a job that are not met, with what is there instead."""
        return [found for need in needs if (found := self._lack(need))]

    def _lack(self, need: str) -> str:
        match = _NEED.fullmatch(need)
        if match is None:
            return f"{need} (not understood: update playstream on the node)"
        name, wanted = match[1], match[2]
        version = self.versions.get(name)
        if version is None:
            return "" if wanted is None and name in self.names else need
        if wanted is None or accepts(wanted, version):
            return ""
        return f"{need} (it has {version})"


def check_needs(given: Sequence[str]) -> tuple[str, ...]:
    """Check what a job needs.

    Args:
        given: names of versions and features, such as `podman`, `ansible-core>=2.16` or `python>=3.11,<3.14`.

    Raises:
        ConfigurationError: one has another form, or there are too many.
    """
    if len(given) > _MAX_NEEDS:
        raise ConfigurationError(f"need: expected at most {_MAX_NEEDS}, got {len(given)}")
    for need in given:
        match = _NEED.fullmatch(need)
        if match is None or (match[2] is not None and not is_comparison(match[2])):
            raise ConfigurationError(
                f"need: expected a feature of nodes, or a name with versions, such as podman or 'ansible-core>=2.16', "
                f"got {need[:80]!r}"
            )
    return tuple(dict.fromkeys(given))


def check_feature(name: str) -> str:
    """Check the name of a feature that an operator gives to a node.

    Raises:
        ConfigurationError: it has another form.
    """
    if not _NAME.fullmatch(name):
        raise ConfigurationError(
            f"--feature {name!r}: expected 1 to 40 small letters, digits and dashes, such as datacenter-2"
        )
    return name


def explain_needs(group: str, needs: Sequence[str], nodes: Mapping[str, Features]) -> str | None:
    """Return why no node of a group can run a job; None if one can, or no node is known.

    Args:
        group: the group.
        needs: what the job needs.
        nodes: what each node of the group has, by its name.
    """
    lacks = {node: features.missing(needs) for node, features in nodes.items()}
    if not lacks or not all(lacks.values()):
        return None
    missing = sorted({need for found in lacks.values() for need in found})
    nowhere = [need for need in needs if all(features.missing([need]) for features in nodes.values())]
    hint = "".join(_hints(nowhere, nodes.values()))
    details = "; ".join(f"{node} lacks {', '.join(found)}" for node, found in sorted(lacks.items())[:_SHOWN])
    more = f"; and {len(lacks) - _SHOWN} more" if len(lacks) > _SHOWN else ""
    which = ", ".join(nowhere) if nowhere else f"all of {', '.join(needs)} at once"
    return (
        f"no node of the group {group} has what the job needs: {which}{hint} ({details}{more}). Submit it to another "
        f"group, or start a node there that has {'it' if len(missing) == 1 else 'them'}"
    )


_SHOWN = 5
"""Nodes that a message names."""


def _hints(nowhere: Iterable[str], nodes: Iterable[Features]) -> Iterator[str]:
    known = {name for features in nodes for name in (*features.names, *features.versions)}
    for need in nowhere:
        match = _NEED.fullmatch(need)
        if match is not None and match[1] not in known and (hint := did_you_mean(match[1], known)):
            yield hint
