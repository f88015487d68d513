"""A real sshd on a loopback port."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.processes import children, wait_until

_CONFIG = """\
Port {port}
ListenAddress {address}
HostKey {directory}/host_key
AuthorizedKeysFile {directory}/user_key.pub
PidFile none
UsePAM no
StrictModes no
PermitRootLogin prohibit-password
"""


class Sshd:
    """A server that runs until `close`; this user logs in with the key `user_key`.

    Args:
        directory: for its files; made if it is missing.
        config: further lines of its configuration.
        passphrase: of the key.
        before: words to start it with.
        address: what it listens on; another one than this host's if `before` runs it on another host.
    """

    def __init__(
        self,
        directory: Path,
        config: str,
        *,
        passphrase: str = "",
        before: Sequence[str] = (),
        address: str = "127.0.0.1",
    ) -> None:
        program = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
        if program is None or shutil.which("ssh") is None:
            pytest.fail("sshd or ssh is missing; apt-get install openssh-server openssh-client")
        directory.mkdir(exist_ok=True)
        self.directory = directory
        self.address = address
        self.user_key = directory / "user_key"
        for path, phrase in ((directory / "host_key", ""), (self.user_key, passphrase)):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-a", "1", "-N", phrase, "-f", path], check=True)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        (directory / "config").write_text(_CONFIG.format(port=self.port, address=address, directory=directory) + config)
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        self._log = directory / "log"
        with self._log.open("wb") as log:
            words = [*before, program, "-D", "-e", "-f", str(directory / "config")]
            self._server = subprocess.Popen(words, stderr=log)
        wait_until(self._listens)

    def _listens(self) -> bool:
        text = self._log.read_text()
        assert self._server.poll() is None, text
        return f"Server listening on {self.address} port {self.port}." in text

    @property
    def pid(self) -> int:
        """The process that listens; what it was started with may stay beside it."""
        pid: int = self._server.pid
        while Path(f"/proc/{pid}/comm").read_text() != "sshd\n":
            (pid,) = children(pid)
        return pid

    def close(self) -> None:
        """Stop the server."""
        self._server.terminate()
        self._server.wait(20)


def with_terminals(directory: Path) -> tuple[str, ...]:
    """Return words before sshd with which it can give a client a terminal.

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
