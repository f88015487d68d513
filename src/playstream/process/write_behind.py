"""Event files written by another process, the program `event_writer`, while this one reads on."""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import termios
from contextlib import ExitStack, suppress
from pathlib import Path

from playstream.pipeline.errors import JobError
from playstream.pipeline.io.interpreter import find_python
from playstream.pipeline.io.owned import close_owned, own_descriptor
from playstream.pipeline.io.stdio import enlarge_pipe
from playstream.process import event_writer

_PIPE_SIZE = 1 << 19
"""Bytes that the pipe between the two is to hold."""
_GATHER = 1 << 16
"""Bytes that are handed over at once."""
_MARGIN = 1 << 15
"""Bytes by which the pipe may hold less than its size: it counts in pages."""


class WriteBehind:
    """Hands files over to the other process; see `start`. `finish` must be called.

    It never waits for the other process before that: what that has no room for is written here. So both have the same
    to do, and one that hangs holds nothing up.
    """

    def __init__(self, pid: int, directory: int, files: int, report: int) -> None:
        self._pid = pid
        self._directory = directory
        self._files = files
        self._report = report
        self._room = fcntl.fcntl(files, fcntl.F_GETPIPE_SZ) - _MARGIN
        self._gathered: list[tuple[str, bytes]] = []
        self._size = 0
        self._ended = False

    def write(self, name: str, content: bytes) -> None:
        """Have a file written.

        Raises:
            FileExistsError: it, or one before it, is there already; `filename` is its name.
            OSError: it, or one before it, cannot be written.
            JobError: the other process was killed.
        """
        self._gathered.append((name, content))
        self._size += len(content)
        if self._size >= _GATHER:
            self.flush()

    def flush(self) -> None:
        """Hand over what has gathered. Raises as `write` does."""
        if not self._gathered:
            return
        gathered, self._gathered, self._size = self._gathered, [], 0
        data = b"".join(event_writer.pack(name, content) for name, content in gathered)
        if len(data) > self._room - _unread(self._files):
            for name, content in gathered:
                event_writer.write_file(self._directory, name, content)
            return
        try:
            os.write(self._files, data)
        except BrokenPipeError:
            self._end()

    def finish(self) -> None:
        """Wait until all files are there. Raises as `write` does, unless that has been raised."""
        if not self._ended:
            self.flush()
        if not self._ended:
            self._end()

    def _end(self) -> None:
        """Let the other process come to its end, and see how that was."""
        report = self._close()
        if report == event_writer.DONE:
            return
        number, _, name = report.decode("utf-8", "replace").partition(" ")
        if not number.isdecimal():
            raise JobError(
                "the process that writes the event files exited before all of them were written. It was probably "
                "killed; check the kernel's log for a lack of memory"
            )
        raise OSError(int(number), os.strerror(int(number)), name)

    def _close(self) -> bytes:
        """Close the pipes, wait for the other process, and return its report."""
        self._ended = True
        close_owned(self._files)
        with suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGCONT)  # one that was stopped would be waited for
        with os.fdopen(self._report, "rb", closefd=False) as report:
            said = report.read()
        close_owned(self._report)
        try:
            os.waitpid(self._pid, 0)
        except ChildProcessError:
            pass  # the caller ignores SIGCHLD, so that children are reaped automatically
        return said


def start(directory: int) -> WriteBehind | None:
    """Start the other process; None where there cannot be one: files have to be written here then.

    Args:
        directory: descriptor of where the files go.
    """
    if not _can_start():
        return None
    try:
        python = find_python()
        with ExitStack() as ours, ExitStack() as theirs:
            records, files = os.pipe()
            theirs.callback(os.close, records)
            ours.callback(close_owned, own_descriptor(files))
            report, reported = os.pipe()
            ours.callback(close_owned, own_descriptor(report))
            theirs.callback(os.close, reported)
            enlarge_pipe(files, _PIPE_SIZE)
            pid = os.posix_spawn(
                python,
                [python, "-I", "-S", "-B", event_writer.__file__],
                os.environ,
                file_actions=[
                    (os.POSIX_SPAWN_DUP2, records, 0),
                    (os.POSIX_SPAWN_DUP2, reported, 1),
                    (os.POSIX_SPAWN_DUP2, directory, event_writer.DIRECTORY_FD),
                ],
                setpgroup=0,  # Ctrl-C is for this process, which lets the other one end when all is written
            )
            ours.pop_all()
    except (OSError, JobError):
        return None
    return WriteBehind(pid, directory, files, report)


def _can_start() -> bool:
    """Return True if the program is a file and the kernel can tell the size of a pipe."""
    return Path(event_writer.__file__).is_file() and hasattr(fcntl, "F_SETPIPE_SZ")


def _unread(pipe: int) -> int:
    """Return the bytes in a pipe that wait for its reader."""
    return int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)), sys.byteorder)
