"""Looking at processes, for tests that must leave none behind."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Self

MODES_BIND: tuple[str, ...] = (
    ("setpriv", "--bounding-set=-dac_override,-dac_read_search,-fowner", "--inh-caps=-all") if os.geteuid() == 0 else ()
)
"""Words before a command that is to run as a user whom modes bind: not the root that the tests may run as."""
MOUNTS_ALONE: tuple[str, ...] = ("unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"]))
"""Words before a command that is to mount file systems which nobody else sees."""
BECOMES_NOBODY = """
import importlib, os, pkgutil
import playstream

if os.geteuid() == 0:
    for module in pkgutil.walk_packages(playstream.__path__, "playstream."):
        if module.name.split(".")[1] not in {"__main__", "compat", "plugin"}:
            importlib.import_module(module.name)
    os.setgroups([])
    os.setresgid(65534, 65534, 65534)
    os.setresuid(65534, 65534, 65534)
"""
"""The part of a Python program after which it is no longer root. It loads all of playstream before, because root's
checkout may lie where nobody else can read it."""


def heed_signals() -> None:
    """Let the programs that the tests start take signals that they are sent, and would inherit as ignored.

    A shell ignores SIGINT and SIGQUIT for what it starts in the background, and nohup SIGHUP. This program itself still
    survives the last two.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGQUIT, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, lambda _number, _frame: None)


def marked_processes(spools: Path) -> list[int]:
    """Living processes whose environment names a spool below `spools`: the processes of jobs."""
    mark = b"PLAYSTREAM_SPOOL=" + os.fsencode(spools)
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            environment = (entry / "environ").read_bytes()
            state = (entry / "stat").read_bytes().rpartition(b")")[2].split()[0]
        except OSError:
            continue
        if mark in environment and state != b"Z":
            found.append(int(entry.name))
    return found


def is_running(pid: int) -> bool:
    """Whether the process lives. One that has ended and is waited for by nobody does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] != b"Z"
    except OSError:
        return False


def children(pid: int | None = None) -> list[int]:
    """The processes that this one, or another, has started and not waited for.

    Raises:
        OSError: that one has ended.
    """
    pid = pid or os.getpid()
    found: list[int] = []
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with suppress(OSError):  # the thread has ended
            found += map(int, (thread / "children").read_text().split())
    return found


def descendants(pid: int) -> set[int]:
    """The processes that a living one has started, and those that they have."""
    found: set[int] = set()
    waiting = [pid]
    while waiting:
        with suppress(OSError):  # it has ended
            started = set(children(waiting.pop())) - found
            found |= started
            waiting += started
    return found


def command_line(pid: int) -> bytes:
    """The words of a process, with a NUL after each; nothing if it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def guards_of(pid: int | None = None) -> list[int]:
    """The guards among the children of a worker, or of this process.

    Raises:
        OSError: the worker has ended.
    """
    return [child for child in children(pid) if b"guard_program.py" in command_line(child)]


class Repeating:
    """Does something again and again in a thread of its own, in a `with` statement.

    Args:
        do: what it does.
        pause: seconds between two.
    """

    def __init__(self, do: Callable[[], object], pause: float) -> None:
        self._do = do
        self._pause = pause
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self._pause):
            self._do()


def wait_until(condition: Callable[[], object], seconds: float = 20.0) -> None:
    """Wait until `condition` holds.

    Raises:
        AssertionError: it does not in time.
    """
    deadline = time.monotonic() + seconds
    pause = 0.002
    while not condition():
        assert time.monotonic() < deadline, f"did not happen within {seconds} seconds"
        time.sleep(pause)
        pause = min(pause * 2, 0.1)
