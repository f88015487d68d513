"""The command line: playstream's, which has ansible-runner's commands and flags."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from playstream.cli.main import main as run

__all__ = ["main"]


def main(sys_args: Sequence[str] | None = None) -> int:
    """Run a command line.

    Args:
        sys_args: the words after the program's name; those of the process by default.

    Returns:
        The exit status.
    """
    return run(sys_args)


if __name__ == "__main__":
    from playstream.cli.entry import main as run_process

    sys.exit(run_process())
