"""Live progress on a terminal: Ansible's output scrolls above a line that shows the progress of the run.

It requires the library rich, which the extra `ui` installs.
"""

from __future__ import annotations

import io
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from types import TracebackType
from typing import IO, Any, TextIO, cast

from rich.console import Console
from rich.live import Live
from rich.text import Text

from playstream.cli.output import StandardStream
from playstream.interface.terminal_text import make_plain, make_safe
from playstream.process.event_data import (
    PLAY_START,
    STATS,
    TASK_ENDS,
    TASK_START,
    TaskStatus,
    counts_of,
    data_of,
    text_of,
)

_REFRESHES_PER_SECOND = 4
_LINE_END = ord("\n")
_SHOWN = {
    "ok": ("ok", "green"),
    "changed": ("changed", "yellow"),
    "failures": ("failed", "red"),
    "unreachable": ("unreachable", "red"),
    "skipped": ("skipped", "cyan"),
}
"""The counts on the line: how each is called there, and its style."""


def can_move() -> bool:
    """Return whether the terminal can move its cursor up."""
    return os.environ.get("TERM", "") not in {"", "dumb", "unknown"}


class Progress:
    """A context in which `sys.stdout` scrolls above a line with the counts of `event`.

    The line is shown from `begin` to the end of the context. It is cleared while something is written to standard
    error, whoever writes it in this process.

    Args:
        stream: the terminal.
        error: standard error if it is a terminal too; None if it is not.
    """

    def __init__(self, stream: TextIO, error: StandardStream | None) -> None:
        self._stream = stream
        self._error = error
        self._console = SteadyConsole(file=cast("IO[str]", _Patient(stream)), force_terminal=True, highlight=False)
        self._hosts: set[str] = set()
        self._counts = dict.fromkeys(_SHOWN, 0)
        self._task = ""
        self.transfer = ""
        """How far the artifacts are, which is shown instead of the task."""
        self._began: float | None = None
        self._lock = threading.RLock()
        """Held while a text is written where the line was."""
        self._above = _Above(self._console, stream, self.show_line)
        self._hidden = False
        """Whether the line was removed, until the next output."""
        self._live = Live(
            get_renderable=self._line,
            console=self._console,
            refresh_per_second=_REFRESHES_PER_SECOND,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def __enter__(self) -> Progress:
        sys.stdout = self._above
        if self._error is not None:
            self._error.writer = partial(self._write_error, self._error)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._error is not None:
            self._error.writer = self._error.write_now
        sys.stdout = self._stream
        self._above.finish()
        with self._lock:
            self._task = ""
            self._live.stop()
            self._began = None  # what is still written to `_above` shows no line

    @property
    def has_begun(self) -> bool:
        """Whether the line is there, or will be with the next output."""
        return self._began is not None

    def begin(self) -> None:
        """Show the line, if it is not shown yet. Called when the run has its first status."""
        if self._began is None:
            self._began = time.monotonic()
            self.show_line()

    def _write_error(self, error: StandardStream, data: memoryview) -> int:
        """Clear the line while data is written to standard error, and until the text there ends with a line end."""
        with self._lock:
            self._live.stop()
            written = error.write_now(data)
            if self._began is not None and not self._hidden and written and data[written - 1] == _LINE_END:
                self._live.start(refresh=True)
        return written

    def show_line(self) -> None:
        """Show the line, unless it is there, or the run has not begun."""
        with self._lock:
            self._hidden = False
            if self._began is not None:
                self._live.start(refresh=True)

    def remove_line(self) -> None:
        """Remove the line, so that the user can type there, until the next output."""
        with self._lock:
            self._hidden = True
            self._live.stop()

    def event(self, event: dict[str, Any]) -> bool:
        """Count an event; return True, to keep every event."""
        self.begin()
        kind, data = text_of(event, "event"), data_of(event)
        if kind == TASK_START:
            self._task = text_of(data, "name") or text_of(data, "task")
        elif kind == PLAY_START:
            self._task = f"play {text_of(data, 'name')}"
        elif kind == STATS:
            self._task = ""
        elif kind in TASK_ENDS:
            self._count(TASK_ENDS[kind], data)
        return True

    def _count(self, status: TaskStatus, data: Mapping[str, Any]) -> None:
        if host := text_of(data, "host"):
            self._hosts.add(host)
        for name in counts_of(status, data):
            if name in self._counts:
                self._counts[name] += 1

    def _line(self) -> Text:
        """Return the time, the counts, and the task, which is cut on a narrow terminal."""
        seconds = int(time.monotonic() - (self._began or time.monotonic()))
        line = Text(no_wrap=True, overflow="ellipsis", end="")
        line.append(f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}", "bold")
        line.append(f"  hosts {len(self._hosts)}")
        for name, count in self._counts.items():
            word, style = _SHOWN[name]
            line.append(f"  {word} {count}", style if count else "dim")
        if self.transfer:
            line.append(f"  {self.transfer}")
        elif self._task:
            line.append(f"  {' '.join(make_plain(self._task).split())}")
        return line


class SteadyConsole(Console):
    r"""A console that never hides the cursor.

    A hidden cursor would stay hidden at the shell prompt after Ctrl-Z, Ctrl-\ or a kill, or if another process of the
    pipeline writes between the bytes that show it again.
    """

    def show_cursor(self, show: bool = True) -> bool:  # noqa: ARG002 - rich's signature
        return False


class _Above(io.TextIOBase):
    """A text stream whose lines appear above the live line, with colours but without other control sequences."""

    def __init__(self, console: Console, stream: TextIO, show_line: Callable[[], None]) -> None:
        self._console = console
        self._stream = stream
        self._show_line = show_line
        self._rest = ""
        """The beginning of a line whose end has not been written yet."""

    @property
    def encoding(self) -> str:  # type: ignore[override]  # the base's is an attribute that cannot be set
        return self._stream.encoding

    def write(self, text: str) -> int:
        lines, end, rest = text.rpartition("\n")
        if end:
            self._show(self._rest + lines)
            self._rest = ""
        self._rest += rest
        return len(text)

    def finish(self) -> None:
        """Show what was written without a line end."""
        if self._rest:
            self._show(self._rest)
            self._rest = ""

    def _show(self, lines: str) -> None:
        self._show_line()
        # The text may come from a program's own print(), so it is escaped here. The console ends the line.
        self._console.print(Text.from_ansi(make_safe(lines)), soft_wrap=True)

    def isatty(self) -> bool:
        return True


class _Patient(io.TextIOBase):
    """A terminal that may be closed: further output is lost, and the run continues."""

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
