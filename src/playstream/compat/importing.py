"""Make `import ansible_runner` import this package, whether or not ansible-runner is installed."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from importlib.abc import InspectLoader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import CodeType, ModuleType

from playstream.pipeline.errors import ConfigurationError

# ruff: noqa: ARG002 - the parameters are the import system's

NAME = "ansible_runner"
_HERE = "playstream.compat."


def install() -> None:
    """Make `import ansible_runner` import `playstream.compat.ansible_runner` in this process.

    Both names refer to the same modules. An installed ansible-runner is ignored. Calling this function again has no
    effect.

    Raises:
        ConfigurationError: ansible-runner itself has already been imported.

    Example:
        >>> import playstream.compat
        >>> playstream.compat.install()  # doctest: +SKIP
        >>> import ansible_runner  # doctest: +SKIP
    """
    if any(isinstance(finder, _Finder) for finder in sys.meta_path):
        return
    present = sys.modules.get(NAME)
    if present is not None:
        raise ConfigurationError(
            f"ansible_runner is already imported from {getattr(present, '__file__', 'another place')}: call "
            "playstream.compat.install() before anything imports it"
        )
    sys.meta_path.insert(0, _Finder())
    importlib.import_module(_HERE + NAME)
    for name, module in list(sys.modules.items()):
        # Register both names: otherwise an import would bind the modules in their package again.
        if name == _HERE + NAME or name.startswith(f"{_HERE}{NAME}."):
            sys.modules[name.removeprefix(_HERE)] = module


class _Finder(MetaPathFinder):
    """Finds ansible_runner and its submodules."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != NAME and not fullname.startswith(f"{NAME}."):
            return None
        found = importlib.util.find_spec(_HERE + fullname)
        if found is None:
            return None
        spec = ModuleSpec(
            fullname, _Alias(found), origin=found.origin, is_package=found.submodule_search_locations is not None
        )
        spec.has_location = found.has_location
        return spec


class _Alias(InspectLoader):
    """Loads a module by giving it a second name."""

    def __init__(self, spec: ModuleSpec) -> None:
        self._spec = spec
        self._own: ModuleSpec | None = None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = importlib.import_module(self._spec.name)
        self._own = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self._own  # the import system has replaced it with the alias's

    def is_package(self, fullname: str) -> bool:
        return self._spec.submodule_search_locations is not None

    def get_source(self, fullname: str) -> str | None:
        loader = self._spec.loader
        return loader.get_source(self._spec.name) if isinstance(loader, InspectLoader) else None

    def get_code(self, fullname: str) -> CodeType | None:
        loader = self._spec.loader
        return loader.get_code(self._spec.name) if isinstance(loader, InspectLoader) else None
