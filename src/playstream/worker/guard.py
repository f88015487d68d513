"""The guard: the small process between the worker and Ansible that outlives the worker and leaves nothing behind.

The worker starts it with this file's path, never imports it. It starts Ansible on the worker's terminal, is the
parent that orphaned descendants come back to (a child subreaper, prctl(2)), reports how Ansible ended, and ends
every descendant when told to, when the worker's end of the socket closes, or when the worker has died: a process that
the worker has forked may hold that end open. In the latter two cases it also removes the spool. What served the run and
outlives its use (an ssh-agent, shared connections of ssh) is known by the run directory's name on its command line and
ends with Ansible.

Only the standard library, and little of it: its start-up is part of every run.

Its argument is the worker's process id.

Descriptors: 0 a socket, 3 the lock, 4 to 6 the command's standard input, output and error when it has no terminal. From
the worker: one line of JSON, {"argv", "env", "cwd", "tty", "run_dir", "remove", "cleanup", "grace"}; later the line
"terminate" or "leave". To the worker, lines of JSON: {"started": pid} or {"failed": why}; {"exited": wait status};
after "terminate" {"reaped": count of processes}.
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
"""How long to go on killing what does not die, such as a process in uninterruptible sleep."""
_CLEANUP_SECONDS = 10.0
_LOOK_SECONDS = 1.0
"""How often to look whether the worker lives, where the kernel does not tell."""
_LONGEST_WORD = 32 * os.sysconf("SC_PAGESIZE") - 1
"""Bytes that Linux takes in one word or variable of what it starts (execve(2))."""
_LOCK = 3
_GIVEN = (4, 5, 6)
_RESET_SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE, signal.SIGQUIT, signal.SIGCHLD]


class Worker:
    """The process that this one serves, and whether it lives.

    Args:
        pid: its id.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        try:
            self._handle: int | None = os.pidfd_open(pid)
        except (AttributeError, OSError):  # it has died, or the kernel or a sandbox has no such handles
            self._handle = None
        # A handle that was opened when it had died may be another's; what lost its parent has a new one.
        self._dead = os.getppid() != pid

    @property
    def handles(self) -> list[int]:
        """What becomes readable when it dies; empty where that has to be looked at now and then."""
        return [] if self._handle is None else [self._handle]

    def has_died(self) -> bool:
        """Whether it has ended, however that was."""
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
        line = self._read_line()
        if line is None:
            return
        order: dict[str, Any] = json.loads(line)
        try:
            self._child = _spawn(order)
        except OSError as error:
            self._tell({"failed": f"{order['argv'][0]}: {_explain(error, order)}"})
            return
        self._tell({"started": self._child})
        while True:
            line = self._read_line()
            if line is None:
                self._end_descendants(order["grace"])
                self._clean_up(order)
                for directory in order["remove"]:
                    _remove_tree(directory)
                return
            if line == b"terminate":
                reaped = self._end_descendants(order["grace"])
                self._clean_up(order)
                self._tell({"reaped": reaped})
            elif line == b"leave":
                self._end_servants(order["run_dir"], order["grace"])
                self._clean_up(order)
                return

    def _tell(self, message: dict[str, Any]) -> None:
        try:
            self._channel.sendall(json.dumps(message).encode() + b"\n")
        except OSError:
            pass  # the worker has died; the next read says so

    def _read_line(self) -> bytes | None:
        """The next line of the worker's, None when it has gone; reaps meanwhile."""
        while b"\n" not in self._input:
            handles = self._worker.handles
            seconds = None if handles else _LOOK_SECONDS
            readable, _, _ = select.select([self._channel.fileno(), self._wake, *handles], [], [], seconds)
            self._reap()
            if self._channel.fileno() in readable:
                try:
                    data = self._channel.recv(65536)
                except OSError:
                    data = b""
                if not data:
                    return None
                self._input += data
            elif self._worker.has_died():
                return None  # and all that it had said has been read
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
        """TERM, grace, KILL, until no descendant is left. The number of processes that were signalled."""
        signalled = set(_signal_descendants(signal.SIGTERM))
        _signal_descendants(signal.SIGCONT)
        now = time.monotonic()
        while _descendants(os.getpid()) and time.monotonic() < now + grace:
            self._pause()
        while time.monotonic() < now + grace + _KILL_SECONDS:
            # Each round finds what was forked since the one before.
            killed = _signal_descendants(signal.SIGKILL)
            if not killed:
                break
            signalled.update(killed)
            self._pause()
        self._reap()
        return len(signalled)

    def _end_servants(self, run_dir: str, grace: float) -> None:
        """TERM, grace, KILL for what served the run, until none of it is left."""
        start = time.monotonic()
        told: set[int] = set()
        while (servants := set(_servants(run_dir))) and time.monotonic() < start + grace + _KILL_SECONDS:
            if time.monotonic() < start + grace:
                _signal(servants - told, signal.SIGTERM)
                told |= servants
            else:
                _signal(servants, signal.SIGKILL)
            self._pause()

    def _clean_up(self, order: dict[str, Any]) -> None:
        """Run the commands that end what is not below this process, such as a container."""
        for words in order["cleanup"]:
            try:
                os.posix_spawnp(
                    words[0], words, order["env"], file_actions=_standard_descriptors(os.devnull),
                    setsigdef=_RESET_SIGNALS,
                )
            except OSError:
                continue  # the program is gone, and so is what it ran
            end = time.monotonic() + _CLEANUP_SECONDS
            while _descendants(os.getpid()) and time.monotonic() < end:
                self._pause()

    def _pause(self) -> None:
        select.select([self._wake], [], [], 0.02)
        self._reap()


