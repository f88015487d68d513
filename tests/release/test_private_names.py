"""A module of src uses no name with an underscore that another module defines."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from tests.matrix.debian import ROOT

SOURCE = ROOT / "src" / "playstream"
PLUGIN = SOURCE / "plugin"
"""Ansible's callback API consists of such names, and its loader decides how the plugin is divided into files."""
PUBLIC = {"_option_string_actions", "_replace"}
"""Names of the standard library: argparse does not tell otherwise which flags a parser has, and the method of a named
tuple is documented."""


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.endswith("__")


def definitions(tree: ast.Module) -> set[str]:
    """Every name that the module binds, in whichever scope or class."""
    defined: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                defined.add(name)
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                defined.add(name)
    return defined


def borrowed(text: str) -> Iterator[tuple[int, str]]:
    """Private names that the module uses but does not define, with their lines."""
    tree = ast.parse(text)
    defined = definitions(tree)
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(attr=name, lineno=line) if is_private(name) and name not in defined:
                yield line, name
            case ast.ImportFrom(module=module, names=names, lineno=line) if module != "__future__":
                yield from ((line, alias.name) for alias in names if is_private(alias.name))


def test_no_private_name_of_another_module() -> None:
    paths = [path for path in SOURCE.rglob("*.py") if not path.is_relative_to(PLUGIN)]
    assert len(paths) > 100
    found = [
        f"{path.relative_to(ROOT)}:{line}: {name}"
        for path in paths
        for line, name in borrowed(path.read_text())
        if name not in PUBLIC
    ]
    assert found == []


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("from .other import _helper\n", ["_helper"]),
        ("class Child(Parent):\n    def run(self):\n        return self._state\n", ["_state"]),
        ("def look(runner):\n    return runner._handlers\n", ["_handlers"]),
        ("class Own:\n    def a(self):\n        self._b = self.__dict__\n    def c(self):\n        self._b\n", []),
    ],
)
def test_what_is_found(text: str, names: list[str]) -> None:
    assert [name for _, name in borrowed(text)] == names
