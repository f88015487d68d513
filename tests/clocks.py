"""Moving the wall clock of programs, but not their monotonic one, with libfaketime."""

from __future__ import annotations

from pathlib import Path

import pytest

_SLEEP = """
import select, time
time.sleep = lambda seconds: select.select([], [], [], seconds)
"""
"""libfaketime breaks the sleep of Python 3.11 and later, which lasts until a time on the monotonic clock."""


def moved_clock(folder: Path, moved: str = "+0") -> dict[str, str]:
    """Return variables of the environment with which programs have another time.

    Args:
        folder: where to write what they need; its file `clock` has how much the clock is moved.
        moved: how much in the beginning, such as +86400.
    """
    libraries = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    if not libraries:
        pytest.fail("libfaketime is missing; apt-get install libfaketime")
    (folder / "clock").write_text(f"{moved}\n")
    (folder / "python").mkdir()
    (folder / "python" / "sitecustomize.py").write_text(_SLEEP)
    return {
        "LD_PRELOAD": str(libraries[0]),
        "FAKETIME_TIMESTAMP_FILE": str(folder / "clock"),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "DONT_FAKE_MONOTONIC": "1",
        "NO_FAKE_STAT": "1",
        "PYTHONPATH": str(folder / "python"),
    }
