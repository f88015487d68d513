"""Call the caller's functions during a run, and handle their errors."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from playstream.interface.options import (
    ArtifactsHandler,
    CancelCallback,
    EventFunction,
    FinishedCallback,
    StatusHandler,
)
from playstream.pipeline.errors import CallbackError, ConfigurationError, PlaystreamError
from playstream.pipeline.io.cancellation import LOOK_SECONDS

HANDLER_OPTIONS = (
    "event_handler",
    "status_handler",
    "cancel_callback",
    "artifacts_handler",
    "finished_callback",
    "store",
    "label",
    "store_events",
    "capture",
    "force",
)
"""Options of a Runner that are not part of its configuration."""
_logger = logging.getLogger("playstream")


def take_handlers(options: dict[str, Any]) -> dict[str, Any]:
    """Remove the handlers from `options` and return them."""
    return {name: options.pop(name) for name in HANDLER_OPTIONS if name in options}


def check_kept(options: Mapping[str, Any], streamer: str | None) -> None:
    """Check that what runs has the stream that is to be kept.

    Args:
        options: options of run().
        streamer: the single stage that runs; None for a whole run.

    Raises:
        ConfigurationError: it has not, or nothing is to be kept that `force` could replace.
    """
    if options.get("capture") is not None and streamer in {"transmit", "worker"}:
        raise ConfigurationError("capture: expected a run with results, got a single stage. Use tee(1) beside it")
    if options.get("tee") is not None and streamer != "process":
        raise ConfigurationError("tee: concerns the process stage, which reads a stream. For a run, use capture")
    if options.get("force") and options.get("capture") is None and options.get("tee") is None:
        raise ConfigurationError("force: expected a file to replace: name it with --capture or --tee")


@dataclass(frozen=True, slots=True)
class Handlers:
    """The caller's functions; see `options` for their parameters. All are called in the thread of the run."""

    event_handler: EventFunction | None = None
    status_handler: StatusHandler | None = None
    cancel_callback: CancelCallback | None = None
    artifacts_handler: ArtifactsHandler | None = None
    finished_callback: FinishedCallback | None = None

    def event(self, event: dict[str, Any]) -> bool:
        """Pass an event to the handler; return whether to keep the event. An OSError of the handler is logged."""
        if self.event_handler is None:
            return True
        try:
            return bool(self.event_handler(event))
        except OSError as error:
            _logger.warning("the event handler failed on event %s, which is kept: %s", event.get("counter"), error)
            return True

    def status(self, data: dict[str, Any], config: object) -> None:
        """Pass a status to the handler."""
        if self.status_handler is not None:
            self.status_handler(data, runner_config=config)

    def artifacts(self, artifact_dir: str) -> None:
        """Call the artifacts handler.

        Raises:
            CallbackError: the handler raised an exception.
        """
        if self.artifacts_handler is not None:
            _call("artifacts_handler", self.artifacts_handler, artifact_dir)

    def finished(self, runner: object) -> None:
        """Call the finished callback.

        Raises:
            CallbackError: the callback raised an exception.
        """
        if self.finished_callback is not None:
            _call("finished_callback", self.finished_callback, runner)


class CancelPoll:
    """Polls the cancel callback at most every LOOK_SECONDS.

    Args:
        callback: the caller's function; None for none.
        cancel: called once if the result is true.
    """

    def __init__(self, callback: CancelCallback | None, cancel: Callable[[str], None]) -> None:
        self._callback = callback
        self._cancel = cancel
        self._next = 0.0

    def __call__(self) -> None:
        """Call the callback, if it is time.

        Raises:
            CallbackError: the callback raised an exception.
        """
        if self._callback is None or time.monotonic() < self._next:
            return
        callback, self._callback = self._callback, None  # do not call it again if it raises
        if _call("cancel_callback", callback):
            self._cancel("canceled by the cancel callback")
        else:
            self._callback = callback
        # Count from its end: otherwise a slow callback would be called between any two records.
        self._next = time.monotonic() + LOOK_SECONDS


def as_result(error: BaseException) -> PlaystreamError:
    """Convert an exception of the run or of a handler to the error that the run ends with."""
    if isinstance(error, PlaystreamError):
        return error
    return CallbackError(f"a handler raised {type(error).__name__}: {error}")


def _call(name: str, function: Callable[..., object], *arguments: object) -> object:
    try:
        return function(*arguments)
    except Exception as error:
        raise CallbackError(f"{name} raised {type(error).__name__}: {error}") from error
