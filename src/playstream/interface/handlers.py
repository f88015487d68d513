"""The caller's functions that are called while a job runs, and what becomes of their errors."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from playstream.interface.options import (
    ArtifactsHandler,
    CancelCallback,
    EventFunction,
    FinishedCallback,
    StatusHandler,
)
from playstream.pipeline.errors import CallbackError, PlaystreamError
from playstream.pipeline.io.cancellation import LOOK_SECONDS

HANDLER_OPTIONS = (
    "event_handler", "status_handler", "cancel_callback", "artifacts_handler", "finished_callback", "store",
)
"""The options that are a Runner's and not its configuration's."""
_logger = logging.getLogger("playstream")


def take_handlers(options: dict[str, Any]) -> dict[str, Any]:
    """Take the handlers out of `options`."""
    return {name: options.pop(name) for name in HANDLER_OPTIONS if name in options}


@dataclass(frozen=True, slots=True)
class Handlers:
    """The caller's functions; see `options` for what each takes. All are called in the thread of the run."""

    event_handler: EventFunction | None = None
    status_handler: StatusHandler | None = None
    cancel_callback: CancelCallback | None = None
    artifacts_handler: ArtifactsHandler | None = None
    finished_callback: FinishedCallback | None = None

    def event(self, event: dict[str, Any]) -> bool:
        """Show an event; True if it is to be kept. What the handler raises is raised, but for OSError."""
        if self.event_handler is None:
            return True
        try:
            return bool(self.event_handler(event))
        except OSError as error:
            _logger.warning("the event handler failed on event %s, which is kept: %s", event.get("counter"), error)
            return True

    def status(self, data: dict[str, Any], config: object) -> None:
        """Show a status. What the handler raises is raised."""
        if self.status_handler is not None:
            self.status_handler(data, runner_config=config)

    def artifacts(self, artifact_dir: str) -> None:
        """Say that the artifacts are there.

        Raises:
            CallbackError: the handler raised.
        """
        if self.artifacts_handler is not None:
            _call("artifacts_handler", self.artifacts_handler, artifact_dir)

    def finished(self, runner: object) -> None:
        """Say that all is done.

        Raises:
            CallbackError: the callback raised.
        """
        if self.finished_callback is not None:
            _call("finished_callback", self.finished_callback, runner)


class CancelPoll:
    """Asks the cancel callback every LOOK_SECONDS, however often it is reminded.

    Args:
        callback: the caller's; None for never.
        cancel: called once when it says so.
    """

    def __init__(self, callback: CancelCallback | None, cancel: Callable[[str], None]) -> None:
        self._callback = callback
        self._cancel = cancel
        self._next = 0.0

    def __call__(self) -> None:
        """Ask, if it is time.

        Raises:
            CallbackError: the callback raised.
        """
        if self._callback is None or time.monotonic() < self._next:
            return
        callback, self._callback = self._callback, None  # one that raises is not asked again
        if _call("cancel_callback", callback):
            self._cancel("canceled by the cancel callback")
        else:
            self._callback = callback
        # From its end on: one that takes long would be asked between any two records.
        self._next = time.monotonic() + LOOK_SECONDS


def as_result(error: BaseException) -> PlaystreamError:
    """What was raised, by the run or by a function of the caller's, as what the run ended with."""
    if isinstance(error, PlaystreamError):
        return error
    return CallbackError(f"a handler raised {type(error).__name__}: {error}")


def _call(name: str, function: Callable[..., object], *arguments: object) -> object:
    try:
        return function(*arguments)
    except Exception as error:
        raise CallbackError(f"{name} raised {type(error).__name__}: {error}") from error
