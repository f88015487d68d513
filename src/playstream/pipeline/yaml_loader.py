"""Reading YAML as JSON can carry it, and no more of it than there is."""

from __future__ import annotations

from typing import Any

import yaml

from playstream.pipeline.small_files import MAX_BYTES


class TooLarge(Exception):
    """More comes out of a text than went in."""


class Loader(yaml.SafeLoader):
    """YAML as JSON can carry it: dates stay text, and Ansible's own tags become what its JSON reader understands.

    An alias (`*name`) costs nothing here and everything in JSON, where what it stands for is written out, so a few
    lines can stand for gigabytes.
    """

    yaml_implicit_resolvers = {  # noqa: RUF012 - overrides a class attribute of the base
        first: [(tag, expression) for tag, expression in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._size = 0
        """Characters of the values so far, those that aliases stand for included."""
        self._sizes: dict[str, int] = {}
        """The same of each value that has an anchor."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """As the base does it, and counted."""
        event: yaml.NodeEvent = self.peek_event()  # type: ignore[no-untyped-call]
        before = self._size
        if isinstance(event, yaml.AliasEvent):
            self._size += self._sizes.get(event.anchor or "", 0)
            if self._size > MAX_BYTES:
                raise TooLarge
        else:
            self._size += 1 + (len(event.value) if isinstance(event, yaml.ScalarEvent) else 0)
        node = super().compose_node(parent, index)
        if not isinstance(event, yaml.AliasEvent) and event.anchor:
            self._sizes[event.anchor] = self._size - before
        return node


def _construct_vault(loader: Loader, node: yaml.ScalarNode) -> dict[str, Any]:
    return {"__ansible_vault": loader.construct_scalar(node)}


def _construct_unsafe(loader: Loader, node: yaml.ScalarNode) -> dict[str, Any]:
    return {"__ansible_unsafe": loader.construct_scalar(node)}


Loader.add_constructor("!vault", _construct_vault)
Loader.add_constructor("!unsafe", _construct_unsafe)
