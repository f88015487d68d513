"""Logging: playstream's own logger, never the root's."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from playstream.interface.shown_text import make_message
from playstream.pipeline.errors import ConfigurationError

_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def set_up_logging(options: Mapping[str, Any]) -> None:
    """Do what `debug` and `logfile` ask for, unless `ignore_logging` says to leave it alone.

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
            _add_once(logger, logging.FileHandler(path, encoding="utf-8"))
        except OSError as error:
            raise ConfigurationError(f"logfile: {str(path)!r} cannot be written: {error.strerror}") from None
        logger.setLevel(logging.DEBUG if options.get("debug") else logging.INFO)


class _Formatter(logging.Formatter):
    """What is logged may come from another host: it gives a terminal no orders, and begins no line of the log."""

    def format(self, record: logging.LogRecord) -> str:
        return make_message(super().format(record))


def _add_once(logger: logging.Logger, handler: logging.StreamHandler[Any]) -> None:
    """Add a handler unless one like it is there."""
    name = f"playstream:{getattr(handler, 'baseFilename', 'stderr')}"
    if any(present.name == name for present in logger.handlers):
        handler.close()
        return
    handler.name = name
    handler.setFormatter(_Formatter(_FORMAT))
    logger.addHandler(handler)
