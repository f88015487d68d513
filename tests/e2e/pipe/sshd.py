"""An sshd with a host that prints before it runs what is asked."""

from __future__ import annotations

import getpass
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
        directory.mkdir(exist_ok=True)
        login = directory / "login"
        login.write_text(_LOGIN.format(banner=BANNER, bin=Path(sys.executable).parent, temporary=temporary))
        login.chmod(0o755)
        super().__init__(directory, _CONFIG.format(directory=directory), before=with_terminals(directory))

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
