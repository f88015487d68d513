"""Where the command begins. It loads next to nothing, so that Ctrl-C while the rest is loaded is no traceback."""

from __future__ import annotations

import os

INTERRUPTED_EXIT_STATUS = 130
"""The shell's for a program that SIGINT ended."""


def main() -> int:
    """Run the command line of this process; return its exit status."""
    try:
        from playstream.cli.main import main as run  # noqa: PLC0415 - see above

        return run()
    except (KeyboardInterrupt, RuntimeError) as error:
        # Python 3.11 and earlier say RuntimeError where it met the making of a class (__set_name__).
        if not isinstance(error, KeyboardInterrupt) and not isinstance(error.__cause__, KeyboardInterrupt):
            raise
        os.write(2, b"playstream: interrupted\n")
        return INTERRUPTED_EXIT_STATUS
