"""An sshd with a host that prints before it runs what is asked."""

from __future__ import annotations

import getpass
import shlex
import sys
from pathlib import Path

from tests.sshd import Sshd, with_terminals

BANNER = "*** Welcome to worker-1, last login: never ***"
_CONFIG = """\
PasswordAuthentication no
ForceCommand {directory}/login
"""
_LOGIN = """\
#!/bin/sh
# What noisy login scripts do: text on both standard streams before the command.
{noise}
PATH={path}
TMPDIR={temporary}
export PATH TMPDIR
exec /bin/sh -c "$SSH_ORIGINAL_COMMAND"
"""


_NOISE = f"echo '{BANNER}'; echo 'You have new mail.' >&2"
_PATH = f'{shlex.quote(str(Path(sys.executable).parent))}:"$PATH"'


class NoisySshd(Sshd):
    """One server; `command` is how to reach it.

    Args:
        directory: for its files.
        temporary: TMPDIR of what runs there.
        inside: words that run it on another host.
        address: that host's.
    """

    def __init__(
        self, directory: Path, temporary: Path, *, inside: tuple[str, ...] = (), address: str = "127.0.0.1"
    ) -> None:
        directory.mkdir(exist_ok=True)
        self._login = directory / "login"
        self._temporary = temporary
        self.set_login()
        before = (*inside, *with_terminals(directory))
        super().__init__(directory, _CONFIG.format(directory=directory), before=before, address=address)

    def set_login(self, noise: str = _NOISE, path: str = _PATH) -> None:
        """Set what the host prints before the command, or does instead of it, and its PATH, as sh reads them."""
        self._login.write_text(_LOGIN.format(noise=noise, path=path, temporary=shlex.quote(str(self._temporary))))
        self._login.chmod(0o755)

    @property
    def command(self) -> tuple[str, ...]:
        """ssh, with what it needs to reach this server."""
        known_hosts = self.directory / "known_hosts"
        key = (self.directory / "host_key.pub").read_text()
        known_hosts.write_text(f"[{self.address}]:{self.port} {key}")
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
            f"{getpass.getuser()}@{self.address}",
        )
