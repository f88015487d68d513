"""Runs one playstream command and reports what it cost: `python -m tests.stress.hostile.measured REPORT WORD...`.

The report is the most memory that the process has had at once, in KiB: VmHWM, which unlike ru_maxrss does not count
what the parent had when it started the process.
"""

from __future__ import annotations

import sys
from pathlib import Path

from playstream.cli.main import main


def peak_kib() -> int:
    """The most resident memory so far."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmHWM:")))


if __name__ == "__main__":
    report, *words = sys.argv[1:]
    try:
        sys.exit(main(words))
    finally:
        Path(report).write_text(str(peak_kib()))
