"""Live progress on a terminal: Ansible's output scrolls above, one line below says how far the run is.

Needs the library rich, which is in the extra `ui`.
"""

from __future__ import annotations

import io
import os
import sys
import time
from collections.abc import Mapping
from types import TracebackType
from typing import IO, Any, TextIO, cast

from rich.console import Console
from rich.live import Live
from rich.text import Text

from playstream.interface.terminal_text import make_plain, make_safe
from playstream.process.task_results import data_of, res_of, text_of

_REFRESHES_PER_SECOND = 4
_COUNTS = ("ok", "changed", "failed", "unreachable", "skipped")
_STYLES = {"ok": "green", "changed": "yellow", "failed": "red", "unreachable": "red", "skipped": "cyan"}


def can_move() -> bool:
    """True if the terminal can move its cursor up."""
    return os.environ.get("TERM", "") not in {"", "dumb", "unknown"}


class Progress:
    """A context in which `sys.stdout` scrolls above a line with the counts of `event`.

    Args:
        stream: the terminal.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._console = _Console(file=cast("IO[str]", _Patient(stream)), force_terminal=True, highlight=False)
        self._hosts: set[str] = set()
        self._counts = dict.fromkeys(_COUNTS, 0)
        self._task = ""
        self._began = time.monotonic()
        self._live: Live | None = None

    def __enter__(self) -> Progress:
        self._began = time.monotonic()
        self._live = Live(
            get_renderable=self._line, console=self._console, refresh_per_second=_REFRESHES_PER_SECOND,
            redirect_stdout=False, redirect_stderr=sys.stderr.isatty(),
        )
        self._live.start()
        sys.stdout = _Above(self._console, self._stream)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        sys.stdout = self._stream
        self._task = ""
        if self._live is not None:
            self._live.stop()

    def event(self, event: dict[str, Any]) -> bool:
        """Count an event; every event is kept."""
        kind, data = text_of(event, "event"), data_of(event)
        if kind in {"playbook_on_task_start", "playbook_on_handler_task_start"}:
            self._task = text_of(data, "name") or text_of(data, "task")
        elif kind == "playbook_on_play_start":
            self._task = f"play {text_of(data, 'name')}"
        elif kind == "playbook_on_stats":
            self._task = ""
        elif kind.startswith("runner_on_"):
            self._count(kind.removeprefix("runner_on_"), data)
        return True

    def _count(self, outcome: str, data: Mapping[str, Any]) -> None:
        if host := text_of(data, "host"):
            self._hosts.add(host)
        changed = res_of(data).get("changed") is True
        if outcome == "ok":
            self._counts["ok"] += 1  # as Ansible counts: what changed is ok too
            self._counts["changed"] += changed
        elif outcome == "failed":
            self._counts["ok" if data.get("ignore_errors") else "failed"] += 1
        elif outcome in self._counts:
            self._counts[outcome] += 1

    def _line(self) -> Text:
        """Time and counts, and then the task, of which a narrow terminal shows less."""
        seconds = int(time.monotonic() - self._began)
        line = Text(no_wrap=True, overflow="ellipsis", end="")
        line.append(f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}", "bold")
        line.append(f"  hosts {len(self._hosts)}")
        for name, count in self._counts.items():
            line.append(f"  {name} {count}", _STYLES[name] if count else "dim")
        if self._task:
            line.append(f"  {' '.join(make_plain(self._task).split())}")
        return line


class _Console(Console):
    """One that leaves the cursor where it can be seen.

    While it were hidden, it would be hidden at the prompt of a shell too: after Ctrl-Z, Ctrl-\\ or a kill, or when
    another process of the pipeline writes between the bytes that would show it again.
    """

    def show_cursor(self, show: bool = True) -> bool:  # noqa: ARG002 - it is rich's
        return False


class _Above(io.TextIOBase):
    """A text stream whose lines appear above the live line: with their colours, without other orders to a terminal."""

    def __init__(self, console: Console, stream: TextIO) -> None:
        self._console = console
        self._stream = stream

    @property
    def encoding(self) -> str:  # type: ignore[override]  # the base's is an attribute that cannot be set
        return self._stream.encoding

    def write(self, text: str) -> int:
        # What is printed here need not come from a Display. The console ends the line.
        self._console.print(Text.from_ansi(make_safe(text.removesuffix("\n"))), soft_wrap=True)
        return len(text)

    def isatty(self) -> bool:
        return True


class _Patient(io.TextIOBase):
    """A terminal that may go away: what is written then is lost, and the run goes on."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._stream.encoding

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except OSError:
            return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError:
            pass

    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._stream.fileno()
