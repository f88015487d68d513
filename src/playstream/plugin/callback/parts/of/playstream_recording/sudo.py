# SPDX-License-Identifier: GPL-3.0-or-later
"""Pipelining with sudo, on the hosts where sudo works without a terminal: each host is asked when that first matters.

A module that is passed through standard input has no terminal, and sudo may require one (`Defaults requiretty`), which
only the host knows. It is asked on Ansible's own connection, directly before the first module that would be passed that
way. Nothing is asked of a user, and no password is sent.

A fork of Ansible ends with its task, so the answers are files in the directory of the run, `sudo-…`, each for one login
(address, port, user). Those of earlier runs are in `sudo-known`. The worker reads them when the run has ended.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shlex
from collections.abc import Callable, Iterator
from typing import Any

from ansible import constants as C  # noqa: N812 - ansible's own name for it
from ansible.plugins.action import ActionBase
from ansible.plugins.connection import ConnectionBase
from ansible.plugins.loader import connection_loader

WORKS, TERMINAL, LOGGED, MISSING, UNCLEAR = "works", "terminal", "logged", "missing", "unclear"
"""The answers: sudo works without a terminal; it requires one; it stands between a command and its output, to log that,
so the command would not notice the end of its connection; it was not found; it refused for another reason."""
_VARIABLES = ("ansible_pipelining", "ansible_ssh_pipelining")
_REQUIRED = "you must have a tty to run sudo"
_PASSWORD = ("a password is required", "interactive authentication is required")
"""What sudo and sudo-rs say with -n. A terminal is checked before a password; sudo-rs never requires one."""
_FROM_INPUT = re.compile(r"(?:^|\s)(?:-[A-Za-z]*S|--stdin\b)")
"""Flags with which sudo reads a password from standard input."""
_NOT_FOUND = (126, 127)
_OUTPUT = "readlink /proc/self/fd/1 2>/dev/null"
_ASK = (
    f"exec 3<&0; {_OUTPUT}; LC_ALL=C {{sudo}} /bin/sh -c '{_OUTPUT} || :' </dev/null 3<&- & asked=$!; "
    "{{ read -r line <&3; kill $asked; }} >/dev/null 2>&1 & watch=$!; "
    "wait $asked; code=$?; kill $watch 2>/dev/null; exit $code"
)
"""Prints what standard output is, without sudo and with it: two lines. Standard input ends with the connection. Then
what was asked ends too, because there is no terminal to end it."""

Login = tuple[str, int, str]
"""Address, port (0 for the default) and user (empty for the default) of a host."""


class Answers:
    """What is known of hosts in this run, in all its processes.

    Args:
        directory: the directory of the run.
    """

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._known: dict[Login, str] = {}
        try:
            with open(os.path.join(directory, "sudo-known"), encoding="utf-8") as file:  # noqa: PTH123
                self._known.update(((item[0], item[1], item[2]), item[3]) for item in json.load(file))
        except (OSError, ValueError):
            pass  # each host is asked

    def get(self, login: Login, ask: Callable[[], str]) -> str:
        """Return the answer of a host; ask if there is none, once for all processes.

        Raises whatever `ask` raises.
        """
        found = _read(self._path(login)) or self._known.get(login)
        if found is not None:
            return found
        with self._turn(login) as fd:
            found = _read(self._path(login))
            if found is None:
                found = ask()
                _write(fd, login, found)
        return found

    def correct(self, login: Login) -> None:
        """Note that sudo has required a terminal, whatever was known before."""
        with self._turn(login) as fd:
            _write(fd, login, TERMINAL)

    def _path(self, login: Login) -> str:
        name = hashlib.sha256(json.dumps(login).encode()).hexdigest()[:32]
        return os.path.join(self._directory, f"sudo-{name}")

    @contextlib.contextmanager
    def _turn(self, login: Login) -> Iterator[int | None]:
        """Open the file of a login when no other process asks that host; None if it cannot be opened."""
        try:
            fd = os.open(self._path(login), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError:
            yield None
            return
        try:
            with contextlib.suppress(OSError):
                fcntl.flock(fd, fcntl.LOCK_EX)
            yield fd
        finally:
            os.close(fd)


def _read(path: str) -> str | None:
    """Return the answer in a file; None if there is none yet."""
    try:
        with open(path, encoding="utf-8") as file:  # noqa: PTH123 - as everywhere in the plugin
            answer = json.load(file)[3]
    except (OSError, ValueError):
        return None
    return str(answer)


def _write(fd: int | None, login: Login, answer: str) -> None:
    if fd is not None:
        with contextlib.suppress(OSError):  # without the file the host is asked again
            os.ftruncate(fd, 0)
            os.pwrite(fd, json.dumps([*login, answer]).encode(), 0)


def judge(rc: int, output: str, error: str, flags: str) -> str:
    """Return what sudo has answered.

    Args:
        rc: the exit status.
        output: what was printed.
        error: what was printed on standard error, in the C locale.
        flags: the flags of sudo with which the tasks run.
    """
    if _REQUIRED in error:
        return TERMINAL
    if rc == 0:
        lines = output.split()
        return WORKS if lines[:1] == lines[1:] else LOGGED
    if any(text in error for text in _PASSWORD):
        return WORKS if _FROM_INPUT.search(flags) else UNCLEAR
    return MISSING if rc in _NOT_FOUND else UNCLEAR


def pipeline_where_sudo_can(directory: str) -> None:
    """Let modules that run with sudo be passed through standard input only where sudo works without a terminal.

    Args:
        directory: the directory of the run.
    """
    answers = Answers(directory)
    _note_own_settings()
    _decide_by(answers)
    _repeat_refused(answers)


def _note_own_settings() -> None:
    """Let each connection know whether a variable of the user sets pipelining, which then counts."""
    set_options = ConnectionBase.set_options

    def set_noted(self: Any, task_keys: Any = None, var_options: Any = None, direct: Any = None) -> Any:
        self.playstream_own = any(name in (var_options or ()) for name in _VARIABLES)
        return set_options(self, task_keys=task_keys, var_options=var_options, direct=direct)

    ConnectionBase.set_options = set_noted


def _decide_by(answers: Answers) -> None:
    is_enabled = ActionBase._is_pipelining_enabled
    ssh = connection_loader.get("ssh", class_only=True)

    def is_enabled_here(self: Any, *args: Any, **kwargs: Any) -> bool:
        if not is_enabled(self, *args, **kwargs):
            return False
        if not _uses_sudo(self) or getattr(self._connection, "playstream_own", False):
            return True
        if not isinstance(self._connection, ssh):
            return False
        return answers.get(_login(self._connection), lambda: _ask(self)) == WORKS

    ActionBase._is_pipelining_enabled = is_enabled_here


def _uses_sudo(action: Any) -> bool:
    """Return whether a module of this action runs with sudo, by the condition of Ansible's own."""
    become = action._connection.become
    if become is None or become.name != "sudo":
        return False
    own, other = action._get_remote_user(), action.get_become_option("become_user")
    return bool(C.BECOME_ALLOW_SAME_USER or own != other or not (own or other))


