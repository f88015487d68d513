"""Users with passwords and a server that asks for them: made for the tests, removed after them."""

from __future__ import annotations

import secrets
import subprocess
from pathlib import Path

from tests.sshd import Sshd

_CONFIG = """\
PasswordAuthentication yes
KbdInteractiveAuthentication no
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


class PasswordServer(Sshd):
    """An sshd on a loopback port that takes passwords, and from root the key `user_key`.

    Args:
        directory: for its files.
        passphrase: of the key.
    """

    def __init__(self, directory: Path, passphrase: str) -> None:
        directory.mkdir()
        super().__init__(directory, _CONFIG, passphrase=passphrase)
