"""What a Runner sees of its run: it keeps the Runner's state, and tells the caller's handlers and the display."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from playstream.interface.display import Display
from playstream.interface.handlers import Handlers
from playstream.pipeline.protocol import LogLevel, Status
from playstream.process import Observer

if TYPE_CHECKING:
    from playstream.interface.runner import Runner

_logger = logging.getLogger("playstream")
_LEVELS = {LogLevel.INFO: logging.INFO, LogLevel.WARNING: logging.WARNING, LogLevel.ERROR: logging.ERROR}


class RunObserver(Observer):
    """Tells what happens in a run.

    Args:
        runner: whose state it keeps.
        handlers: the caller's functions.
    """

    def __init__(self, runner: Runner, handlers: Handlers) -> None:
        self.changes_events = handlers.event_handler is not None
        self._runner = runner
        self._handlers = handlers
        self._display = Display(None)
        self.error: BaseException | None = None
        """What one of the caller's functions raised."""

    def show_on(self, display: Display) -> None:
        """Show Ansible's output there, which is known when the run has been made ready."""
        self._display = display

    def mute(self) -> None:
        """Tell the caller's functions nothing more. The runner goes on being told."""
        self._handlers = Handlers()
        self._display = Display(None)

    def show(self, text: str) -> None:
        self._display.show(text)

    def idle(self) -> None:
        self._display.flush()

    def log(self, level: LogLevel, message: str) -> None:
        _logger.log(_LEVELS[level], "%s", message)

    def event(self, event: dict[str, Any]) -> bool:
        try:
            return self._handlers.event(event)
        except BaseException as error:
            self._give_up(error)
            raise

    def kept(self, name: str, event: dict[str, Any]) -> None:
        self._runner.note_event(name, event)

    def status(self, status: Status) -> None:
        self._runner.note_status(status)
        config = self._runner.config
        data: dict[str, Any] = {"status": status.status.value, "runner_ident": str(config.ident)}
        if status.command is not None:
            data |= {"command": list(status.command), "env": dict(status.env or {}), "cwd": status.cwd}
        if status.explanation is not None:
            data["job_explanation"] = status.explanation
        try:
            self._handlers.status(data, config)
        except BaseException as error:
            self._give_up(error)
            raise

    def _give_up(self, error: BaseException) -> None:
        self.error = error
        self.mute()
