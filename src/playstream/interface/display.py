"""What a run shows on this process's standard output."""

from __future__ import annotations

import sys


class Display:
    """Ansible's output, or events as JSON lines, on its way to `sys.stdout`, until nobody reads it any more.

    Args:
        shown: False for showing nothing.
    """

    def __init__(self, *, shown: bool) -> None:
        self._lines: list[str] = []
        self._shown = shown

    def show(self, text: str) -> None:
        """Take lines without their last line end."""
        if self._shown:
            self._lines.append(text)

    def flush(self) -> None:
        """Write what was taken. Whether somebody reads it makes no difference to the run."""
        if not self._lines:
            return
        text = "\n".join(self._lines).replace("\r\n", "\n") + "\n"
        self._lines.clear()
        encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
        try:
            sys.stdout.write(text.encode(encoding, "replace").decode(encoding))
            sys.stdout.flush()
        except (OSError, ValueError):
            self._shown = False  # nobody reads it, or it has been closed
