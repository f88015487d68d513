"""Reading YAML as Ansible does, or as JSON can represent it, with a limit on the expansion of aliases."""

from __future__ import annotations

from typing import Any

import yaml

from playstream.pipeline.io.small_files import MAX_BYTES


class TooLarge(Exception):
    """The values of a text are larger than the limit."""


class Tagged:
    """A value with a tag that JSON cannot represent."""


class ExactLoader(yaml.SafeLoader):
    """YAML with the tags that Ansible knows.

    An alias (`*name`) is a reference in memory, but JSON writes out its value, so a few lines can expand to gigabytes.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._size = 0
        """Number of characters of the values so far, with aliases expanded."""
        self._sizes: dict[str, int] = {}
        """The same number for each value that has an anchor."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Compose a node as the base class does, and count its size."""
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


class Loader(ExactLoader):
    """YAML restricted to what JSON can represent: dates stay text."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - overrides a class attribute of the base
        first: [(tag, expression) for tag, expression in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def _construct_vault(loader: ExactLoader, node: yaml.ScalarNode) -> dict[str, Any]:
    return {"__ansible_vault": loader.construct_scalar(node)}


def _construct_unsafe(loader: ExactLoader, node: yaml.Node) -> dict[str, Any] | Tagged:
    if (
        isinstance(node, yaml.ScalarNode)
        and loader.resolve(  # type: ignore[no-untyped-call]
            yaml.ScalarNode, node.value, (True, False)
        )
        == "tag:yaml.org,2002:str"
    ):
        return {"__ansible_unsafe": loader.construct_scalar(node)}
    return Tagged()


def _construct_pairs(_loader: ExactLoader, _node: yaml.Node) -> Tagged:
    return Tagged()


# Loader has no table of its own and uses this class's.
for _tag in ("!vault", "!vault-encrypted"):
    ExactLoader.add_constructor(_tag, _construct_vault)
ExactLoader.add_constructor("!unsafe", _construct_unsafe)
for _name in ("omap", "pairs"):
    ExactLoader.add_constructor(f"tag:yaml.org,2002:{_name}", _construct_pairs)
for _name, _same in (("dict", "map"), ("unicode", "str")):
    ExactLoader.add_constructor(
        f"tag:yaml.org,2002:python/{_name}", ExactLoader.yaml_constructors[f"tag:yaml.org,2002:{_same}"]
    )
