"""Users with passwords and a server that asks for them: made for the tests, removed after them."""

from __future__ import annotations

import secrets
import shutil
import socket
import subprocess
from pathlib import Path

from tests.processes import wait_until

_CONFIG = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {directory}/host_key
AuthorizedKeysFile {directory}/user_key.pub
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication yes
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
"""


class Account:
    """A user of this machine's with a password.

    Args:
        password: theirs.
    """

    def __init__(self, password: str) -> None:
        self.name = f"ps{secrets.token_hex(4)}"
        subprocess.run(
            ["useradd", "--no-create-home", "--home-dir", "/nonexistent", "--shell", "/bin/sh", self.name], check=True
        )
        subprocess.run(["chpasswd"], input=f"{self.name}:{password}\n".encode(), check=True)

    def remove(self) -> None:
        """Remove the user."""
        subprocess.run(["userdel", "--force", self.name], check=True, capture_output=True)


class PasswordServer:
    """An sshd on a loopback port that takes passwords, and from root the key `user_key`.

    Args:
        directory: for its files.
        passphrase: of the key.
    """

    def __init__(self, directory: Path, passphrase: str) -> None:
        program = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/usr/bin")
        assert program is not None, "sshd is missing; apt-get install openssh-server"
        directory.mkdir()
        self.user_key = directory / "user_key"
        for path, phrase in ((directory / "host_key", ""), (self.user_key, passphrase)):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-a", "1", "-N", phrase, "-f", path], check=True)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        (directory / "config").write_text(_CONFIG.format(port=self.port, directory=directory))
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        self._log = directory / "log"
        with self._log.open("wb") as log:
            self._server = subprocess.Popen([program, "-D", "-e", "-f", directory / "config"], stderr=log)
        wait_until(self._answers)

    def _answers(self) -> bool:
        assert self._server.poll() is None, self._log.read_text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def close(self) -> None:
        """Stop the server."""
        self._server.terminate()
        self._server.wait(20)
