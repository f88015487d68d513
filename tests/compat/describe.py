"""Run by either Python: the public names of ansible_runner's modules and what they take, as JSON.

Its arguments are the names of the modules. Run by `playstream.compat` it describes ours.
"""

from __future__ import annotations

import importlib
import inspect
import json
import sys
from typing import Any


def parameters(function: Any) -> list[str]:
    """Their names, in order, without self; none for what is written in C and does not tell."""
    try:
        names = inspect.signature(function).parameters
    except ValueError:
        return []
    return [name for name in names if name not in {"self", "cls"}]


def describe(value: Any, module: str) -> dict[str, Any]:
    """Its kind, whether the module defines it, its parameters, and those of its public methods."""
    described: dict[str, Any] = {"kind": type(value).__name__, "own": False, "parameters": [], "members": {}}
    if inspect.isclass(value):
        described |= {"kind": "class", "parameters": parameters(value.__init__)}
        if not issubclass(value, Exception):
            described["members"] = {
                name: parameters(member) if callable(member) else None
                for name, member in inspect.getmembers(value)
                if not name.startswith("_")
            }
    elif inspect.isfunction(value):
        described |= {"kind": "function", "parameters": parameters(value)}
    if described["kind"] in {"class", "function"}:
        described["own"] = value.__module__ == module
    return described


def describe_module(name: str) -> dict[str, Any]:
    """Its public names."""
    module = importlib.import_module(name)
    names = {key: describe(value, name) for key, value in vars(module).items() if not key.startswith("_")}
    return {"all": sorted(getattr(module, "__all__", [])), "names": names}


print(json.dumps({name: describe_module(name) for name in sys.argv[1:]}))
