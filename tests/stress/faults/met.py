"""What a signal met in a stage: the interpreter's start or end, or our code. Nothing else may die of it untold.

Python has no handler of its own when it begins, KeyboardInterrupt from then on until `cancel_on_signals`, and none
again when it ends. A KeyboardInterrupt ahead of `playstream.cli.entry.main` is a traceback of Python's, and one that
meets a callback of the import system is printed or dropped, and lost. No code of ours runs then that could help.
"""

from __future__ import annotations

import re
import signal
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import playstream

_PACKAGE = Path(playstream.__file__).parent
_ON_THE_WAY = {_PACKAGE / name for name in ("__init__.py", "__main__.py", "cli/__init__.py", "cli/entry.py")}
"""The modules whose top runs before `playstream.cli.entry.main` begins."""
_FRAME = re.compile(r'^ *File "(?P<file>.*)", line \d+, in (?P<function>.+)$', re.MULTILINE)
_DROPPED = re.compile(
    r"Exception ignored in: <function _get_module_lock\.<locals>\.cb at 0x[0-9a-f]+>\n"
    r"Traceback \(most recent call last\):\n(?: .*\n)*KeyboardInterrupt: *\n"
)
_FIRST_LIBRARY = "zstandard"
"""What each stage loads before it begins its work: a shared library, so the kernel knows."""


class Met(Enum):
    """Where a signal found a stage."""

    START = "met the interpreter's start"
    LOST = "was lost by the interpreter while it loaded modules, and sent again"
    END = "met the interpreter's end"


@dataclass(frozen=True, slots=True)
class Moment:
    """A process just before it is signalled, as /proc tells.

    Attributes:
        caught: the signals that it has handlers for.
        has_begun: its own code is loaded, or has been.
    """

    caught: frozenset[signal.Signals]
    has_begun: bool

    @property
    def handles(self) -> bool:
        """Whether `cancel_on_signals` has been called: Python itself leaves TERM alone."""
        return signal.SIGTERM in self.caught

    def met(self, returncode: int, said: str) -> Met | None:
        """What a SIGINT met, going by how the process ended; None for our code.

        Args:
            returncode: as subprocess has it.
            said: the standard error of the process.
        """
        killed = returncode == -signal.SIGINT and not said and signal.SIGINT not in self.caught
        if self.has_begun:
            return Met.END if killed else None
        return Met.START if killed or is_of_the_start(said) else None


def look(pid: int) -> Moment | None:
    """How a process is; None when it has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        maps = Path(f"/proc/{pid}/maps").read_text()
    except OSError:
        return None
    mask = re.search(r"^SigCgt:\s*([0-9a-f]+)$", status, re.MULTILINE)
    if mask is None or not maps:
        return None
    bits = int(mask[1], 16)
    caught = frozenset(number for number in signal.Signals if bits >> (number - 1) & 1)
    return Moment(caught, _FIRST_LIBRARY in maps)


def is_of_the_start(said: str) -> bool:
    """Whether this is the traceback of a KeyboardInterrupt that came before `playstream.cli.entry.main` had begun."""
    frames = [(Path(found["file"]), found["function"]) for found in _FRAME.finditer(said)]
    if not frames or said.splitlines()[-1] != "KeyboardInterrupt":
        return False
    return not any(
        path.is_relative_to(_PACKAGE) and (function != "<module>" or path not in _ON_THE_WAY)
        for path, function in frames
    )


def without_dropped(said: str) -> str:
    """What a process has said, less what Python says of a KeyboardInterrupt that it has dropped."""
    return _DROPPED.sub("", said)
