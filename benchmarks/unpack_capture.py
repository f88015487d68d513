"""Unpack the tree of a capture of `playstream transmit`, with the worker's own intake, and run nothing.

Usage: python -m benchmarks.unpack_capture CAPTURE TARGET
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from playstream.worker.intake import Intake


def unpack(capture: Path, target: Path) -> None:
    """Unpack below `target`, which is made."""
    target.mkdir()
    fd = os.open(capture, os.O_RDONLY | os.O_CLOEXEC)
    intake = Intake(fd, target, lambda _record: None, lambda _dialect: None, liveness_seconds=0, replace=False)
    try:
        while not intake.ready:
            intake.read()
    finally:
        intake.close()
        os.close(fd)


if __name__ == "__main__":
    unpack(Path(sys.argv[1]), Path(sys.argv[2]))
