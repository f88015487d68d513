"""Standard output and error for people: no colours where there is no terminal, no error when nobody reads it."""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from playstream.cli.progress import Progress

STANDARD_OUTPUT = "-"
"""What stands for it where a flag names a file."""
_FORCING = ("ANSIBLE_FORCE_COLOR", "FORCE_COLOR")
_NO = {"", "0", "false", "no", "off", "n", "f"}


def complain(command: str, message: object) -> None:
    """A line on standard error. That nobody reads it is no error.

    Args:
        command: the subcommand that says it.
        message: what it says; some of it may come from another host, and gives a terminal no orders.
    """
    from playstream.interface.shown_text import make_message  # noqa: PLC0415 - most commands have nothing to say

    try:
        print(f"playstream {command}: {make_message(str(message))}", file=sys.stderr)
    except OSError:
        pass  # the exit status says it too


def shows_colours(stream: TextIO) -> bool:
    """True if Ansible's colours are to be shown: on a terminal, or when ANSIBLE_FORCE_COLOR or FORCE_COLOR says so."""
    forced = any(os.environ.get(name, "").lower() not in _NO for name in _FORCING)
    return forced or (stream.isatty() and "NO_COLOR" not in os.environ)


def make_progress() -> Progress | None:
    """The live display, where standard output is a terminal that can show it and the library rich is there."""
    if sys.stdout is None or not sys.stdout.isatty():
        return None
    try:
        from playstream.cli.progress import Progress, can_move  # noqa: PLC0415 - the library is an extra
    except ImportError:
        return None
    return Progress(sys.stdout) if can_move() else None


class PlainOutput(io.TextIOBase):
    """A text stream that writes to another, without colours.

    Args:
        stream: the other.
    """

    def __init__(self, stream: TextIO) -> None:
        from playstream.interface.shown_text import make_plain  # noqa: PLC0415 - only where it is needed

        self._stream = stream
        self._form = make_plain

    @property
    def encoding(self) -> str:  # type: ignore[override]  # the base's is an attribute that cannot be set
        return self._stream.encoding

    def write(self, text: str) -> int:
        self._stream.write(self._form(text))
        return len(text)

    def flush(self) -> None:
        self._stream.flush()


def open_missing_streams() -> None:
    """Put /dev/null in the place of standard streams that are closed, so that printing is no error."""
    from playstream.interface.standard_streams import fill_standard_streams  # noqa: PLC0415 - a run's alone

    fill_standard_streams()
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - for as long as we live
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
