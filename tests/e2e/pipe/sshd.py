"""An sshd with a host that prints before it runs what is asked."""

from __future__ import annotations

import getpass
import os
import shutil
import sys
from pathlib import Path

import pytest

from tests.sshd import Sshd

BANNER = "*** Welcome to worker-1, last login: never ***"
_CONFIG = """\
PasswordAuthentication no
ForceCommand {directory}/login
"""
_LOGIN = """\
#!/bin/sh
# What noisy login scripts do: text on both standard streams before the command.
echo '{banner}'
echo 'You have new mail.' >&2
export PATH='{bin}':"$PATH" TMPDIR='{temporary}'
exec /bin/sh -c "$SSH_ORIGINAL_COMMAND"
"""


class NoisySshd(Sshd):
    """One server; `command` is how to reach it.

    Args:
        directory: for its files.
        temporary: TMPDIR of what runs there.
    """

    def __init__(self, directory: Path, temporary: Path) -> None:
        login = directory / "login"
        login.write_text(_LOGIN.format(banner=BANNER, bin=Path(sys.executable).parent, temporary=temporary))
        login.chmod(0o755)
        super().__init__(directory, _CONFIG.format(directory=directory), before=_with_terminals(directory))

    @property
    def command(self) -> tuple[str, ...]:
        """ssh, with what it needs to reach this server."""
        known_hosts = self.directory / "known_hosts"
        key = (self.directory / "host_key.pub").read_text()
        known_hosts.write_text(f"[127.0.0.1]:{self.port} {key}")
        options = ("BatchMode=yes", "IdentitiesOnly=yes", f"UserKnownHostsFile={known_hosts}", "LogLevel=ERROR")
        words = [word for option in options for word in ("-o", option)]
        return (
            "ssh",
            "-F",
            "none",
            *words,
            "-i",
            str(self.user_key),
            "-p",
            str(self.port),
            f"{getpass.getuser()}@127.0.0.1",
        )


def _with_terminals(directory: Path) -> tuple[str, ...]:
    """Words before sshd with which it can give a client a terminal.

    It gives the terminal to the group tty, if there is one, which a user outside of that group cannot. On most machines
    every terminal is of that group from its beginning; where /dev/pts is mounted without `gid=5`, none is.
    """
    names = Path("/etc/group").read_text().splitlines(keepends=True)
    tty = next((int(name.split(":")[2]) for name in names if name.startswith("tty:")), None)
    master, terminal = os.openpty()
    needless = os.geteuid() == 0 or tty is None or tty in (os.fstat(terminal).st_gid, *os.getgroups())
    os.close(master)
    os.close(terminal)
    if needless:
        return ()
    if shutil.which("bwrap") is None:
        pytest.fail("bwrap is missing; apt-get install bubblewrap")
    without = directory / "group"
    without.write_text("".join(name for name in names if not name.startswith("tty:")))
    return ("bwrap", "--die-with-parent", "--dev-bind", "/", "/", "--ro-bind", str(without), "/etc/group")
