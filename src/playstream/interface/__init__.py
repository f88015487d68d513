"""The Python face: what a program calls.

It joins stages with links; what a stage does is the stage's, and words for the terminal are the command line's.
The functions are loaded when they are first used, so that a program loads only the stages it needs.
"""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    import playstream  # noqa: PLC0415 - it knows where each public name is

    if name in playstream.__all__ and name != "interface":
        return getattr(playstream, name)
    raise AttributeError(f"module 'playstream.interface' has no attribute {name!r}")