def _login(connection: Any) -> Login:
    address = connection.get_option("host") or connection._play_context.remote_addr
    return str(address), int(connection.get_option("port") or 0), str(connection.get_option("remote_user") or "")


def _ask(action: Any) -> str:
    """Ask a host. A host that is unreachable raises what it would raise without the question."""
    become = action._connection.become
    flags = str(become.get_option("become_flags") or "")
    user = become.get_option("become_user")
    words = [str(become.get_option("become_exe") or become.name), flags, "-n"]
    words += [f"-u {shlex.quote(str(user))}"] if user else []
    done = action._low_level_execute_command(_ASK.format(sudo=" ".join(words)), sudoable=False)
    return judge(done["rc"], done["stdout"], done["stderr"], flags)


def _repeat_refused(answers: Answers) -> None:
    """Run a module again, as a file, if sudo has refused to start it without a terminal.

    Then what was known is wrong: it was changed on the host, or holds for some commands only.
    """
    low_level, execute = ActionBase._low_level_execute_command, ActionBase._execute_module

    def execute_noted(self: Any, cmd: Any, *args: Any, **kwargs: Any) -> Any:
        done = low_level(self, cmd, *args, **kwargs)
        if kwargs.get("in_data") and done["rc"] and not done["stdout"].strip() and _REQUIRED in done["stderr"]:
            self.playstream_refused = not getattr(self._connection, "playstream_own", False)
        return done

    def execute_again(self: Any, *args: Any, **kwargs: Any) -> Any:
        self.playstream_refused = False
        result = execute(self, *args, **kwargs)
        if not self.playstream_refused:
            return result
        answers.correct(_login(self._connection))
        return execute(self, *args, **kwargs)

    ActionBase._low_level_execute_command = execute_noted
    ActionBase._execute_module = execute_again
