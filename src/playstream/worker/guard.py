"""The worker's side of the guard: starting it, and exchanging messages with it.

`guard_program.py` is the program; its docstring explains its purpose.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from playstream.pipeline.errors import JobError
from playstream.pipeline.io.interpreter import find_python
from playstream.pipeline.io.owned import close_owned, own_descriptor
from playstream.worker.child import Child, run_briefly
from playstream.worker.killing import end_marked, kill_servants
from playstream.worker.user_terminal import plain_modes

if TYPE_CHECKING:
    from playstream.worker.console import Console
    from playstream.worker.launch import Launch

GRACE_SECONDS = 1.5
"""Time between SIGTERM and SIGKILL. Including the kill, a canceled job ends within 2 seconds."""
_KILL_SECONDS = 3.0
_CLEANUP_SECONDS = 10.0
"""Maximum time that the guard takes for the kill, and for each clean-up command."""
_SPARE_SECONDS = 5.0
"""Additional time that it may need on a busy host."""
_ANSIBLE_INTERRUPTED = 99
"""Ansible's exit status after SIGINT."""
_FIRST_FREE = 3
_UTF8 = sys.getfilesystemencoding() == "utf-8"
_PROGRAM = Path(__file__).with_name("guard_program.py")
_logger = logging.getLogger("playstream")


