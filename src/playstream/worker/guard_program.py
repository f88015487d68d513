"""The guard: a small process that outlives the worker and cleans up after it.

The worker starts it with this file's path and never imports it. It runs from before the spool is created until the
spool is removed. It starts Ansible on the worker's terminal, becomes the parent of orphaned descendants (as a child
subreaper, prctl(2)), reports how Ansible ended, and ends every descendant when requested, when the worker's end of the
socket closes, or when the worker has died (a process that the worker has forked may keep that end open). In the latter
two cases it also removes the spool. Helpers of the run that outlive it (an ssh-agent, shared connections of ssh) are
identified by the run directory on their command line and are ended with Ansible.

It imports only a small part of the standard library, because its start-up is part of every run.

Its argument is the worker's process id. Descriptor 0 is a socket. The worker sends lines of JSON with the key `do`,
some of them with descriptors (SCM_RIGHTS, unix(7)):

    own        `path`, a directory to remove when the worker dies; it need not exist yet. With `open` the line has a
               descriptor of the directory, which is emptied and kept.
    disown     `path`: do not remove it any more
    hold       has the descriptor of a lock, which is held until this process ends
    terminal   `modes`: null, or two lists of modes of the user's terminal; the line then has its descriptor. When the
               worker dies, the first are restored if the second are in force.
    start      `argv`, `env`, `cwd`, `tty`, `run_dir`, `temporary`, `cleanup`, `grace`: the job. With `stderr` the
               line has a descriptor that becomes standard error; without a terminal, also the command's standard input,
               output and error. `temporary` is a link; what it leads to is removed with the job.
    terminate  end the job; answered with {"reaped": count of processes}
    settle     the job is over: end its helpers and run the clean-up commands; answered with {"settled": true}.
               Processes that the job left running on purpose continue to run, even if the worker dies; with
               `everything` they are ended too. After it, another job may be started.
    leave      the spool was removed

Without a request it sends {"started": pid} or {"failed": why}, and {"exited": wait status}.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Iterable
from importlib.machinery import SourceFileLoader
from types import ModuleType
from typing import Any, NoReturn

_PR_SET_CHILD_SUBREAPER = 36
_KILL_SECONDS = 3.0
"""How long to continue killing processes that do not die, such as those in uninterruptible sleep."""
_CLEANUP_SECONDS = 10.0
_LOOK_SECONDS = 1.0
"""How often to check whether the worker is alive, if the kernel has no handle for it."""
_LONGEST_WORD = 32 * os.sysconf("SC_PAGESIZE") - 1
"""Maximum size of one argument or variable on Linux (execve(2)), in bytes."""
_MAX_GIVEN = 4
"""Maximum number of descriptors that are sent with one line."""
_RESET_SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE, signal.SIGQUIT, signal.SIGCHLD]


class Worker:
    """The worker process, and whether it is alive.

    Args:
        pid: its id.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        try:
            self._handle: int | None = os.pidfd_open(pid)
        except (AttributeError, OSError):  # it has died, or the kernel or a sandbox does not support such handles
            self._handle = None
        # If the worker had died before, the handle may be another process's; but then this process has a new parent.
        self._dead = os.getppid() != pid

    @property
    def handles(self) -> list[int]:
        """Descriptors that become readable when it dies; empty if that has to be polled."""
        return [] if self._handle is None else [self._handle]

    def has_died(self) -> bool:
        """Return whether it has ended, in any way."""
        if not self._dead:
            if self._handle is None:
                self._dead = os.getppid() != self._pid
            else:
                self._dead = bool(select.select([self._handle], [], [], 0)[0])
        return self._dead


