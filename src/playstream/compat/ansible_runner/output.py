"""Logging, and lines for standard output."""

from __future__ import annotations

import logging
import sys

from playstream.interface.logs import set_up_logging

__all__ = ["configure", "debug", "display", "set_debug", "set_logfile", "set_traceback"]

_display_logger = logging.getLogger("ansible-runner.display")
_debug_logger = logging.getLogger("playstream")
_DISPLAY_LEVEL = 70
_switches = {"debug": False, "traceback": True}


def configure() -> None:
    """Make `display()` write to standard output."""
    _display_logger.setLevel(_DISPLAY_LEVEL)
    _display_logger.propagate = False
    if not any(handler.name == "stdout" for handler in _display_logger.handlers):
        handler = logging.StreamHandler(sys.stdout)
        handler.name = "stdout"
        _display_logger.addHandler(handler)


def display(msg: str, log_only: bool = False) -> None:
    """Show a line, unless `log_only`, and log it."""
    if not log_only:
        _display_logger.log(_DISPLAY_LEVEL, "%s", msg)
    _debug_logger.debug("%s", msg)


def debug(msg: str | Exception) -> None:
    """Log and show a line or an error, if `set_debug('enable')` was called."""
    if _switches["debug"]:
        if isinstance(msg, Exception) and _switches["traceback"]:
            _debug_logger.debug("%s", msg, exc_info=msg)
        display(str(msg))


def set_logfile(filename: str) -> None:
    """Write log messages to this file too.

    Raises:
        ConfigurationError: the file cannot be written.
    """
    set_up_logging({"logfile": filename, "debug": False})


def set_debug(value: str) -> None:
    """Turn debug messages on or off.

    Args:
        value: `enable` or `disable`.

    Raises:
        ValueError: the value is neither.
    """
    _switches["debug"] = _is_on(value)
    if _switches["debug"]:
        set_up_logging({"debug": True})


def set_traceback(value: str) -> None:
    """Turn tracebacks of errors in `debug()` on or off.

    Args:
        value: `enable` or `disable`.

    Raises:
        ValueError: the value is neither.
    """
    _switches["traceback"] = _is_on(value)


def _is_on(value: str) -> bool:
    if value.lower() not in {"enable", "disable"}:
        raise ValueError(f"expected 'enable' or 'disable', got {value!r}")
    return value.lower() == "enable"