class Guard:
    """The guard of one spool, active until `close`, and the state of the job that it starts.

    A stopped guard is continued when there is something for it to do. If it still does not answer, it is killed, and
    its job is ended like that of any dead guard.

    Raises:
        JobError: it cannot be started.
    """

    def __init__(self) -> None:
        self._channel, theirs = socket.socketpair()
        own_descriptor(self._channel.fileno())
        with theirs:
            try:
                self._process = Child(_spawn(theirs.fileno()))
            except BaseException:
                self._close_channel()
                raise
        self._patience = _SPARE_SECONDS
        self._channel.settimeout(self._patience)
        self._deadline: float | None = None
        """The deadline for the end of the job, after a request to end it."""
        self._gave_up = False
        self._owner = os.getpid()
        self._launch: Launch | None = None
        """The job; None before `start`."""
        self._started: Callable[[], object] = lambda: None
        self._input = b""
        self._terminating = False
        self._exited = False
        self._settled = True
        self.finished = False
        """True when Ansible has ended and, if the job was terminated, every process of the job."""
        self.rc: int | None = None
        """Ansible's return code; 128 + N if signal N ended it; None while it is not known."""

    @property
    def is_ours(self) -> bool:
        """False in a process that was forked from the guarded one."""
        return os.getpid() == self._owner

    def own(self, path: Path, *, fd: int | None = None) -> None:
        """Let the guard remove a directory if this process dies. The directory need not exist yet.

        Args:
            path: its path.
            fd: a descriptor of the directory, which is then emptied and not removed; None to remove it.
        """
        self._tell("own", () if fd is None else (fd,), path=str(path), open=fd is not None)

    def disown(self, path: Path) -> None:
        """Undo `own` for a directory."""
        self._tell("disown", path=str(path))

    def hold(self, lock: int) -> None:
        """Let the guard hold the lock of an open file or directory until it exits."""
        self._tell("hold", (lock,))

    def keep_terminal(self, fd: int, saved: Sequence[Any] | None, current: Sequence[Any] | None) -> None:
        """Let the guard restore the modes of the user's terminal if this process dies.

        Args:
            fd: the terminal.
            saved: the modes to restore; None for not to restore any.
            current: the modes that this process sets. The guard does nothing if they are changed by then, because a
                shell already uses the terminal.
        """
        if not self.is_ours:
            return
        if saved is None or current is None:
            self._tell("terminal", modes=None)
        else:
            self._tell("terminal", (fd,), modes=[plain_modes(saved), plain_modes(current)])

    def start(self, launch: Launch, console: Console, started: Callable[[], object] = lambda: None) -> None:
        """Start a program of the job: Ansible, or a step before it after which `settle` was called.

        Args:
            launch: the prepared job, with the program as its command.
            console: the console of the command.
            started: called when `read` receives the message that the job has started.
        """
        self._started = started
        self._launch = launch
        self._settled = self._exited = self._terminating = self.finished = False
        self._deadline = self.rc = None
        self._patience = GRACE_SECONDS + _KILL_SECONDS + len(launch.cleanup) * _CLEANUP_SECONDS + _SPARE_SECONDS
        self._channel.settimeout(self._patience)
        command = launch.command
        # It may have changed since the guard was started: `playstream start` waits for the end of the first one.
        stderr = (2,) if _is_open(2) else ()
        self._tell(
            "start",
            (*stderr, *(console.descriptors or ())),
            stderr=bool(stderr),
            argv=command.argv,
            env=command.start_env,
            cwd=str(command.cwd),
            tty=console.tty,
            run_dir=str(launch.paths.run_dir),
            temporary=str(launch.paths.temporary),
            cleanup=[list(words) for words in launch.cleanup],
            grace=GRACE_SECONDS,
        )
        console.started()

    def fileno(self) -> int:
        """Return the descriptor of the channel, to wait for messages."""
        return self._channel.fileno()

    def _tell(self, what: str, descriptors: Sequence[int] = (), **more: Any) -> None:
        line = json.dumps({"do": what, **_as_utf8(more)}).encode() + b"\n"
        try:
            if descriptors:
                # The descriptors are sent with the first byte of the line.
                line = line[socket.send_fds(self._channel, [line], descriptors) :]
            self._channel.sendall(line)
        except TimeoutError:
            self._give_up()
        except OSError:
            pass  # the guard has died, which the next read detects

    def read(self) -> None:
        """Handle the messages that have arrived.

        Raises:
            JobError: Ansible could not be started.
        """
        for news in self._receive():
            self._take(news)

    def _receive(self) -> list[dict[str, Any]]:
        """Wait for messages from the guard and return them; empty if it has died or does not respond."""
        try:
            data = self._channel.recv(65536)
        except TimeoutError:
            self._give_up()
            return []
        except OSError:
            data = b""
        if not data:
            self._handle_death()
        *lines, self._input = (self._input + data).split(b"\n")
        return [json.loads(line) for line in lines]

    def _take(self, news: dict[str, Any]) -> None:
        if "failed" in news:
            raise JobError(f"Ansible could not be started: {news['failed']}")
        if "started" in news:
            self._started()
        if "exited" in news:
            self._exited = True
            code = os.waitstatus_to_exitcode(news["exited"])
            self.rc = 128 - code if code < 0 else code
            if (code < 0 or code == _ANSIBLE_INTERRUPTED) and not self._terminating:
                self.terminate()  # it could not look after its children
        self.finished = "reaped" in news or (self._exited and not self._terminating)

    def terminate(self) -> None:
        """End every process of the job: SIGTERM, a grace period, SIGKILL. `finished` is True when that is done."""
        self._terminating = True
        self._ask("terminate")
        self._deadline = time.monotonic() + self._patience

    @property
    def seconds_left(self) -> float | None:
        """Seconds left to wait for the end of the job; None if it was not requested."""
        return None if self._deadline is None else max(0.0, self._deadline - time.monotonic())

    def check(self) -> None:
        """Give up the guard if it does not respond."""
        if self.seconds_left == 0 and not self.finished:
            self._give_up()

    def _ask(self, what: str, *, everything: bool = False) -> None:
        self._process.signal(signal.SIGCONT)
        self._tell(what, everything=everything)

    def _give_up(self) -> None:
        """Kill a guard that does not respond, because it is stopped repeatedly, is traced, or hangs."""
        self._gave_up = True
        _logger.warning(
            "the guard process has not responded for %g seconds and is being killed. It was probably stopped or traced",
            self._patience,
        )
        self._process.signal(signal.SIGKILL)
        self._handle_death()

    def _handle_death(self) -> None:
        """Clean up after a guard that has died: the job's processes are found by their environment.

        Its clean-up commands run too, because a container, for example, is not a child process.
        """
        if not self._process.wait(_SPARE_SECONDS):
            self._process.signal(signal.SIGKILL)  # it has closed the channel but was stopped before it exited
        if self._launch is not None:
            end = kill_servants if self.finished else end_marked
            end(self._launch.paths.spool)
            for words in self._launch.cleanup:
                run_briefly(words, self._launch.command.start_env, _CLEANUP_SECONDS)
        self.finished = self._settled = True

    @property
    def death_report(self) -> str:
        """A message that says how the guard has died, what that means for the job, and the probable cause."""
        code = self._process.exit_code
        if self._gave_up:
            fate, cause = "did not respond and was killed", "It was probably stopped or traced"
        elif code is None:
            fate, cause = (
                "has ended",
                ("Its exit status is unknown, because the calling program reaps all its children itself"),
            )
        elif code < 0:
            fate = f"was killed by signal {-code}"
            cause = "A user probably sent it that signal, or the kernel when memory ran out"
        else:
            fate = f"exited with status {code}"
            cause = "This is a bug in playstream; see standard error"
        return (
            f"the guard process of the job {fate}, so Ansible's exit status is unknown; the processes of the job have "
            f"been terminated. {cause}"
        )

    def settle(self, *, everything: bool = False) -> None:
        """End the helpers of the job and wait until that is done. An unfinished job is ended too.

        Processes that a finished job left running on purpose continue to run, even if this process dies.

        Args:
            everything: end those processes too.
        """
        if self._settled:
            return
        if not self.finished:
            self.terminate()
        self._ask("settle", everything=everything)
        while not self._settled:
            self._settled = any("settled" in news for news in self._receive()) or self._settled

    def close(self) -> None:
        """Stop the guard, after the spool was removed. Do nothing in a forked process."""
        if not self.is_ours:
            return
        self.settle()
        self._ask("leave")
        self._close_channel()
        if not self._process.wait(self._patience):
            self._process.signal(signal.SIGKILL)  # it has nothing more to do
            self._process.wait(_SPARE_SECONDS)
        self._process.close()

    def _close_channel(self) -> None:
        close_owned(self._channel.detach())


