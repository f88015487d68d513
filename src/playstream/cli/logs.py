"""Show warnings of a run in this process on standard error."""

from __future__ import annotations

import argparse
import logging

from playstream.cli.output import print_message


class _Lines(logging.Handler):
    """Writes to the current `sys.stderr`, which the live display replaces."""

    def __init__(self, name: str) -> None:
        super().__init__(logging.WARNING)
        self._command = name

    def emit(self, record: logging.LogRecord) -> None:
        print_message(self._command, f"{record.levelname.lower()}: {record.getMessage()}")


def show_warnings(flags: argparse.Namespace) -> None:
    """Show warnings, unless `--quiet` is given; with `--debug` they are shown with the other messages."""
    logger = logging.getLogger("playstream")
    if flags.quiet and not flags.debug:
        logger.addHandler(logging.NullHandler())
    elif not flags.debug:
        logger.addHandler(_Lines(flags.name))
