"""A cluster of three servers that loses the leader of everything: killed, or cut off from the two others."""

from __future__ import annotations

import socket
import ssl
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from playstream.mesh.client import MeshClient
from playstream.mesh.messages import Outcome
from playstream.mesh.registry import CLUSTER_LOST_AFTER
from playstream.mesh.server_config import CLUSTER_PORT, DEFAULT_PORT
from playstream.mesh.subjects import Streams
from tests.conftest import MakeDir
from tests.mesh.counting import check_count, counting, wait_for_more
from tests.mesh.hosts import OPERATOR, HostWorld, on_hosts
from tests.mesh.nodes import outcomes
from tests.mesh.servers import CURRENT, OLDEST
from tests.network.firewall import NEEDS_FIREWALL, accept_all, part
from tests.processes import wait_until
from tests.stages import LIMIT_SECONDS, Stages

pytestmark = NEEDS_FIREWALL
LOST_AFTER = {OLDEST: 3 * CLUSTER_LOST_AFTER, CURRENT: CLUSTER_LOST_AFTER}
"""The oldest servers have taken 22 seconds to elect a leader on a busy host."""
OF_A_JOB = [Streams("web").state, Streams("web").output, Streams("web").input, Streams("web").jobs]


@pytest.fixture(params=[OLDEST, CURRENT])
def cluster(request: pytest.FixtureRequest, fakes: Stages, tmp_path: Path) -> Iterator[HostWorld]:
    """A cluster of three servers, each with a host of its own."""
    lost_after = LOST_AFTER[request.param]
    with on_hosts(request.param, fakes, tmp_path, {"node1": "web"}, servers=3, lost_after=lost_after) as world:
        yield world


async def describe(client: MeshClient) -> dict[str, Any]:
    """Return how the servers keep the streams of a job."""
    return {name: (await client.administer(f"STREAM.INFO.{name}")).get("cluster", {}) for name in OF_A_JOB}


def wait_for_replicas(world: HostWorld) -> None:
    """Wait until all servers have all of each stream."""

    def are_current() -> bool:
        found = world.as_operator(describe)
        return all(
            each.get("leader") and [replica["current"] for replica in each.get("replicas", [])] == [True, True]
            for each in found.values()
        )

    wait_until(are_current, 90)


def leader_of(world: HostWorld, stream: str) -> str:
    """Return the server that leads a stream."""
    return str(world.as_operator(describe)[stream]["leader"])


class Counted:
    """A job on a cluster that counts until it is told to end."""

    def __init__(self, cluster: HostWorld, private_data_dir: MakeDir) -> None:
        self._cluster = cluster
        self._directory, self._gate = counting(private_data_dir, "count")
        self._node = cluster.node("node1")
        self._run = cluster.start(self._directory, "count.yml", "-q", "-i", "one")
        self._shown = self._directory / "artifacts/one/stdout"
        self.wait_for_more(20)

    def wait_for_more(self, number: int) -> None:
        """Wait until it has shown so many more numbers."""
        wait_for_more(self._run, self._shown, number)

    def kill(self, victim: str) -> None:
        """Kill a server while it counts, and start it again."""
        mesh = self._cluster.mesh
        times = mesh.log_of(victim).count("Server is ready")
        mesh.kill_server(victim)
        self.wait_for_more(500)
        mesh.start_server(victim)
        mesh.wait_for_server(victim, times + 1)

    def end(self) -> None:
        """Let it end, and check that nothing was lost, doubled or reordered."""
        self.wait_for_more(20)
        self._gate.touch()
        status, _stdout, stderr = self._cluster.finish(self._run)
        assert status == 0, stderr
        check_count(self._shown)
        # A server that was away may be asked, and not have the last messages yet.
        wait_until(lambda: outcomes(self._cluster.ends()) == [Outcome.WORKER], 60)
        assert len(self._node.events("started")) == 1


def test_a_job_survives_the_end_of_a_leader(cluster: HostWorld, private_data_dir: MakeDir) -> None:
    job = Counted(cluster, private_data_dir)
    wait_for_replicas(cluster)
    job.kill(leader_of(cluster, Streams("web").state))
    job.end()


@pytest.mark.parametrize("cluster", [CURRENT], indirect=True)
def test_a_job_survives_the_end_of_one_leader_after_another(cluster: HostWorld, private_data_dir: MakeDir) -> None:
    """On the oldest servers, a replica that was restarted can stay behind for minutes."""
    job = Counted(cluster, private_data_dir)
    lead_of_all = cluster.mesh.leader()
    assert lead_of_all is not None
    for victim in (leader_of(cluster, Streams("web").state), lead_of_all):
        wait_for_replicas(cluster)
        job.kill(victim)
    wait_for_replicas(cluster)
    leader = leader_of(cluster, Streams("web").state)
    part(cluster.network, leader, *[name for name in cluster.mesh.names if name != leader])
    job.wait_for_more(1000)
    accept_all(cluster.network, *cluster.mesh.names)
    job.end()


def is_greeted(address: str, directory: Path, name: str | None) -> bool:
    """Return whether a server speaks to another one, which shows the certificate with a name, or none."""
    context = ssl.create_default_context(cafile=directory / "ca.pem")
    if name is not None:
        context.load_cert_chain(directory / f"{name}.pem", directory / f"{name}.key")
    with socket.create_connection((address, CLUSTER_PORT), 20) as connection:
        try:
            with context.wrap_socket(connection, server_hostname=address) as encrypted:
                return encrypted.recv(4096).startswith(b"INFO ")
        except ssl.SSLError as error:
            assert "CERTIFICATE_REQUIRED" in str(error.reason) or "BAD_CERTIFICATE" in str(error.reason), error
            return False


def test_a_cluster_as_it_is_made_keeps_streams_on_three_servers_and_opens_two_ports(cluster: HostWorld) -> None:
    """Streams are those that `mesh check` creates; servers show each other certificates."""

    async def delete(client: MeshClient) -> None:
        for name in OF_A_JOB:
            assert (await client.administer(f"STREAM.DELETE.{name}"))["success"]

    cluster.as_operator(delete)
    check: list[str | Path] = [
        "mesh",
        "check",
        "--identity",
        cluster.mesh.path("admin"),
        "--max-result-bytes",
        str(1 << 20),
    ]
    checking = cluster.stages.start(*check, prefix=cluster.prefix(OPERATOR))
    stdout, stderr = checking.communicate(timeout=LIMIT_SECONDS)
    assert checking.returncode == 0, stderr
    assert all(name in stdout.decode() for name in OF_A_JOB)
    wait_for_replicas(cluster)
    for name in cluster.mesh.names:
        for shown in ("server1", None):
            ask = partial(is_greeted, cluster.network.address(name), cluster.mesh.directory, shown)
            assert cluster.network.call(OPERATOR, ask) == (shown is not None)
        words = [*cluster.network.inside(name), "ss", "-Hltn"]
        listening = subprocess.run(words, check=True, capture_output=True, text=True).stdout.splitlines()
        assert {int(line.split()[3].rpartition(":")[2]) for line in listening} == {DEFAULT_PORT, CLUSTER_PORT}
