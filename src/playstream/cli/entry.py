"""Where the command begins. It loads next to nothing, so that Ctrl-C while the rest is loaded is no traceback."""

from __future__ import annotations

import os

from playstream.cli import INTERRUPTED


def main() -> int:
    """Run the command line of this process; return its exit status."""
    try:
        from playstream.cli.interrupts import InterruptsWait  # noqa: PLC0415 - see above

        with InterruptsWait():
            from playstream.cli.main import main as run  # noqa: PLC0415

        return run()
    except KeyboardInterrupt:
        os.write(2, b"playstream: interrupted\n")
        return INTERRUPTED
