# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run needs inside Ansible if `--fast` has chosen pipelining: modules that end with their connection.

Without pipelining Ansible asks for a terminal on the host. When the connection ends there, the kernel sends SIGHUP to
what runs in that terminal. With pipelining there is none, so a module whose run was stopped would work on.
"""

from __future__ import annotations

from typing import Any

from ansible.plugins.loader import connection_loader

_MARK = b"\n_ANSIBALLZ_WRAPPER = True"
"""A line in the wrapper of each module in Python, before its first statement that does something."""
_END_WITH_CONNECTION = b"""
def _end_with_connection():
    import os, select, signal, sys, threading, time
    if not hasattr(select, "poll"):
        return
    def wait():
        poll = select.poll()
        poll.register(1, 0)
        if poll.poll()[0][1] & (select.POLLERR | select.POLLHUP):
            own = os.getpgrp() in (os.getpid(), os.getppid())
            os.kill(0 if own else os.getpid(), signal.SIGHUP)
            time.sleep(5)
            os.kill(os.getpid(), signal.SIGKILL)
    signal.signal(signal.SIGHUP, lambda *_: sys.exit(129))
    thread = threading.Thread(target=wait)
    thread.daemon = True
    thread.start()
_end_with_connection()
"""
"""For the Pythons of hosts, 2.7 too. A module that exits removes its temporary files, which one that is killed does
not. Only if the process group is that of the module, and not of the server, all of it gets the signal, as from a
terminal."""


def end_modules_with_connections() -> None:
    """Let each module that is passed through standard input over ssh end when nobody reads its output any more."""
    connection = connection_loader.get("ssh", class_only=True)
    execute = connection.exec_command

    def execute_watched(self: Any, cmd: Any, in_data: Any = None, *args: Any, **kwargs: Any) -> Any:
        if isinstance(in_data, bytes):
            in_data = in_data.replace(_MARK, _END_WITH_CONNECTION + _MARK, 1)
        return execute(self, cmd, in_data, *args, **kwargs)

    connection.exec_command = execute_watched
