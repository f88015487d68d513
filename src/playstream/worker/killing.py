"""Finding the processes of a job, and killing those of one whose guard has died."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Callable
from pathlib import Path

from playstream.pipeline.io.removal import remove_linked
from playstream.worker.environment import SPOOL_VARIABLE
from playstream.worker.paths import TEMPORARY

_PROC = Path("/proc")
_logger = logging.getLogger("playstream")


def end_marked(spool: Path) -> None:
    """Kill every process of the job of `spool`, and remove what Ansible removes itself unless it is killed."""
    kill_marked(spool)
    if (remains := remove_linked(spool / TEMPORARY)) is not None:
        _logger.warning("a directory cannot be removed: %s. It is no longer in use; remove it manually", remains)


def kill_marked(spool: Path) -> list[int]:
    """Kill every process of the job of `spool`, and return their ids.

    They are found by their environment, and in the same way as by `kill_servants`.
    """
    return _kill(lambda entry: _is_marked(entry, spool) or _serves(entry, spool))


def lives_on(spool: Path) -> bool:
    """Return whether a process of the job of `spool`, or one that works in a directory there, is still running.

    Those of other users are not seen, unless this user is root. Without /proc the answer is True.
    """
    place = os.path.realpath(spool)
    try:
        processes = _list_processes()
    except OSError:
        return True
    return any(_is_marked(entry, spool) or _works_in(entry, place) for entry in (_PROC / str(pid) for pid in processes))


def kill_servants(spool: Path) -> list[int]:
    """Kill the helpers of the job of `spool` that outlive it, and return their ids.

    The environment of an ssh-agent is hidden, and ssh's shared connections overwrite theirs, but both have the run
    directory on their command line.
    """
    return _kill(lambda entry: _serves(entry, spool))


def _is_marked(entry: Path, spool: Path) -> bool:
    mark = os.fsencode(f"{SPOOL_VARIABLE}={spool}")
    return mark in _read(entry / "environ").split(b"\0") and not _removes_container(entry)


def _works_in(entry: Path, place: str) -> bool:
    """Return whether the current directory of a process is a directory, or in it."""
    try:
        return f"{os.readlink(entry / 'cwd')}/".startswith(f"{place}/")
    except OSError:
        return False  # the process has ended, or the link is hidden


def _removes_container(entry: Path) -> bool:
    """Return whether a process removes a container of podman after its program has ended.

    These are conmon and the command that it starts for this. In podman 5 both have the environment of `podman run`.
    """
    name = _read(entry / "comm").strip()
    return name == b"conmon" or (name == b"podman" and b"\0container\0cleanup\0" in _read(entry / "cmdline"))


def _serves(entry: Path, spool: Path) -> bool:
    sockets = os.fsencode(spool / "run") + b"/"
    return _read(entry / "comm").strip() in (b"ssh", b"ssh-agent") and sockets in _read(entry / "cmdline")


def _kill(is_meant: Callable[[Path], bool]) -> list[int]:
    """Kill the processes whose directories in /proc match, and return their ids."""
    killed: list[int] = []
    while True:
        found = [pid for pid in _list_processes() if pid not in killed and is_meant(_PROC / str(pid))]
        if not found:
            return killed
        # Each round finds processes that were forked since the last one.
        killed += found
        for pid in found:
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                continue  # it has ended, or belongs to another user


def _list_processes() -> list[int]:
    """Return the ids of all processes except this one."""
    return [int(entry.name) for entry in _PROC.iterdir() if entry.name.isdigit() and int(entry.name) != os.getpid()]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""  # the process has ended, or the file is hidden
