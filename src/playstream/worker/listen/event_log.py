"""The log of a listening worker: one line an event on standard error, as text or as JSON.

Lines say who did what and how it ended. Names from the other side are escaped, and nothing of a job but its name is
ever logged: errors of frames and records do not show their content.
"""

from __future__ import annotations

import json
import re
import sys
from datetime import UTC, datetime
from typing import TextIO

_PLAIN = re.compile(r"[\w.,:;/@+()\[\]-]+", re.ASCII)
_MAX_TEXT = 400
TEXT, JSON = "text", "json"


class EventLog:
    """Writes events.

    Args:
        form: TEXT or JSON.
        stream: where to; None for standard error.
    """

    def __init__(self, form: str, stream: TextIO | None = None) -> None:
        self._form = form
        self._stream = stream

    def write(self, event: str, **fields: str | float | None) -> str:
        """Write one event, and return its line.

        Args:
            event: a word for what happened.
            fields: what is known about it; None is left out. Texts are cut at 400 characters.
        """
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        known = {name: _cut(value) for name, value in fields.items() if value is not None}
        if self._form == JSON:
            line = json.dumps({"time": now, "event": event, **known})
        else:
            line = " ".join([now, event, *(f"{name}={_word(value)}" for name, value in known.items())])
        try:
            print(line, file=self._stream or sys.stderr, flush=True)
        except OSError:
            pass  # nobody reads the log; the jobs go on
        return line


def _cut(value: str | float) -> str | float:
    return value[:_MAX_TEXT] if isinstance(value, str) else value


def _word(value: str | float) -> str:
    """Return a value as one word; any text becomes a JSON string in ASCII."""
    if not isinstance(value, str):
        return f"{value:g}"
    return value if _PLAIN.fullmatch(value) else json.dumps(value)