def _remove_tree(directory: str) -> None:
    remains = _REMOVAL.remove_tree(directory)
    if remains is not None:
        sys.stderr.write(f"playstream: {directory} cannot be removed: {remains}\n")


def _load_removal() -> ModuleType:
    """The module playstream.pipeline.removal, without the package that it belongs to."""
    path = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "pipeline", "removal.py")
    module = ModuleType("removal")
    SourceFileLoader("removal", path).exec_module(module)
    return module


_REMOVAL = _load_removal()
"""Loaded at the start: an update of playstream may have removed the file when it is needed."""


def _spawn(order: dict[str, Any]) -> int:
    """Start the job in a session of its own, its controlling terminal the worker's."""
    argv: list[str] = order["argv"]
    # posix_spawn knows no directory; the guard has no use for one, and relative names are resolved from it.
    os.chdir(order["cwd"])
    if order["tty"] is None:
        actions: list[tuple[Any, ...]] = [(os.POSIX_SPAWN_DUP2, fd, number) for number, fd in enumerate(_GIVEN)]
    else:
        actions = _standard_descriptors(order["tty"])
    batch = _become_batch()
    try:
        pid = os.posix_spawnp(
            argv[0], argv, order["env"], file_actions=actions, setsid=True, setsigdef=_RESET_SIGNALS, setsigmask=[]
        )
    finally:
        if batch:
            _set_policy(os.SCHED_OTHER)  # this process is quick to wake up
    if order["tty"] is None:
        for fd in _GIVEN:
            os.close(fd)
    return pid


def _explain(error: OSError, order: dict[str, Any]) -> str:
    """Why the job cannot be started; of what is too long, where and what to do."""
    if error.errno != errno.E2BIG:
        return str(error.strerror)
    sizes = {f"word {number}": len(os.fsencode(word)) for number, word in enumerate(order["argv"], 1)}
    sizes |= {f"the variable {name}": len(os.fsencode(f"{name}={value}")) for name, value in order["env"].items()}
    longest = max(sizes, key=lambda name: sizes[name])
    return (
        f"{error.strerror}: its {len(order['argv'])} words and {len(order['env'])} variables have "
        f"{sum(sizes.values())} bytes, the longest, {longest}, has {sizes[longest]}. A system takes about "
        f"{os.sysconf('SC_ARG_MAX')} bytes in all, and Linux {_LONGEST_WORD} in one. Make them shorter or fewer: extra "
        "variables (env/extravars) and inventories travel as files, which have no such limits"
    )


def _become_batch() -> bool:
    """Let the scheduler take what is started from now on for batch work (SCHED_BATCH, sched(7)). Whether it does.

    Ansible keeps all cores busy with processes that live for milliseconds. As batch work they do not preempt each
    other, or other programs, when they wake up, and a run takes 2 % less time (docs/performance.md). A policy that was
    chosen for the worker is left alone.
    """
    try:
        usual = os.sched_getscheduler(0) == os.SCHED_OTHER
    except (AttributeError, OSError):  # not on this system, or forbidden by a sandbox
        return False
    return usual and _set_policy(os.SCHED_BATCH)


def _set_policy(policy: int) -> bool:
    try:
        os.sched_setscheduler(0, policy, os.sched_param(0))
    except OSError:
        return False  # Ansible runs, with the policy that there is
    return True


def _standard_descriptors(path: str) -> list[tuple[Any, ...]]:
    return [
        (os.POSIX_SPAWN_OPEN, 0, path, os.O_RDWR, 0),
        (os.POSIX_SPAWN_DUP2, 0, 1),
        (os.POSIX_SPAWN_DUP2, 0, 2),
    ]


def _keep_to_oneself() -> None:
    """Processes started here do not inherit what the worker gave, but for what they are meant to have."""
    for fd in (_LOCK, *_GIVEN):
        try:
            os.set_inheritable(fd, False)
        except OSError:
            continue  # there is a terminal, so it was not given


def _descendants(ancestor: int) -> list[int]:
    """Every living process below `ancestor`, read from /proc; zombies do not count."""
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
            continue  # gone already, or changed to a user that only root may signal
        signalled.append(pid)
    return signalled


def _servants(run_dir: str) -> list[int]:
    """What served the run, known by the name of the run directory in its command line."""
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
    """Run as a program; see the module's docstring."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    _keep_to_oneself()
    _Guard(socket.socket(fileno=0), Worker(int(sys.argv[1]))).run()
    sys.exit(0)


if __name__ == "__main__":
    main()
