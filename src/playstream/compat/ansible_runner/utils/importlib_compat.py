"""What a program reads the metadata of installed packages with."""

from __future__ import annotations

import importlib.metadata as importlib_metadata

__all__ = ["importlib_metadata"]
