"""Observers of a run: they notify the Runner, plugins, the caller's handlers and the display."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from playstream.interface.display import Display
from playstream.interface.handlers import Handlers
from playstream.interface.logs import unwritten_logs
from playstream.interface.plugins import Plugins, find_plugins
from playstream.interface.terminal_text import make_plain
from playstream.pipeline.errors import OutputError
from playstream.pipeline.protocol import LogLevel, Status
from playstream.process import ForwardingObserver, Observer

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from playstream.interface.config import RunnerConfig

_logger = logging.getLogger("playstream")
_LEVELS = {LogLevel.INFO: logging.INFO, LogLevel.WARNING: logging.WARNING, LogLevel.ERROR: logging.ERROR}


class Watched(Protocol):
    """An object that keeps the state of a run: a Runner."""

    config: RunnerConfig

    def note_event(self, name: str, event: dict[str, Any]) -> None:
        """Record that an event was kept, in the file `name`."""

    def note_status(self, status: Status) -> None:
        """Record a new status of the job."""


class RunObserver(Observer):
    """The observer of a Runner's run: it updates the Runner, and notifies plugins, handlers and the display.

    Plugins receive a status before the caller's handler, and an event after it.

    Args:
        runner: the Runner to update.
        handlers: the caller's functions.
        completes_config: whether the status `starting` completes the configuration of the Runner.
    """

    def __init__(self, runner: Watched, handlers: Handlers, *, completes_config: bool = False) -> None:
        self._plugins = Plugins(find_plugins(), runner.config)
        self.changes_events = handlers.event_handler is not None or self._plugins.take_events
        self._runner = runner
        self._completes_config = completes_config
        self._handlers = handlers
        self._display = Display(None)
        self.error: BaseException | None = None
        """The exception that one of the caller's functions raised."""

    def show_on(self, display: Display) -> None:
        """Set the display for Ansible's output, after the run has been prepared."""
        self._display = display

    def mute(self) -> None:
        """Stop notifying the caller's functions. The Runner and plugins are still notified."""
        self._handlers = Handlers()
        self._display = Display(None)

    @property
    def output_error(self) -> OutputError | None:
        """The error if output or log messages could not be written."""
        logs = unwritten_logs()
        return self._display.error or (OutputError(logs[0]) if logs else None)

    def show(self, text: str) -> None:
        self._display.show(text)

    def idle(self) -> None:
        self._display.flush()

    def log(self, level: LogLevel, message: str) -> None:
        # The program's logging handlers may write to a terminal, as Python's default handler does.
        _logger.log(_LEVELS[level], "%s", make_plain(message))

    def event(self, event: dict[str, Any]) -> bool:
        try:
            return self._handlers.event(event)
        except KeyboardInterrupt:
            raise  # not an error of the handler, which still has to learn how the run ends
        except BaseException as error:
            self._give_up(error)
            raise
        finally:
            self._plugins.event(event)

    def kept(self, name: str, event: dict[str, Any]) -> None:
        self._runner.note_event(name, event)

    def status(self, status: Status) -> None:
        self._runner.note_status(status)
        config = self._runner.config
        if self._completes_config:
            _complete(config, status)
        data = _status_data(status, str(config.ident))
        self._plugins.status(data)
        try:
            self._handlers.status(data, config)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            self._give_up(error)
            raise

    def _give_up(self, error: BaseException) -> None:
        self.error = error
        self.mute()


class ObserverFrom(ForwardingObserver):
    """Hides the events before a certain one, and their text, from another observer.

    Args:
        first: the counter of the first event that is not hidden.
        inner: the other observer.
    """

    def __init__(self, first: int, inner: Observer) -> None:
        super().__init__(inner)
        self._first = first
        self._hides = True

    def event(self, event: dict[str, Any]) -> bool:
        self._hides = event["counter"] < self._first
        return True if self._hides else super().event(event)

    def show(self, text: str) -> None:
        if not self._hides:
            super().show(text)


@dataclass(slots=True)
class StreamConfig:
    """The known configuration of a run that arrives as a stream, passed to plugins instead of a RunnerConfig."""

    ident: str
    settings: Mapping[str, Any]
    command: list[str] = field(default_factory=list)
    cwd: str = ""
    env: dict[str, str] = field(default_factory=dict)


class PluginObserver(ForwardingObserver):
    """Notifies plugins of a run that arrives as a stream, and forwards everything to another observer.

    Args:
        found: the plugins.
        config: passed to them as `runner_config`; the status `starting` completes it.
        inner: the other observer.
    """

    def __init__(self, found: Iterable[EntryPoint], config: StreamConfig, inner: Observer) -> None:
        super().__init__(inner)
        self._plugins = Plugins(found, config)
        self._config = config
        self.changes_events = self.changes_events or self._plugins.take_events

    def event(self, event: dict[str, Any]) -> bool:
        keep = super().event(event)
        self._plugins.event(event)
        return keep

    def status(self, status: Status) -> None:
        _complete(self._config, status)
        self._plugins.status(_status_data(status, self._config.ident))
        super().status(status)


def _complete(config: StreamConfig | RunnerConfig, status: Status) -> None:
    """Set the command of a run on another host, if the status contains it."""
    if status.command is not None:
        config.command, config.cwd, config.env = list(status.command), status.cwd or "", dict(status.env or {})


def _status_data(status: Status, ident: str) -> dict[str, Any]:
    """Return a status in the form that handlers and plugins receive."""
    data: dict[str, Any] = {"status": status.status.value, "runner_ident": ident}
    if status.command is not None:
        data |= {"command": list(status.command), "env": dict(status.env or {}), "cwd": status.cwd}
    if status.tree is not None:
        data["tree"] = status.tree
    if status.explanation is not None:
        data["job_explanation"] = status.explanation
    if status.traceback is not None:
        data["result_traceback"] = status.traceback
    return data
