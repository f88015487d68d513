"""Descriptors 0, 1 and 2 of this process."""

from __future__ import annotations

import os


def fill_standard_streams() -> None:
    """Open /dev/null where a standard stream of this process is closed.

    A service may have closed them. The next file that something opens would get the number, and what a run starts
    would take it for its standard input or error.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            fd = os.open(os.devnull, os.O_RDWR)
            os.set_inheritable(fd, True)
            if fd != number:  # another thread was faster
                os.close(fd)