def _spawn(channel: int) -> int:
    """Start the guard, with its end of the channel as descriptor 0; see guard_program.py."""
    python = find_python()
    if not _PROGRAM.is_file():
        raise JobError(
            f"the guard process cannot be started: its program is not a file at {str(_PROGRAM)!r}. playstream is "
            "probably installed in an archive; install it as files"
        )
    moved = null = -1
    try:
        # Above the target numbers, so that duplicating one descriptor does not overwrite another.
        moved = fcntl.fcntl(channel, fcntl.F_DUPFD_CLOEXEC, _FIRST_FREE)
        null = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
        return os.posix_spawn(
            python,
            [python, "-I", "-S", "-X", "utf8", str(_PROGRAM), str(os.getpid())],
            {name: value for name, value in os.environ.items() if name == "LD_LIBRARY_PATH"},
            file_actions=[
                (os.POSIX_SPAWN_DUP2, moved, 0),
                (os.POSIX_SPAWN_DUP2, null, 1),
                (os.POSIX_SPAWN_DUP2, 2, 2),
            ],
            setsid=True,
            setsigdef=[signal.SIGPIPE],
            setsigmask=[],
        )
    except OSError as error:
        raise JobError(f"the guard process cannot be started with {python}: {error.strerror}") from None
    finally:
        for fd in (moved, null):
            if fd >= 0:
                os.close(fd)


def _is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def _as_utf8(value: Any) -> Any:
    """Convert texts for the guard, which uses UTF-8, so that they have the same bytes as here.

    Otherwise a locale with another encoding would change the names of files.
    """
    if _UTF8:
        return value
    if isinstance(value, str):
        try:
            return os.fsencode(value).decode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            return value  # not a file name of this host but a text of the job
    if isinstance(value, dict):
        return {_as_utf8(key): _as_utf8(item) for key, item in value.items()}
    return [_as_utf8(item) for item in value] if isinstance(value, (list, tuple)) else value
