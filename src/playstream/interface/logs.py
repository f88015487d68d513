"""Set up logging of the logger `playstream`, never of the root logger."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from playstream.interface.terminal_text import make_message
from playstream.pipeline.errors import ConfigurationError

_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def set_up_logging(options: Mapping[str, Any]) -> None:
    """Set up logging according to `debug` and `logfile`, unless `ignore_logging` is set.

    Raises:
        ConfigurationError: the file cannot be written.
    """
    if options.get("ignore_logging"):
        return
    logger = logging.getLogger("playstream")
    if options.get("debug"):
        logger.setLevel(logging.DEBUG)
        _add_once(logger, logging.StreamHandler())
    if options.get("logfile"):
        path = Path(options["logfile"])
        try:
            _add_once(logger, _LogFile(path, encoding="utf-8"))
        except OSError as error:
            raise ConfigurationError(f"logfile: {str(path)!r} cannot be written: {error.strerror}") from None
        logger.setLevel(logging.DEBUG if options.get("debug") else logging.INFO)


def unwritten_logs() -> list[str]:
    """Return a message for each log file that could not be written completely."""
    handlers = logging.getLogger("playstream").handlers
    return [
        f"logfile: {handler.baseFilename!r} cannot be written: {handler.error}. The rest of the log is lost"
        for handler in handlers
        if isinstance(handler, _LogFile) and handler.error is not None
    ]


class _LogFile(logging.FileHandler):
    """A log file. A write error does not end the run, and is reported afterwards."""

    error: str | None = None
    """The reason why a message could not be written."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        caught = sys.exc_info()[1]
        if isinstance(caught, OSError):
            self.error = caught.strerror
        else:
            super().handleError(record)


class _Formatter(logging.Formatter):
    """Escapes control sequences, and indents further lines, because messages may contain text from another host."""

    def format(self, record: logging.LogRecord) -> str:
        return make_message(super().format(record))


def _add_once(logger: logging.Logger, handler: logging.StreamHandler[Any]) -> None:
    """Add a handler unless there is one like it."""
    name = f"playstream:{getattr(handler, 'baseFilename', 'stderr')}"
    if any(present.name == name for present in logger.handlers):
        handler.close()
        return
    handler.name = name
    handler.setFormatter(_Formatter(_FORMAT))
    logger.addHandler(handler)