class _Guard:
    def __init__(self, channel: socket.socket, worker: Worker) -> None:
        self._channel = channel
        self._worker = worker
        self._input = b""
        self._given: list[int] = []
        """Received descriptors that wait for the line that they belong to."""
        self._owned: dict[str, int | None] = {}
        """Directories to remove when the worker dies, or to empty if they have a descriptor."""
        self._terminal: tuple[int, list[Any]] | None = None
        """The user's terminal, with its saved and its current modes."""
        self._job: dict[str, Any] | None = None
        """The started job, until it is settled."""
        self._child = 0
        self._exited = False
        self._wake, wake_end = os.pipe()
        for fd in (self._wake, wake_end):
            os.set_blocking(fd, False)
        signal.set_wakeup_fd(wake_end, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda _signal, _frame: None)
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM, signal.SIGQUIT):
            signal.signal(number, signal.SIG_IGN)

    def run(self) -> None:
        while (line := self._read_line()) is not None:
            order: dict[str, Any] = json.loads(line)
            if order["do"] == "leave":
                return
            self._handle(order)
        if self._terminal is not None:
            _restore_modes(*self._terminal)
        if self._job is not None:
            self._end_descendants(self._job["grace"])
            self._clean_up(self._job)
        for directory, fd in self._owned.items():
            _remove(directory, fd)

    def _handle(self, order: dict[str, Any]) -> None:
        what = order["do"]
        if what == "own":
            self._owned[order["path"]] = self._given.pop(0) if order["open"] else None
        elif what == "disown":
            del self._owned[order["path"]]
        elif what == "hold":
            self._given.pop(0)  # it stays open
        elif what == "terminal":
            self._keep_terminal(order["modes"])
        elif what == "start":
            self._start(order)
        elif self._job is not None:
            if what == "terminate":
                reaped = self._end_descendants(self._job["grace"])
                self._clean_up(self._job)
                self._tell({"reaped": reaped})
            elif what == "settle":
                if order["everything"]:
                    self._end_descendants(self._job["grace"])
                self._end_servants(self._job["run_dir"], self._job["grace"])
                self._clean_up(self._job)
                self._job = None
                self._tell({"settled": True})

    def _keep_terminal(self, modes: list[Any] | None) -> None:
        if self._terminal is not None:
            os.close(self._terminal[0])
        self._terminal = None if modes is None else (self._given.pop(0), modes)

    def _start(self, order: dict[str, Any]) -> None:
        self._job = order
        self._exited = False
        if order["stderr"]:
            fd = self._given.pop(0)
            os.dup2(fd, 2)
            os.close(fd)
        given = [] if order["tty"] is not None else [self._given.pop(0) for _ in range(3)]
        try:
            self._child = _spawn(order, given)
        except OSError as error:
            self._tell({"failed": _explain(error, order)})
        else:
            self._tell({"started": self._child})
        for fd in given:
            os.close(fd)

    def _tell(self, message: dict[str, Any]) -> None:
        try:
            self._channel.sendall(json.dumps(message).encode() + b"\n")
        except OSError:
            pass  # the worker has died, which the next read detects

    def _read_line(self) -> bytes | None:
        """Return the next line from the worker; None if it has exited. Reap children meanwhile."""
        while b"\n" not in self._input:
            handles = self._worker.handles
            seconds = None if handles else _LOOK_SECONDS
            readable, _, _ = select.select([self._channel.fileno(), self._wake, *handles], [], [], seconds)
            self._reap()
            if self._channel.fileno() in readable:
                try:
                    data, given, _, _ = socket.recv_fds(self._channel, 65536, _MAX_GIVEN)
                except OSError:
                    data, given = b"", []
                for fd in given:
                    os.set_inheritable(fd, False)  # recv_fds ignores flags such as MSG_CMSG_CLOEXEC
                self._given += given
                if not data:
                    return None
                self._input += data
            elif self._worker.has_died():
                return None  # all of its messages have been read
        line, _, self._input = self._input.partition(b"\n")
        return line

    def _reap(self) -> None:
        try:
            os.read(self._wake, 4096)
        except BlockingIOError:
            pass
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self._child and not self._exited:
                self._exited = True
                self._tell({"exited": status})

    def _end_descendants(self, grace: float) -> int:
        """End all descendants: SIGTERM, a grace period, SIGKILL. Return the number of signalled processes."""
        signalled = set(_signal_descendants(signal.SIGTERM))
        _signal_descendants(signal.SIGCONT)
        now = time.monotonic()
        while _descendants(os.getpid()) and time.monotonic() < now + grace:
            self._pause()
        while time.monotonic() < now + grace + _KILL_SECONDS:
            # Each round finds processes that were forked since the last one.
            killed = _signal_descendants(signal.SIGKILL)
            if not killed:
                break
            signalled.update(killed)
            self._pause()
        self._reap()
        return len(signalled)

    def _end_servants(self, run_dir: str, grace: float) -> None:
        """End the helpers of the run: SIGTERM, a grace period, SIGKILL."""
        start = time.monotonic()
        signalled: set[int] = set()
        while (servants := set(_servants(run_dir))) and time.monotonic() < start + grace + _KILL_SECONDS:
            if time.monotonic() < start + grace:
                _signal(servants - signalled, signal.SIGTERM)
                signalled |= servants
            else:
                _signal(servants, signal.SIGKILL)
            self._pause()

    def _clean_up(self, order: dict[str, Any]) -> None:
        """Run the commands that end what is not a descendant of this process, such as a container.

        Then remove what Ansible removes itself unless it is killed.
        """
        for words in order["cleanup"]:
            try:
                os.posix_spawnp(
                    words[0],
                    words,
                    order["env"],
                    file_actions=_standard_descriptors(os.devnull),
                    setsigdef=_RESET_SIGNALS,
                )
            except OSError:
                continue  # the program was removed, and so was what it ran
            end = time.monotonic() + _CLEANUP_SECONDS
            while _descendants(os.getpid()) and time.monotonic() < end:
                self._pause()
        _report(_REMOVAL.remove_linked(order["temporary"]))

    def _pause(self) -> None:
        select.select([self._wake], [], [], 0.02)
        self._reap()


