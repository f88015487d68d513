"""Hosts at a distance: each has an address, a network and an sshd of its own, and the relay of a network between."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Self

from tests.e2e.fast.fleet import system_python
from tests.network.network import Network
from tests.sshd import Sshd, with_terminals

HERE = "here"
"""The name of the host that Ansible runs on."""
_CONFIG = """\
PasswordAuthentication no
MaxStartups 100:30:200
MaxSessions 100
Subsystem sftp internal-sftp
"""


class DistantHosts:
    """Hosts h1, h2 … of the group `web`, which are reached by ssh from `HERE`.

    They run until `close`; then all that runs on any of them, and on `HERE`, is killed.

    Args:
        directory: for the files of the servers, and for those that tasks make: the variable `place` of each host.
        number: how many.
    """

    def __init__(self, directory: Path, number: int) -> None:
        directory.mkdir(exist_ok=True)
        self.directory = directory
        self.names = [f"h{count}" for count in range(1, number + 1)]
        self._servers: dict[str, Sshd] = {}
        with ExitStack() as stack:
            self.network = stack.enter_context(Network(HERE, *self.names))
            for name in self.names:
                place = self.place(name)
                (place / "tmp").mkdir(parents=True)
                server = Sshd(
                    directory / f"sshd-{name}",
                    _CONFIG,
                    before=(*self.network.inside(name), *with_terminals(place)),
                    address=self.network.address(name),
                )
                stack.callback(server.close)
                self._servers[name] = server
            self._stack = stack.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def inside(self) -> tuple[str, ...]:
        """The words before a command that is to reach the hosts."""
        return self.network.inside(HERE)

    def place(self, name: str) -> Path:
        """Return the directory for files that tasks make on a host."""
        return self.directory / name

    def inventory(self, *more: str) -> str:
        """Return the text of an inventory, with further variables for all hosts."""
        known_hosts = self.directory / "known_hosts"
        lines = ["[web]"]
        for name, server in self._servers.items():
            place = self.place(name)
            lines.append(
                f"{name} ansible_host={server.address} ansible_port={server.port} place={place} "
                f"ansible_ssh_private_key_file={server.user_key} ansible_remote_tmp={place}/tmp"
            )
        lines += [
            "[all:vars]",
            f"ansible_python_interpreter={system_python()}",
            "ansible_host_key_checking=false",
            f'ansible_ssh_common_args="-o UserKnownHostsFile={known_hosts}"',  # and not into the user's own
            *more,
        ]
        return "\n".join(lines) + "\n"

    def close(self) -> None:
        """Stop the servers and the network."""
        self._stack.close()
