"""A host that is reached by ssh: a real sshd on a loopback port, and the client's configuration for it."""

from __future__ import annotations

import getpass
import shlex
import sys
from pathlib import Path

from tests.processes import children
from tests.sshd import Sshd

BANNER = "*** Welcome to worker-1, last login: never ***"
_CONFIG = """\
PasswordAuthentication no
ForceCommand {directory}/login
"""
_LOGIN = """\
#!/bin/sh
# What noisy login scripts do: text on both standard streams before the command.
{noise}
export PATH={path} TMPDIR={temporary}
exec /bin/sh -c "$SSH_ORIGINAL_COMMAND"
"""
_NOISE = f"echo '{BANNER}'; echo 'You have new mail.' >&2"


class Host(Sshd):
    """One server, which the client knows as `worker-1`.

    Args:
        directory: for its files.
        temporary: TMPDIR of what runs there.
    """

    def __init__(self, directory: Path, temporary: Path) -> None:
        self._login = directory / "login"
        self._temporary = temporary
        self.set_login()
        super().__init__(directory, _CONFIG.format(directory=directory))
        self.known_hosts = directory / "known_hosts"
        self.client_config = directory / "client"
        self.know(directory / "host_key.pub")
        self.configure()

    def set_login(self, noise: str = _NOISE, path: str = f"{Path(sys.executable).parent}:$PATH") -> None:
        """Set what the host prints before the command, or does instead of it, and its PATH."""
        quoted = path if "$PATH" in path else shlex.quote(path)
        self._login.write_text(_LOGIN.format(noise=noise, path=quoted, temporary=shlex.quote(str(self._temporary))))
        self._login.chmod(0o755)

    def sessions(self) -> list[int]:
        """Return the processes of the server that serve connections."""
        return children(self.pid)

    def know(self, key: Path | None) -> None:
        """Set the key that the client has of this host; None for none."""
        self.known_hosts.write_text("" if key is None else f"[127.0.0.1]:{self.port} {key.read_text()}")

    def configure(self, *lines: str, key: Path | None = None) -> None:
        """Write the client's configuration.

        Args:
            lines: further lines for this host, and further hosts.
            key: the key to log in with, instead of the one that the host accepts.
        """
        own = (
            "Host worker-1",
            "HostName 127.0.0.1",
            f"Port {self.port}",
            f"User {getpass.getuser()}",
            f"IdentityFile {key or self.user_key}",
            *lines,
            "Host *",
            "BatchMode yes",
            "IdentitiesOnly yes",
            "IdentityAgent none",
            f"UserKnownHostsFile {self.known_hosts}",
            "GlobalKnownHostsFile none",
        )
        self.client_config.write_text("\n".join(own) + "\n")
