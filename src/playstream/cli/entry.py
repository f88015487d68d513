"""Entry point of the command. It loads almost nothing, so that Ctrl-C while modules load causes no traceback."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from types import TracebackType

from playstream.cli import INTERRUPTED_EXIT_STATUS


class InterruptsWait:
    """Context manager that blocks SIGINT while modules are loaded; a pending signal is delivered at its end.

    Python's import system may lose a KeyboardInterrupt or turn it into another error.
    """

    def __enter__(self) -> None:
        self._before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, self._before)


def _refuse_windows() -> int:
    from playstream.pipeline.errors import ConfigurationError  # noqa: PLC0415 - see above
    from playstream.pipeline.io.system import check_system  # noqa: PLC0415

    try:
        check_system()
    except ConfigurationError as error:
        os.write(2, f"playstream: {error}\n".encode())
        return error.exit_status
    return 0


def main(command: Callable[[], int] | None = None) -> int:
    """Run the command line of this process.

    Args:
        command: the function to run; None runs playstream's own command line.

    Returns:
        The exit status.
    """
    if sys.platform == "win32":
        return _refuse_windows()
    try:
        with InterruptsWait():
            from playstream.cli.main import main as run  # noqa: PLC0415 - see above
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
