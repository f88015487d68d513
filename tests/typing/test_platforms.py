"""The stages that need no Ansible can be imported on macOS and Windows; `make check-types` checks their types there.

A child process takes away what Python lacks on such a system before it imports playstream.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.process.test_processing import WHOLE, encode

BEFORE = """
import asyncio, concurrent.futures, logging, queue, shutil, sqlite3, ssl, subprocess, tempfile, uuid  # as usual there
import fcntl, importlib, os, pathlib, pkgutil, select, signal, socket, sys
import pathspec, yaml, zstandard, rich.progress, sqlalchemy, pyrage

def lack(module, names):
    for name in names.split():
        if hasattr(module, name):
            delattr(module, name)
"""
MACOS = """
sys.platform = "darwin"
lack(os, "O_PATH O_TMPFILE memfd_create pidfd_open sched_getaffinity splice")
lack(fcntl, "F_SETPIPE_SZ F_GETPIPE_SZ")
lack(select, "epoll POLLRDHUP")
lack(socket, "SO_PEERCRED")
"""
WINDOWS = """
sys.platform = "win32"
for name in ("fcntl", "termios", "pwd", "grp", "resource", "pty", "tty", "posix"):
    sys.modules[name] = None
lack(os, "O_CLOEXEC O_DIRECTORY O_NOFOLLOW O_NONBLOCK O_NOCTTY O_PATH O_TMPFILE POSIX_SPAWN_DUP2 WNOHANG chown fchmod "
         "fchown fork forkpty geteuid getuid getegid getgid getpgid getpgrp getsid get_blocking set_blocking killpg "
         "lchown mkfifo mknod openpty posix_spawn pread pwrite register_at_fork setpgid setsid sysconf tcgetpgrp "
         "ttyname umask uname waitid")
lack(select, "epoll poll POLLIN POLLOUT POLLHUP POLLERR POLLRDHUP PIPE_BUF")
lack(signal, "SIGALRM SIGCHLD SIGCONT SIGHUP SIGKILL SIGPIPE SIGQUIT SIGSTOP SIGTSTP SIGTTIN SIGTTOU SIGUSR1 SIGUSR2 "
             "SIGWINCH SIG_BLOCK SIG_SETMASK SIG_UNBLOCK pthread_sigmask")
lack(socket, "AF_UNIX SO_PEERCRED socketpair")
"""
IMPORT = """
import playstream
rooms = ["pipeline", "transmit", "process", "links"]
for room in rooms:
    package = importlib.import_module(f"playstream.{room}")
    for module in pkgutil.walk_packages(package.__path__, f"playstream.{room}."):
        importlib.import_module(module.name)
"""
USE_ON_MACOS = """
from playstream.cli.entry import main
from playstream.transmit.stage import Transmitter
print(sum(1 for _ in Transmitter({"private_data_dir": "examples/demo", "playbook": "site.yml"}).records()) > 3)
sys.argv = ["playstream", "process", sys.argv[1], "-q"]
print(main())
"""
USE_ON_WINDOWS = """
from playstream.links.urls import find_link
from playstream.pipeline.errors import ConfigurationError
from playstream.process.stage import Observer, Processor
from playstream.transmit.stage import Transmitter
for use in (
    lambda: Transmitter({"private_data_dir": "examples/demo", "playbook": "site.yml"}),
    lambda: Processor(pathlib.Path("artifacts"), Observer()),
    lambda: find_link("ssh://host"),
):
    try:
        use()
    except ConfigurationError as error:
        print("WSL" in str(error))

from playstream.cli.entry import main
sys.argv = ["playstream", "run", "examples/demo", "-p", "site.yml"]
print(main())
"""


@pytest.mark.parametrize(
    ("system", "use", "shown", "message"),
    [
        pytest.param(MACOS, USE_ON_MACOS, "True\n0\n", "", id="macOS"),
        pytest.param(
            WINDOWS, USE_ON_WINDOWS, "True\nTrue\nTrue\n1\n", "playstream: this system is Windows", id="Windows"
        ),
    ],
)
def test_stages_on_other_systems(system: str, use: str, shown: str, message: str, tmp_path: Path) -> None:
    command = [sys.executable, "-c", BEFORE + system + IMPORT + use, str(tmp_path)]
    done = subprocess.run(command, input=encode(WHOLE), capture_output=True, check=False, timeout=60)
    assert (done.stdout.decode(), done.stderr.decode().partition(",")[0], done.returncode) == (shown, message, 0)
