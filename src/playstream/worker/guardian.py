"""The worker's side of the guard: starts it, talks to it, knows what it knows.

`guard.py` is the program; it says why there is one.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from playstream.pipeline.errors import JobError
from playstream.worker.console import Console
from playstream.worker.environment import SPOOL_VARIABLE
from playstream.worker.launch import Launch

GRACE_SECONDS = 1.5
"""Between TERM and KILL. With what the kill itself takes, a cancelled job has ended within 2 seconds."""
_INTERRUPTED = 99
"""Ansible's exit status after SIGINT."""
_FIRST_FREE = 10
_PROC = Path("/proc")
_PROGRAM = Path(__file__).with_name("guard.py")


class Guardian:
    """One job's guard.

    Args:
        launch: what it starts; the guard removes the spool if this process dies.
        console: what the command runs on.
        lock: descriptor of the spool's lock, which the guard shares.

    Raises:
        JobError: the guard cannot be started.
    """

    def __init__(self, launch: Launch, console: Console, *, lock: int) -> None:
        self._spool = launch.paths.spool
        self._channel, theirs = socket.socketpair()
        with theirs:
            self._pid = _spawn([theirs.fileno(), lock, *(console.descriptors or ())])
        console.started()
        self._input = b""
        self._terminating = False
        self._exited = False
        self.finished = False
        """True when Ansible has ended, and, if it was terminated, every process of the job."""
        self.rc: int | None = None
        """Ansible's return code; 128 + N when signal N ended it; None while it is not known."""
        command = launch.command
        self._tell({
            "argv": command.argv,
            "env": command.start_env,
            "cwd": str(command.cwd),
            "tty": console.tty,
            "run_dir": str(launch.paths.run_dir),
            "remove": [str(path) for path in (self._spool, *launch.remove)],
            "cleanup": [list(words) for words in launch.cleanup],
            "grace": GRACE_SECONDS,
        })

    def fileno(self) -> int:
        """The channel, to wait for news."""
        return self._channel.fileno()

    def _tell(self, message: dict[str, Any]) -> None:
        self._send(json.dumps(message).encode())

    def _send(self, line: bytes) -> None:
        try:
            self._channel.sendall(line + b"\n")
        except OSError:
            pass  # the guard has died; reading says so

    def read(self) -> None:
        """Take news that is there.

        Raises:
            JobError: Ansible could not be started.
        """
        try:
            data = self._channel.recv(65536)
        except OSError:
            data = b""
        if not data:
            self._lost()
            return
        *lines, self._input = (self._input + data).split(b"\n")
        for line in lines:
            self._take(json.loads(line))

    def _take(self, news: dict[str, Any]) -> None:
        if "failed" in news:
            raise JobError(f"Ansible could not be started: {news['failed']}")
        if "exited" in news:
            self._exited = True
            code = os.waitstatus_to_exitcode(news["exited"])
            self.rc = 128 - code if code < 0 else code
            if (code < 0 or code == _INTERRUPTED) and not self._terminating:
                self.terminate()  # it has not looked after its children
        self.finished = "reaped" in news or (self._exited and not self._terminating)

    def terminate(self) -> None:
        """End every process of the job: TERM, grace, KILL. `finished` says when that is done."""
        self._terminating = True
        self._send(b"terminate")

    def _lost(self) -> None:
        """The guard was killed: without it, the job's processes are known by their environment."""
        kill_marked(self._spool)
        self.finished = True

    def close(self) -> None:
        """Let the guard go. What a finished job left running on purpose goes on; an unfinished job is ended."""
        if self.finished:
            self._send(b"leave")
        try:
            self._channel.shutdown(socket.SHUT_WR)  # a process that this one has forked may hold it open
        except OSError:
            pass  # the guard has died
        self._channel.close()
        try:
            _, status = os.waitpid(self._pid, 0)
        except ChildProcessError:
            return  # the embedding program reaps all its children itself
        if self.finished and status != 0:
            kill_servants(self._spool)  # it was killed before it had ended them


def _spawn(descriptors: Sequence[int]) -> int:
    """Start the guard: `descriptors` are its channel, the lock and what the command gets; see guard.py."""
    # What the guard is given is numbered from 3 on. Numbers above that range come first, so that giving one of them
    # its new number takes none from those that follow.
    moved = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _FIRST_FREE) for fd in descriptors]
    try:
        null = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
        try:
            return os.posix_spawn(
                sys.executable,
                [sys.executable, "-I", "-S", str(_PROGRAM), str(os.getpid())],
                {name: value for name, value in os.environ.items() if name == "LD_LIBRARY_PATH"},
                file_actions=[
                    (os.POSIX_SPAWN_DUP2, moved[0], 0),
                    (os.POSIX_SPAWN_DUP2, null, 1),
                    (os.POSIX_SPAWN_DUP2, 2, 2),
                    *((os.POSIX_SPAWN_DUP2, fd, number) for number, fd in enumerate(moved[1:], 3)),
                ],
                setsid=True,
                setsigdef=[signal.SIGPIPE],
                setsigmask=[],
            )
        finally:
            os.close(null)
            for fd in moved:
                os.close(fd)
    except OSError as error:
        raise JobError(f"the guard process cannot be started with {sys.executable}: {error.strerror}") from None


def kill_marked(spool: Path) -> list[int]:
    """SIGKILL every process that belongs to the job of `spool`; return their ids.

    They are told by their environment, and by what `kill_servants` goes by.
    """
    mark = f"{SPOOL_VARIABLE}={spool}".encode()
    return _kill(lambda entry: mark in _read(entry / "environ").split(b"\0") or _serves(entry, spool))


def kill_servants(spool: Path) -> list[int]:
    """SIGKILL what served the job of `spool` and outlives its use; return the ids.

    An ssh-agent's environment is hidden, and ssh's shared connections have written over theirs; these name the run
    directory on their command line.
    """
    return _kill(lambda entry: _serves(entry, spool))


def _serves(entry: Path, spool: Path) -> bool:
    sockets = os.fsencode(spool / "run") + b"/"
    return _read(entry / "comm").strip() in (b"ssh", b"ssh-agent") and sockets in _read(entry / "cmdline")


def _kill(is_meant: Callable[[Path], bool]) -> list[int]:
    """SIGKILL the processes whose directories in /proc are meant; return their ids."""
    killed: list[int] = []
    while True:
        found = [pid for pid in _list_processes() if pid not in killed and is_meant(_PROC / str(pid))]
        if not found:
            return killed
        # Each round finds what was forked since the one before.
        killed += found
        for pid in found:
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                continue  # it has ended, or is another user's


def _list_processes() -> list[int]:
    """The ids of all processes but this one."""
    return [int(entry.name) for entry in _PROC.iterdir() if entry.name.isdigit() and int(entry.name) != os.getpid()]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""  # the process has ended, or hides it
