"""Meshes whose servers, nodes and submitters are hosts of a network of their own."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from playstream.mesh.client import MeshClient
from playstream.mesh.server_config import DEFAULT_PORT, USERS, Server
from tests.mesh.meshes import Mesh
from tests.mesh.nodes import SIZES, SUBMITTER, World
from tests.network.network import Network
from tests.processes import wait_until
from tests.stages import Stages

OPERATOR = "operator"
SERVER = "server1"
_READY = "Server is ready"
_LEADS = re.compile(r"\] (\S+ \S+) \[INF\] Self is new JetStream cluster metadata leader")


class HostMesh(Mesh):
    """A mesh whose servers are hosts named server1, server2 …, each with a directory of its own."""

    def __init__(self, which: str, directory: Path, network: Network, number: int, lost_after: float) -> None:
        self._network = network
        self.names = [f"server{index + 1}" for index in range(number)]
        servers = [Server(network.address(name), DEFAULT_PORT) for name in self.names]
        super().__init__(which, directory, lost_after=lost_after, servers=servers)
        self._servers: dict[str, subprocess.Popen[bytes]] = {}

    def _place(self, name: str) -> Path:
        return self.directory.parent / f"place-{name}"

    def log_of(self, name: str) -> str:
        """Return what a server has logged."""
        return (self._place(name) / "log").read_text()

    def reload(self) -> None:
        """Start the servers, which know all identities then."""
        for name in self.names:
            place = self._place(name)
            place.mkdir(mode=0o700)
            for file in ("ca.pem", USERS, *(f"{name}.{end}" for end in ("conf", "pem", "key"))):
                shutil.copy(self.directory / file, place)
        for name in self.names:
            self.start_server(name)
        for name in self.names:
            self.wait_for_server(name)
        if len(self.names) > 1:
            wait_until(self.leader, 60)

    def start_server(self, name: str) -> None:
        """Start a server."""
        place = self._place(name)
        with (place / "log").open("ab") as log:
            words = [*self._network.inside(name), self._binary, "-c", f"{name}.conf"]
            self._servers[name] = subprocess.Popen(words, cwd=place, stdout=log, stderr=log)

    def wait_for_server(self, name: str, times: int = 1) -> None:
        """Wait until a server has become ready for so many times."""
        wait_until(lambda: self.log_of(name).count(_READY) == times or self._servers[name].poll() is not None, 60)
        assert self._servers[name].poll() is None, self.log_of(name)

    def leader(self) -> str | None:
        """Return the server that was the last to become the leader of JetStream. Old ones do not always log another."""
        times = {name: max(_LEADS.findall(self.log_of(name)), default="") for name in self.names}
        last = max(times, key=lambda name: times[name])
        return last if times[last] else None

    def kill_server(self, name: str) -> None:
        """Kill a server."""
        process = self._servers.pop(name)
        process.kill()
        process.wait()

    def pid_of(self, name: str) -> int:
        """Return the process of a server."""
        return self._servers[name].pid

    def kill(self) -> None:
        """Kill all servers."""
        for name in list(self._servers):
            self.kill_server(name)


class HostWorld(World):
    """A mesh on a network. What the test asks as an operator comes from a host of its own."""

    mesh: HostMesh

    def __init__(
        self, mesh: HostMesh, network: Network, stages: Stages, folder: Path, nodes: Mapping[str, str]
    ) -> None:
        self.network = network
        super().__init__(mesh, stages, folder, nodes, replace(SIZES, replicas=len(mesh.names)))

    def prefix(self, host: str) -> tuple[str, ...]:
        """Return the words before a command that is to run on a host."""
        return self.network.inside(host)

    def as_operator(self, body: Callable[[MeshClient], Coroutine[Any, Any, Any]]) -> Any:
        """Do something as an operator."""
        return self.network.call(OPERATOR, lambda: super(HostWorld, self).as_operator(body))

    def link(self, group: str = "web") -> str:
        """Return the link to a group, over any server."""
        return f"nats:///{group}?identity={self.mesh.path('ann')}"


@contextmanager
def on_hosts(
    which: str,
    stages: Stages,
    folder: Path,
    nodes: Mapping[str, str],
    *,
    servers: int = 1,
    submitters: Sequence[str] = (SUBMITTER,),
    lost_after: float = 6.0,
) -> Iterator[HostWorld]:
    """A mesh each of whose parts is a host.

    Args:
        which: which nats-server.
        stages: starts nodes and submitters.
        folder: for files.
        nodes: their names, each with its group.
        servers: how many there are.
        submitters: the hosts that jobs come from.
        lost_after: seconds after which a node counts as lost.
    """
    names = [f"server{index + 1}" for index in range(servers)]
    with Network(*names, OPERATOR, *submitters, *nodes) as network:
        mesh = HostMesh(which, folder / "mesh", network, servers, lost_after)
        try:
            world = HostWorld(mesh, network, stages, folder, nodes)
            try:
                yield world
            finally:
                world.close()
        finally:
            mesh.kill()
