"""Importing the libraries of the mesh, which only its users need."""

from __future__ import annotations

import importlib
from types import ModuleType

from playstream.pipeline.errors import ConfigurationError
from playstream.pipeline.io.interpreter import pip_install


def import_nats() -> ModuleType:
    """Import the client of NATS.

    Raises:
        ConfigurationError: it is not installed.
    """
    return _import("nats", "nats-py")


def import_cryptography() -> ModuleType:
    """Import the library that makes certificates.

    Raises:
        ConfigurationError: it is not installed.
    """
    return _import("cryptography", "cryptography")


def _import(module: str, package: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ConfigurationError(
            f"the mesh requires the library {package}, which cannot be imported ({error}): run {pip_install('mesh')}"
        ) from None
