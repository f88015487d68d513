"""Event files written by another process, the program `event_writer`, while this one continues to read."""

from __future__ import annotations

import os
from contextlib import ExitStack, suppress
from pathlib import Path

from playstream.pipeline.errors import JobError
from playstream.pipeline.io import system
from playstream.pipeline.io.interpreter import find_python
from playstream.pipeline.io.owned import close_owned, own_descriptor
from playstream.pipeline.io.stdio import enlarge_pipe
from playstream.process import event_writer

_PIPE_SIZE = 1 << 19
"""Requested size of the pipe between the two, in bytes."""
_GATHER = 1 << 16
"""Bytes that are written to the pipe at once."""
_MARGIN = 1 << 15
"""Bytes by which the pipe may hold less than its size, because it counts in pages."""


class WriteBehind:
    """Passes files to the other process; see `start`. `finish` must be called.

    Before `finish` it never waits for the other process: files for which the pipe has no room are written here. So both
    share the work, and a hanging process blocks nothing.
    """

    def __init__(self, pid: int, directory: int, files: int, report: int) -> None:
        self._pid = pid
        self._directory = directory
        self._files = files
        self._report = report
        self._room = system.fcntl(files, system.F_GETPIPE_SZ) - _MARGIN
        self._gathered: list[tuple[str, bytes]] = []
        self._size = 0
        self._ended = False

    def write(self, name: str, content: bytes) -> None:
        """Write a file, here or in the other process.

        Raises:
            FileExistsError: this file or an earlier one exists; `filename` is its name.
            OSError: this file or an earlier one cannot be written.
            JobError: the other process was killed.
        """
        self._gathered.append((name, content))
        self._size += len(content)
        if self._size >= _GATHER:
            self.flush()

    def flush(self) -> None:
        """Pass on the gathered files. Raise as `write` does."""
        if not self._gathered:
            return
        gathered, self._gathered, self._size = self._gathered, [], 0
        data = b"".join(event_writer.pack(name, content) for name, content in gathered)
        if len(data) > self._room - system.unread(self._files):
            for name, content in gathered:
                event_writer.write_file(self._directory, name, content)
            return
        try:
            os.write(self._files, data)
        except BrokenPipeError:
            self._end()

    def finish(self) -> None:
        """Wait until all files exist. Raise as `write` does, unless the error was raised before."""
        if not self._ended:
            self.flush()
        if not self._ended:
            self._end()

    def _end(self) -> None:
        """Wait for the end of the other process, and check its report."""
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
            os.kill(self._pid, system.SIGCONT)  # a stopped process would never end
        with os.fdopen(self._report, "rb", closefd=False) as report:
            said = report.read()
        close_owned(self._report)
        try:
            os.waitpid(self._pid, 0)
        except ChildProcessError:
            pass  # the caller ignores SIGCHLD, so that children are reaped automatically
        return said


def start(directory: int) -> WriteBehind | None:
    """Start the other process. Return None if that is not possible; files must then be written here.

    Args:
        directory: descriptor of the directory for the files.
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
            pid = system.posix_spawn(
                python,
                [python, "-I", "-S", "-B", event_writer.__file__],
                os.environ,
                file_actions=[
                    (system.POSIX_SPAWN_DUP2, records, 0),
                    (system.POSIX_SPAWN_DUP2, reported, 1),
                    (system.POSIX_SPAWN_DUP2, directory, event_writer.DIRECTORY_FD),
                ],
                setpgroup=0,  # Ctrl-C only signals this process; the other one exits when everything is written
            )
            ours.pop_all()
    except (OSError, JobError):
        return None
    return WriteBehind(pid, directory, files, report)


def _can_start() -> bool:
    """Return True if the program is a file and the kernel reports the size of a pipe."""
    return Path(event_writer.__file__).is_file() and system.F_SETPIPE_SZ >= 0
