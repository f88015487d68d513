"""A name with an underscore belongs to one module of src: others neither use nor replace it."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

import pytest

from tests.matrix.debian import ROOT

SOURCE = ROOT / "src"
PLUGIN = "playstream.plugin"
"""Ansible's callback API consists of such names, and its loader decides how the plugin is divided into files."""
PUBLIC = {"_option_string_actions", "_replace"}
"""Names of the standard library: argparse does not tell otherwise which flags a parser has, and the method of a named
tuple is documented."""
Modules = Mapping[str, ast.Module]
Class = tuple[str, ast.ClassDef]
"""A class, and the module that defines it."""


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.endswith("__") and name not in PUBLIC


def borrowed(tree: ast.Module) -> Iterator[str]:
    """Private names that the module uses but does not define."""
    defined = set()
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                defined.add(name)
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                defined.add(name)
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(attr=name) if is_private(name) and name not in defined:
                yield name
            case ast.ImportFrom(module=module, names=names) if module != "__future__":
                yield from (alias.name for alias in names if is_private(alias.name))


def members(kind: ast.ClassDef) -> set[str]:
    """The private names of a class."""
    found = set()
    for node in ast.walk(kind):
        match node:
            case (
                ast.FunctionDef(name=name)
                | ast.AsyncFunctionDef(name=name)
                | ast.Attribute(value=ast.Name(id="self"), attr=name)
            ):
                found.add(name)
        if node in kind.body and isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {target.id for target in targets if isinstance(target, ast.Name)}
    return {name for name in found if is_private(name)}


def find_class(modules: Modules, module: str, name: str) -> Class | None:
    """The class that a name stands for in a module; None if it is none of these modules'."""
    for node in ast.walk(modules[module]) if module in modules else ():
        match node:
            case ast.ClassDef() if node.name == name:
                return module, node
            case ast.ImportFrom(module=str(place), names=names):
                for alias in names:
                    if (alias.asname or alias.name) == name:
                        return find_class(modules, place, alias.name)
    return None


def bases(modules: Modules, module: str, kind: ast.ClassDef) -> Iterator[Class]:
    """Every class that a class derives from."""
    for base in kind.bases:
        found = find_class(modules, module, base.id) if isinstance(base, ast.Name) else None
        if found is not None:
            yield found
            yield from bases(modules, *found)


def shared(modules: Modules) -> Iterator[str]:
    """Private names that a class has in common with a base in another module."""
    for module, tree in modules.items():
        for kind in (node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)):
            for place, base in bases(modules, module, kind):
                if place != module:
                    yield from (f"{kind.name}.{name}" for name in members(kind) & members(base))


def test_the_modules_of_src() -> None:
    modules = {
        ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__"): ast.parse(path.read_text())
        for path in SOURCE.rglob("*.py")
    }
    modules = {name: tree for name, tree in modules.items() if not name.startswith(PLUGIN)}
    assert len(modules) > 100
    assert [f"{module}: {name}" for module, tree in modules.items() for name in borrowed(tree)] == []
    assert list(shared(modules)) == []


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("from .other import _helper\n", ["_helper"]),
        ("class Child(Parent):\n    def run(self):\n        return self._state\n", ["_state"]),
        ("def look(runner):\n    return runner._handlers\n", ["_handlers"]),
        ("class Own:\n    def a(self):\n        self._b = self.__dict__\n    def c(self):\n        self._b\n", []),
    ],
)
def test_a_name_that_is_borrowed(text: str, names: list[str]) -> None:
    assert list(borrowed(ast.parse(text))) == names


@pytest.mark.parametrize("body", ["def _hook(self): ...", "_hook = 1", "def run(self): self._hook = 1"])
def test_a_name_that_is_shared_with_a_base(body: str) -> None:
    texts = {
        "one": "class Base:\n    def _hook(self): ...\n",
        "two": "from one import Base as Other\n",
        "three": f"from two import Other\nclass Child(Other):\n    {body}\nclass Alone:\n    {body}\n",
    }
    assert list(shared({name: ast.parse(text) for name, text in texts.items()})) == ["Child._hook"]
