"""Entry point of the command. It loads almost nothing, so that Ctrl-C while modules load causes no traceback."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from playstream.cli import INTERRUPTED_EXIT_STATUS


def main(command: Callable[[], int] | None = None) -> int:
    """Run the command line of this process.

    Args:
        command: the function to run; None runs playstream's own command line.

    Returns:
        The exit status.
    """
    try:
        from playstream.cli.interrupts import InterruptsWait  # noqa: PLC0415 - see above

        with InterruptsWait():
            from playstream.cli.main import main as run  # noqa: PLC0415
            from playstream.cli.output import settle, use_waiting_streams  # noqa: PLC0415

            use_waiting_streams()
        try:
            status = (command or run)()
        except SystemExit as left:  # raised by argparse for help, the version, and invalid arguments
            status = left.code if isinstance(left.code, int) else 0
        return settle(status)
    except KeyboardInterrupt:
        if (output := sys.modules.get("playstream.cli.output")) is not None:
            output.StandardStream.until = 0.0  # do not wait for a reader that takes no output
        os.write(2, b"playstream: interrupted\n")
        return INTERRUPTED_EXIT_STATUS
