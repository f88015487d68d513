"""A host that is reached by ssh: a real sshd, and the client's configuration for it."""

from __future__ import annotations

import getpass
from contextlib import suppress
from pathlib import Path

from tests.e2e.pipe.sshd import NoisySshd
from tests.processes import children, command_line


class Host(NoisySshd):
    """One server, which the client knows as `worker-1`.

    Args:
        directory: for its files.
        temporary: TMPDIR of what runs there.
        inside: words that run it on another host of a network.
        address: that host's.
    """

    def __init__(
        self, directory: Path, temporary: Path, *, inside: tuple[str, ...] = (), address: str = "127.0.0.1"
    ) -> None:
        super().__init__(directory, temporary, inside=inside, address=address)
        self.known_hosts = directory / "known_hosts"
        self.client_config = directory / "client"
        self.know(directory / "host_key.pub")
        self.configure()

    def sessions(self) -> list[int]:
        """Return the processes of the server that serve connections.

        A connection has one process, or two of which the inner one holds the socket: since OpenSSH 9.8 also as root.
        """
        pending = children(self.pid)
        found: list[int] = []
        while pending:
            pid = pending.pop()
            if _serves(pid):
                found.append(pid)
            with suppress(OSError):  # it has ended
                pending += children(pid)
        return found

    def know(self, key: Path | None) -> None:
        """Set the key that the client has of this host; None for none."""
        self.known_hosts.write_text("" if key is None else f"[{self.address}]:{self.port} {key.read_text()}")

    def configure(self, *lines: str, key: Path | None = None) -> None:
        """Write the client's configuration.

        Args:
            lines: further lines for this host, and further hosts.
            key: the key to log in with, instead of the one that the host accepts.
        """
        own = (
            "Host worker-1",
            f"HostName {self.address}",
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


def _serves(pid: int) -> bool:
    """Return whether a process is of sshd, and does not listen."""
    try:
        name = Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return False  # it has ended
    return name in ("sshd", "sshd-session") and b"[listener]" not in command_line(pid)
