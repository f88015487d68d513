"""The module importlib.metadata, under ansible-runner's name."""

from __future__ import annotations

import importlib.metadata as importlib_metadata

__all__ = ["importlib_metadata"]