def _remove(directory: str, fd: int | None) -> None:
    remains = _REMOVAL.remove_tree(directory) if fd is None else _REMOVAL.empty_directory(fd)
    _report(None if remains is None else f"{directory}: {remains}")


def _report(remains: str | None) -> None:
    if remains is not None:
        try:
            sys.stderr.write(f"playstream: a directory cannot be removed: {remains}\n")
        except OSError:
            pass  # standard error has no reader; continue with the rest


def _restore_modes(fd: int, modes: list[Any]) -> None:
    """Restore the modes of a terminal, unless a shell has changed them already."""
    import termios  # noqa: PLC0415 - only if the worker has died while a job was asking its user

    saved, current = modes
    try:
        now = termios.tcgetattr(fd)
        now[-1] = [item if isinstance(item, int) else item[0] for item in now[-1]]
        if now == current:
            saved[-1] = [bytes([item]) for item in saved[-1]]
            termios.tcsetattr(fd, termios.TCSAFLUSH, saved)
    except termios.error:
        pass  # it has hung up


def _load_removal() -> ModuleType:
    """Load the module playstream.pipeline.io.removal without its package."""
    path = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "pipeline", "io", "removal.py")
    module = ModuleType("removal")
    SourceFileLoader("removal", path).exec_module(module)
    return module


_REMOVAL = _load_removal()
"""Loaded at the start, because an update of playstream may remove the file before it is needed."""


def _spawn(order: dict[str, Any], given: list[int]) -> int:
    """Start the job in its own session, with the worker's terminal as its controlling terminal."""
    argv: list[str] = order["argv"]
    # posix_spawn has no argument for the directory.
    os.chdir(order["cwd"])
    if order["tty"] is None:
        # These numbers are in use here, so no received descriptor has one of them.
        actions: list[tuple[Any, ...]] = [(os.POSIX_SPAWN_DUP2, fd, number) for number, fd in enumerate(given)]
    else:
        actions = _standard_descriptors(order["tty"])
    batch = _become_batch()
    try:
        return os.posix_spawnp(
            argv[0], argv, order["env"], file_actions=actions, setsid=True, setsigdef=_RESET_SIGNALS, setsigmask=[]
        )
    finally:
        os.chdir("/")  # only the job works in its directory
        if batch:
            _set_policy(os.SCHED_OTHER)  # this process must wake up quickly


