"""Show warnings and notices of a run in this process on standard error."""

from __future__ import annotations

import argparse
import logging

from playstream.cli.output import print_message

NOTICES = "playstream.notices"
"""The logger of messages that say what takes long, which are shown although they are no warnings."""


class _Lines(logging.Handler):
    """Writes to the current `sys.stderr`, which the live display replaces."""

    def __init__(self, name: str, level: int) -> None:
        super().__init__(level)
        self._command = name

    def emit(self, record: logging.LogRecord) -> None:
        level = f"{record.levelname.lower()}: " if record.levelno >= logging.WARNING else ""
        print_message(self._command, f"{level}{record.getMessage()}")


def show_warnings(flags: argparse.Namespace) -> None:
    """Show warnings and notices, unless `--quiet` is given; with `--debug` they are shown with the other messages."""
    logger = logging.getLogger("playstream")
    if flags.quiet and not flags.debug:
        logger.addHandler(logging.NullHandler())
    elif not flags.debug:
        logger.addHandler(_Lines(flags.name, logging.WARNING))
        notices = logging.getLogger(NOTICES)
        notices.setLevel(logging.INFO)
        notices.addHandler(_Lines(flags.name, logging.INFO))
