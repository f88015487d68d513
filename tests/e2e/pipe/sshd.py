"""A real sshd on a loopback port, with a generated key and a host that prints before it runs what is asked."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes import wait_until

BANNER = "*** Welcome to worker-1, last login: never ***"
_CONFIG = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {directory}/host_key
AuthorizedKeysFile {directory}/user_key.pub
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
PermitRootLogin prohibit-password
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


class Sshd:
    """One server; `command` is how to reach it."""

    def __init__(self, directory: Path, temporary: Path) -> None:
        self._directory = directory
        program = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
        if program is None or shutil.which("ssh") is None:
            pytest.fail("sshd or ssh is missing; apt-get install openssh-server openssh-client")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        for name in ("host_key", "user_key"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(directory / name)], check=True)
        login = directory / "login"
        login.write_text(_LOGIN.format(banner=BANNER, bin=Path(sys.executable).parent, temporary=temporary))
        login.chmod(0o755)
        (directory / "config").write_text(_CONFIG.format(port=self.port, directory=directory))
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        with (directory / "log").open("wb") as log:
            words = [*_with_terminals(directory), program, "-D", "-e", "-f", str(directory / "config")]
            self._server = subprocess.Popen(words, stderr=log)
        wait_until(self._answers)

    def _answers(self) -> bool:
        assert self._server.poll() is None, (self._directory / "log").read_text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    @property
    def command(self) -> tuple[str, ...]:
        """ssh, with what it needs to reach this server."""
        known_hosts = self._directory / "known_hosts"
        key = (self._directory / "host_key.pub").read_text()
        known_hosts.write_text(f"[127.0.0.1]:{self.port} {key}")
        options = ("BatchMode=yes", "IdentitiesOnly=yes", f"UserKnownHostsFile={known_hosts}", "LogLevel=ERROR")
        words = [word for option in options for word in ("-o", option)]
        identity = str(self._directory / "user_key")
        return ("ssh", "-F", "none", *words, "-i", identity, "-p", str(self.port), f"{getpass.getuser()}@127.0.0.1")

    def close(self) -> None:
        """Stop the server."""
        self._server.terminate()
        self._server.wait(20)


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
