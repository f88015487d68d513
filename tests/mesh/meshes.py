"""A mesh with TLS, certificates and permissions, as `mesh init` makes it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from playstream.mesh.client import MeshClient
from playstream.mesh.directory import make_mesh, reload_servers
from playstream.mesh.identity import Identity, read_identity
from playstream.mesh.server_config import Server
from tests.mesh.servers import find_server
from tests.processes import wait_until

_SECONDS = 20.0
_RELOADED = "Reloaded server configuration"


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


class Mesh:
    """The directory of a mesh, and its server.

    Args:
        which: which nats-server.
        directory: the directory to make.
        lost_after: seconds after which a node counts as lost.
        servers: the servers; None for one on this host.
    """

    def __init__(
        self, which: str, directory: Path, *, lost_after: float = 6.0, servers: Sequence[Server] | None = None
    ) -> None:
        self._binary = find_server(which)
        self.directory = directory
        self.port = servers[0].port if servers else free_port()
        here = [Server("localhost", self.port)]
        make_mesh(directory, servers or here, listen=None if servers else "127.0.0.1", lost_after=lost_after)
        self._process: subprocess.Popen[bytes] | None = None
        self.prefix: tuple[str, ...] = ()
        """Words before the command of the server."""

    def start(self) -> Mesh:
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*self.prefix, self._binary, "-c", "server1.conf"], cwd=self.directory, stdout=log, stderr=log
            )
        until = time.monotonic() + _SECONDS
        while not self._answers():
            assert self._process.poll() is None, self.log
            assert time.monotonic() < until, "the server does not start"
            time.sleep(0.01)
        return self

    @property
    def log(self) -> str:
        return (self.directory / "log").read_text()

    def _answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def reload(self) -> None:
        """Let the server read its users again, and wait until it has."""
        before = self.log.count(_RELOADED)
        assert reload_servers(self.directory) == 1
        wait_until(lambda: self.log.count(_RELOADED) > before)

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def path(self, name: str) -> Path:
        return self.directory / f"{name}.playstream"

    def identity(self, name: str) -> Identity:
        return read_identity(self.path(name))

    async def connect(self, name: str) -> MeshClient:
        client = MeshClient(self.identity(name).endpoint)
        await client.connect()
        return client
