"""Steps that only the process that prepared them takes.

A forked child inherits what waits for an object's end or for the program's (weakref.finalize, atexit), and would remove
what its parent still uses.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any


class Owned:
    """A function that does nothing in a process that was forked from the one that made this object.

    Args:
        function: what is called.
        arguments: its arguments.
    """

    def __init__(self, function: Callable[..., object], *arguments: Any) -> None:
        self._function = function
        self._arguments = arguments
        self._owner = os.getpid()

    def __call__(self) -> None:
        """Call the function, in the owner."""
        if os.getpid() == self._owner:
            self._function(*self._arguments)
