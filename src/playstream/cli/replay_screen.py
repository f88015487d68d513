"""The terminal on which a run is shown again, and its keys."""

from __future__ import annotations

import re
from typing import Any

from playstream.captures.player import Command, Screen
from playstream.cli.output import print_message
from playstream.interface.display import Display
from playstream.pipeline.io import system
from playstream.pipeline.io.cancellation import Cancellation
from playstream.pipeline.io.stdio import as_milliseconds
from playstream.pipeline.protocol import KeyMode, Log, Noise, Status
from playstream.process.event_data import data_of, text_of
from playstream.process.events import displayed_text
from playstream.worker.user_terminal import UserTerminal

_KEYS = {
    b" ": Command.PAUSE,
    b"\x1b[C": Command.NEXT,
    b"\x1bOC": Command.NEXT,
    b"\x1b[D": Command.PREVIOUS,
    b"\x1bOD": Command.PREVIOUS,
    b"+": Command.FASTER,
    b"=": Command.FASTER,
    b"-": Command.SLOWER,
    b"q": Command.QUIT,
    b"Q": Command.QUIT,
}
"""What the user types, and what it asks for. The arrow keys have two forms; = is + without shift."""
_TYPED = re.compile(rb"\x1b[\[O][A-Z]|[\s\S]")
_AGAIN_SECONDS = 0.25
"""How often to ask for keys again, while a shell has this process in the background."""


class ReplayScreen(Screen):
    """Shows events on standard output and takes keys.

    Args:
        display: shows text.
        terminal: whose keys are taken; None for none.
        cancellation: a request to stop, which counts as QUIT.
    """

    def __init__(self, display: Display, terminal: UserTerminal | None, cancellation: Cancellation) -> None:
        self._display = display
        self._terminal = terminal
        self._cancellation = cancellation
        self._typed: list[Command] = []
        self._poll = system.poll()
        self._poll.register(cancellation.fileno(), system.POLLIN)
        if terminal is not None:
            self._poll.register(terminal.fileno(), system.POLLIN)
        self.last: Status | None = None
        """The last status of the run; None before it."""
        self.has_hosts = False
        """Whether an event of a host was shown."""

    def show(self, event: dict[str, Any]) -> None:
        self.has_hosts = self.has_hosts or bool(text_of(data_of(event), "host"))
        text = displayed_text(event)
        if text is not None:
            self._display.show(text)

    def say(self, record: Log | Noise) -> None:
        if isinstance(record, Log):
            self._display.flush()
            print_message("replay", f"{record.level.value}: {record.message}")

    def tell(self, text: str) -> None:
        self._display.flush()
        print_message("replay", text)

    def end(self, status: Status) -> None:
        self.last = status

    def wait(self, seconds: float | None) -> Command | None:
        if self._stops():
            return Command.QUIT
        if self._typed:
            return self._typed.pop(0)
        if seconds != 0.0:
            self._display.flush()
        if self._terminal is not None:
            self._terminal.ask_for(KeyMode.KEYS)
            seconds = _AGAIN_SECONDS if seconds is None else min(seconds, _AGAIN_SECONDS)
        if self._poll.poll(as_milliseconds(seconds)):
            self._cancellation.acknowledge()
            self._read_keys()
        if self._stops():
            return Command.QUIT
        return self._typed.pop(0) if self._typed else None

    def _stops(self) -> bool:
        return self._cancellation.reason is not None

    def _read_keys(self) -> None:
        data = None if self._terminal is None else self._terminal.read()
        for typed in _TYPED.findall(data or b""):
            command = _KEYS.get(typed)
            if command is not None:
                self._typed.append(command)

    def close(self) -> None:
        """Write what is left, and restore the terminal."""
        self._display.flush()
        if self._terminal is not None:
            self._terminal.restore(drop_input=True)
