"""The commands of docs/mesh.md, in their order and as they stand there, on hosts of a network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.mesh.pages import HERE, NODE1, SERVER, Hosts, commands_of
from tests.mesh.servers import CURRENT
from tests.network.network import NEEDS_TUN, Network
from tests.stages import Stages

pytestmark = NEEDS_TUN
(
    SHOWN,
    UP,
    FIRST,
    INIT,
    WEB1,
    ANN,
    MAKE_PLACE,
    COPY_SERVER,
    SERVE,
    CHECK,
    COPY_NODE,
    NODE,
    UNIT,
    EXPORT,
    RUN,
    WEB2,
    COPY_USERS,
    RELOAD,
    CHECK_AGAIN,
    THREE,
    DETACH,
    ATTACH,
    JOBS,
    CANCEL,
    SIGNED,
    STATUS,
    LOGS,
) = commands_of("mesh.md", "playstream |PLAYSTREAM_MESH|export |ssh |scp ")


@pytest.fixture
def hosts(stages: Stages, tmp_path: Path) -> Iterator[Hosts]:
    names = [HERE, SERVER, NODE1]
    with Network(*names) as network:
        yield Hosts(stages, tmp_path / "hosts", network, names, CURRENT)


def test_a_first_try(hosts: Hosts) -> None:
    with hosts.running(UP, "The mesh is up"):
        assert "alpha runs" in hosts.run(FIRST)


def test_from_nothing_to_three_hosts(hosts: Hosts) -> None:
    for command in (INIT, WEB1, ANN, MAKE_PLACE, COPY_SERVER):
        hosts.run(command)
    with hosts.running(SERVE, "Server is ready") as server:
        assert "2.15" in hosts.run(CHECK)
        hosts.run(COPY_NODE)
        with hosts.running(NODE, "connected"):
            assert "alpha runs" in hosts.run(f"{EXPORT}; {RUN}")
            assert RUN == SHOWN
            hosts.run(WEB2)
            hosts.run(COPY_USERS)
            hosts.run(RELOAD)
            server.wait_for("Reloaded server configuration")
            assert "JOBS_node_web2" in hosts.run(CHECK_AGAIN)
            job = hosts.run(f"{EXPORT}; {DETACH}").strip()
            assert "alpha runs" in hosts.run(f"{EXPORT}; {ATTACH.replace('JOB', job)}")
            assert f"{job}  ended  successful" in hosts.run(f"{EXPORT}; {JOBS}")
            assert "The job had ended before" in hosts.run(f"{EXPORT}; {CANCEL.replace('JOB', job)}")
            assert list((hosts.home(HERE) / "results" / "artifacts").iterdir()) != []
            assert "ExecStart=" in hosts.run(UNIT)
            assert "web1  ready" in hosts.run(STATUS)
            assert "started job=" in hosts.run(LOGS)
        with hosts.running(SIGNED, "submitters", NODE1):
            assert "alpha runs" in hosts.run(f"{EXPORT}; {RUN}")
    assert sorted(path.name for path in hosts.home(NODE1).glob("*.playstream")) == ["web1.playstream"]
    assert (hosts.home(NODE1) / "web1.playstream").stat().st_mode & 0o077 == 0
    assert "playstream mesh check" in hosts.run(THREE)
