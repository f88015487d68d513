"""Wrap messages at words, so that a terminal does not break words at its edge."""

from __future__ import annotations

import os
from typing import TextIO

_NARROWEST = 40
"""Narrower terminals break words anyway."""
_INDENT = "    "


def wrap_message(text: str, stream: TextIO) -> str:
    """Return a message as the stream should show it: wrapped at words on a terminal, unchanged elsewhere.

    Words longer than a line, such as paths, are kept whole. Further lines are indented, so that each message can be
    told from the next.

    Args:
        text: the message; its own lines are wrapped separately.
        stream: where it is printed.
    """
    columns = _columns_of(stream)
    if columns < _NARROWEST or all(len(line) <= columns for line in text.splitlines()):
        return text
    import textwrap  # noqa: PLC0415 - most messages are printed once, and many not on a terminal

    wrapper = textwrap.TextWrapper(
        columns,
        subsequent_indent=_INDENT,
        expand_tabs=False,
        replace_whitespace=False,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return "\n".join(line if len(line) <= columns else wrapper.fill(line) for line in text.split("\n"))


def _columns_of(stream: TextIO) -> int:
    """Return the width of a terminal; 0 if the stream is none."""
    try:
        return os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError, AttributeError):
        return 0
