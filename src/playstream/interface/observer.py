"""Who is told what happens in a run: the Runner, plugins, the caller's handlers, the display."""

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
    """What keeps a run's state: a Runner."""

    config: RunnerConfig

    def note_event(self, name: str, event: dict[str, Any]) -> None:
        """An event has been kept, in the file `name`."""

    def note_status(self, status: Status) -> None:
        """The job has a new status."""


class RunObserver(Observer):
    """What a Runner sees of its run: it keeps the Runner's state, and tells plugins, handlers and the display.

    Plugins are told of a status before the caller's handler, and of an event after it.

    Args:
        runner: whose state it keeps.
        handlers: the caller's functions.
    """

    def __init__(self, runner: Watched, handlers: Handlers) -> None:
        self._plugins = Plugins(find_plugins(), runner.config)
        self.changes_events = handlers.event_handler is not None or self._plugins.take_events
        self._runner = runner
        self._handlers = handlers
        self._display = Display(None)
        self.error: BaseException | None = None
        """What one of the caller's functions raised."""

    def show_on(self, display: Display) -> None:
        """Show Ansible's output there, which is known when the run has been made ready."""
        self._display = display

    def mute(self) -> None:
        """Tell the caller's functions nothing more. The runner and plugins go on being told."""
        self._handlers = Handlers()
        self._display = Display(None)

    @property
    def unshown(self) -> OutputError | None:
        """Why not all was shown or logged that was to be."""
        logs = unwritten_logs()
        return self._display.error or (OutputError(logs[0]) if logs else None)

    def show(self, text: str) -> None:
        self._display.show(text)

    def idle(self) -> None:
        self._display.flush()

    def log(self, level: LogLevel, message: str) -> None:
        # Handlers of the caller's may write to a terminal, and Python's own does where there are none.
        _logger.log(_LEVELS[level], "%s", make_plain(message))

    def event(self, event: dict[str, Any]) -> bool:
        try:
            return self._handlers.event(event)
        except KeyboardInterrupt:
            raise  # it met the handler by chance, which is to be told how the run ends
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


@dataclass(slots=True)
class StreamConfig:
    """What is known of a run that comes as a stream: what plugins get in the place of a RunnerConfig."""

    ident: str
    settings: Mapping[str, Any]
    command: list[str] = field(default_factory=list)
    cwd: str = ""
    env: dict[str, str] = field(default_factory=dict)


class PluginObserver(ForwardingObserver):
    """Tells plugins of a run that comes as a stream, and another observer all.

    Args:
        found: the plugins.
        config: what they get as `runner_config`; the rest of it comes with the status `starting`.
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
        if status.command is not None:
            self._config.command, self._config.cwd = list(status.command), status.cwd or ""
            self._config.env = dict(status.env or {})
        self._plugins.status(_status_data(status, self._config.ident))
        super().status(status)


def _status_data(status: Status, ident: str) -> dict[str, Any]:
    """A status as handlers and plugins get it."""
    data: dict[str, Any] = {"status": status.status.value, "runner_ident": ident}
    if status.command is not None:
        data |= {"command": list(status.command), "env": dict(status.env or {}), "cwd": status.cwd}
    if status.explanation is not None:
        data["job_explanation"] = status.explanation
    if status.traceback is not None:
        data["result_traceback"] = status.traceback
    return data