def _explain(error: OSError, order: dict[str, Any]) -> str:
    """Explain what cannot be started and why; if an argument is too long, also which one and what to do."""
    if error.filename == order["cwd"]:
        return f"working directory {order['cwd']}: {error.strerror}"
    program = order["argv"][0]
    if error.errno != errno.E2BIG:
        return f"{program}: {error.strerror}"
    sizes = {f"argument {number}": len(os.fsencode(word)) for number, word in enumerate(order["argv"], 1)}
    sizes |= {f"the variable {name}": len(os.fsencode(f"{name}={value}")) for name, value in order["env"].items()}
    longest = max(sizes, key=lambda name: sizes[name])
    return (
        f"{program}: {error.strerror}: its {len(order['argv'])} arguments and {len(order['env'])} environment "
        f"variables have {sum(sizes.values())} bytes; the longest, {longest}, has {sizes[longest]}. The system allows "
        f"about {os.sysconf('SC_ARG_MAX')} bytes in total, and Linux {_LONGEST_WORD} in one. Make them shorter or "
        "fewer: extra variables (env/extravars) and inventories are passed as files, which have no such limits"
    )


def _become_batch() -> bool:
    """Let processes that are started after this run as batch work (SCHED_BATCH, sched(7)). Return whether they do.

    Ansible keeps all cores busy with processes that live for milliseconds. As batch work they do not preempt each
    other, or other programs, when they wake up, and a run takes 2 % less time (docs/performance.md). A policy that the
    user chose for the worker is kept.
    """
    try:
        usual = os.sched_getscheduler(0) == os.SCHED_OTHER
    except (AttributeError, OSError):  # not supported by this system, or forbidden by a sandbox
        return False
    return usual and _set_policy(os.SCHED_BATCH)


def _set_policy(policy: int) -> bool:
    try:
        os.sched_setscheduler(0, policy, os.sched_param(0))
    except OSError:
        return False  # Ansible runs with the current policy
    return True


def _standard_descriptors(path: str) -> list[tuple[Any, ...]]:
    return [
        (os.POSIX_SPAWN_OPEN, 0, path, os.O_RDWR, 0),
        (os.POSIX_SPAWN_DUP2, 0, 1),
        (os.POSIX_SPAWN_DUP2, 0, 2),
    ]


def _descendants(ancestor: int) -> list[int]:
    """Return every living descendant of `ancestor`, read from /proc, without zombies."""
    children: dict[int, list[int]] = {}
    zombies = set()
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123 - pathlib would double the start-up
                stat = file.read()
        except OSError:
            continue
        state, parent = stat[stat.rindex(b")") + 2 :].split()[:2]
        children.setdefault(int(parent), []).append(int(name))
        if state in (b"Z", b"X"):
            zombies.add(int(name))
    found: list[int] = []
    pending = [ancestor]
    while pending:
        below = children.get(pending.pop(), [])
        pending.extend(below)
        found.extend(pid for pid in below if pid not in zombies)
    return found


def _signal_descendants(number: signal.Signals) -> list[int]:
    """Signal every descendant; return those that could be signalled."""
    return _signal(_descendants(os.getpid()), number)


def _signal(pids: Iterable[int], number: signal.Signals) -> list[int]:
    signalled = []
    for pid in pids:
        try:
            os.kill(pid, number)
        except (ProcessLookupError, PermissionError):
            continue  # it has ended, or runs as a user that only root may signal
        signalled.append(pid)
    return signalled


def _servants(run_dir: str) -> list[int]:
    """Return the helpers of the run, which have the run directory on their command line."""
    mark = os.fsencode(run_dir)
    found = []
    for pid in _descendants(os.getpid()):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:  # noqa: PTH123 - as above
                if mark in file.read():
                    found.append(pid)
        except OSError:
            continue  # it has ended
    return found


def main() -> NoReturn:
    """Run the guard; see the module's docstring."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    _Guard(socket.socket(fileno=0), Worker(int(sys.argv[1]))).run()
    sys.exit(0)


if __name__ == "__main__":
    main()
