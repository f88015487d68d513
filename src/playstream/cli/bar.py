"""A bar on a terminal, for work whose end is not known: how much was done, and how fast.

It requires the library rich, which the extra `ui` installs.
"""

from __future__ import annotations

import io
import os
import threading
from typing import IO, TextIO, cast

from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from playstream.cli.output import StandardStream
from playstream.cli.progress import SteadyConsole
from playstream.cli.transfers import State
from playstream.pipeline.io.locks import try_lock

_WIDTH = 20
_LINE_END = ord("\n")


class Bar:
    """Shows states as one line at the bottom of a terminal.

    The stages of a shell's pipeline share a terminal: the bar of one is shown at a time, which has locked it. The line
    is cleared while this process writes to standard error.

    Args:
        error: standard error, which is the terminal.
        stream: the text stream on it.
    """

    def __init__(self, error: StandardStream, stream: TextIO) -> None:
        self._error = error
        self._console = SteadyConsole(
            file=cast("IO[str]", _Direct(error, stream.encoding)), force_terminal=True, highlight=False
        )
        self._state: State | None = None
        self._live = Live(
            get_renderable=self._line,
            console=self._console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._lock = threading.RLock()
        self._shown = False
        self._waits = False
        """Whether the last line on standard error has no end yet."""
        self._before = error.writer
        self._terminal: int | None = None
        """The descriptor that holds the lock of the terminal."""

    def paint(self, state: State, *, moves: bool) -> None:
        with self._lock:
            self._state = state
            if not self._shown:
                # What stands still has begun nothing yet: ssh may ask for a password on this terminal meanwhile.
                if not moves or not self._take_terminal():
                    return
                self._shown, self._waits = True, False
                self._before, self._error.writer = self._error.writer, self._write
            if not self._waits:
                self._live.start()
                self._live.refresh()

    def end(self, state: State | None) -> None:  # noqa: ARG002 - a bar leaves nothing
        with self._lock:
            if self._shown:
                self._shown = False
                self._live.stop()
                self._error.writer = self._before
            if self._terminal is not None:
                os.close(self._terminal)
                self._terminal = None

    def _write(self, data: memoryview) -> int:
        """Write to standard error without the bar; the next state brings it back after the end of the line."""
        with self._lock:
            self._live.stop()
            written = self._before(data)
            self._waits = bool(written) and data[written - 1] != _LINE_END
        return written

    def _take_terminal(self) -> bool:
        """Return whether this process may use the last line of the terminal."""
        if self._terminal is None:
            try:
                self._terminal = os.open(os.ttyname(self._error.fileno()), os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC)
            except OSError:
                return True  # a terminal without a name, such as one of another container
        try:
            return try_lock(self._terminal)
        except OSError:
            return True

    def _line(self) -> Table:
        state = self._state
        table = Table.grid(padding=(0, 2, 0, 0))
        if state is not None:
            bar = ProgressBar(total=None, pulse=True, width=_WIDTH, animation_time=state.seconds)
            cells: list[str | ProgressBar] = [state.what, bar, *state.parts]
            for _ in cells:
                table.add_column(no_wrap=True)
            table.add_row(*cells)
        return table


class _Direct(io.TextIOBase):
    """Writes text to the terminal, past the writer that clears the bar."""

    def __init__(self, error: StandardStream, encoding: str) -> None:
        self._error = error
        self._encoding = encoding

    @property
    def encoding(self) -> str:  # type: ignore[override]  # the base's is an attribute that cannot be set
        return self._encoding

    def write(self, text: str) -> int:
        data = memoryview(text.encode(self._encoding, "replace"))
        while data:
            data = data[self._error.write_now(data) :]
        return len(text)

    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._error.fileno()
