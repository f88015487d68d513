"""The commands of docs/mesh-operations.md, each as it stands there, on hosts of a network."""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from playstream.mesh.identity import read_identity
from tests.matrix.debian import ROOT
from tests.mesh.pages import HERE, NODE1, SERVER, Hosts, Running, commands_of
from tests.mesh.servers import CURRENT, OLDEST
from tests.mesh.test_page import ANN as ADD_ANN
from tests.mesh.test_page import CHECK, COPY_NODE, COPY_SERVER, DETACH, EXPORT, MAKE_PLACE, NODE, RUN, SERVE
from tests.mesh.test_page import INIT as MAKE_MESH
from tests.mesh.test_page import WEB1 as ADD_WEB1
from tests.mesh.test_page import WEB2 as ADD_WEB2
from tests.network.network import NEEDS_TUN, Network
from tests.processes import wait_until
from tests.stages import Stages

pytestmark = NEEDS_TUN
NODE2 = "web2.example.com"
NATS = [f"nats{number}.example.com" for number in (1, 2, 3)]
(
    COPY_USERS,
    RELOAD,
    PUBLISH,
    REMOVE,
    JOBS,
    CANCEL,
    RENEW,
    COPY_CERTIFICATE,
    RELOAD_CERTIFICATE,
    PACK,
    UNPACK,
    END_SERVER,
    PACK_STORE,
    UNPACK_STORE,
    SERVE_AGAIN,
    REPLACE,
    NODE_AGAIN,
    STATUS,
    JOBS_AGAIN,
    THREE,
    MAKE_PLACES,
    COPY_SERVERS,
    *SERVERS,
    CHECK_THREE,
) = commands_of("mesh-operations.md", "playstream |ssh |scp |tar |for ")
WAIT = """- hosts: all
  gather_facts: false
  tasks:
    - debug: {msg: begins}
    - wait_for: {path: '{{ gate }}', timeout: 90, sleep: 1}
    - debug: {msg: ends}
"""
LOST = 91
RUN_ANYWHERE = "playstream run demo -p site.yml --on nats:///web"


@pytest.fixture
def hosts(stages: Stages, tmp_path: Path) -> Iterator[Hosts]:
    names = [HERE, SERVER, NODE1, NODE2, *NATS]
    with Network(*names) as network:
        yield Hosts(stages, tmp_path / "hosts", network, names, CURRENT)


@contextmanager
def mesh_on(hosts: Hosts) -> Iterator[Running]:
    """A mesh as docs/mesh.md makes it, with a second node that is not started, and its server."""
    for command in (MAKE_MESH, ADD_WEB1, ADD_WEB2, ADD_ANN, MAKE_PLACE, COPY_SERVER, COPY_NODE):
        hosts.run(command)
    hosts.run(COPY_NODE.replace("web1", "web2"))
    with hosts.running(SERVE, "Server is ready") as server:
        hosts.run(CHECK)
        yield server


def told(hosts: Hosts, server: Running) -> None:
    """Copy the users to the server, and wait until it has read them."""
    before = server.text.count("Reloaded server configuration")
    hosts.run(COPY_USERS)
    hosts.run(RELOAD)
    server.wait_for("Reloaded server configuration", before + 1)


def waiting_job(hosts: Hosts) -> tuple[str, Path]:
    """Return a command that runs a job which waits for a file, and the file."""
    place = hosts.home(HERE) / "wait"
    shutil.copytree(hosts.home(HERE) / "demo", place)
    (place / "project" / "wait.yml").write_text(WAIT)
    gate = place / "gate"
    return f"{EXPORT}; playstream run wait -p wait.yml --on nats:///web -e gate={gate}", gate


def test_removing_a_node_and_a_submitter(hosts: Hosts) -> None:
    with mesh_on(hosts) as server, hosts.running(NODE, "connected") as node:
        other = NODE.replace("web1", "web2")
        with hosts.running(other, "connected") as removed:
            shown = hosts.run(REMOVE)
            assert "Removed the node web2" in shown
            assert "gives the other nodes new keys (web)" in shown
            told(hosts, server)
            assert removed.wait() == 86
        assert "keys.web1" in hosts.run(PUBLISH)
        node.wait_for("keys")
        assert "alpha runs" in hosts.run(f"{EXPORT}; {RUN}")
        assert hosts.type_in(other).returncode == 86
        job = hosts.run(f"{EXPORT}; {DETACH}").strip()
        assert job in hosts.run(JOBS)
        hosts.run(CANCEL.replace("JOB", job))
        hosts.run(REMOVE.replace("web2", "ann"))
        told(hosts, server)
        shutil.copy(hosts.home(HERE) / "mesh/admin.playstream", hosts.home(HERE) / "mesh/ann.playstream")
        assert "expected that of a submitter" in hosts.type_in(f"{EXPORT}; {RUN}").stderr


def test_certificates_are_renewed(hosts: Hosts) -> None:
    with mesh_on(hosts) as server, hosts.running(NODE, "connected") as node:
        shown = hosts.run(RENEW)
        assert "copy it to where web1 is used" in shown
        before = server.text.count("Reloaded server configuration")
        hosts.run(COPY_CERTIFICATE)
        hosts.run(RELOAD_CERTIFICATE)
        server.wait_for("Reloaded server configuration", before + 1)
        assert "All streams are there" in hosts.run(PUBLISH)
        assert "alpha runs" in hosts.run(f"{EXPORT}; {RUN}")
        hosts.run(COPY_NODE)
        node.send(signal.SIGTERM)
        assert node.wait() == 0
        with hosts.running(NODE_AGAIN, "connected"):
            assert "alpha runs" in hosts.run(f"{EXPORT}; {RUN}")


def test_a_mesh_is_restored_on_new_hosts(hosts: Hosts) -> None:
    with mesh_on(hosts) as server, hosts.running(NODE, "connected"):
        before = hosts.run(f"{EXPORT}; {DETACH}").strip()
        assert "alpha runs" in hosts.run(f"{EXPORT}; playstream mesh attach {before}")
        hosts.run(PACK)
        hosts.run(END_SERVER)
        server.wait()
        hosts.run(PACK_STORE)
        for host in (HERE, SERVER):
            shutil.rmtree(hosts.home(host) / "mesh")
        hosts.run(UNPACK)
        hosts.run(MAKE_PLACE)
        hosts.run(COPY_SERVER)
        hosts.run(UNPACK_STORE)
        with hosts.running(SERVE_AGAIN, "Server is ready") as again:
            assert "All streams are there" in hosts.run(PUBLISH)
            assert "alpha runs" in hosts.run(f"{EXPORT}; playstream mesh attach {before}")
            assert "alpha runs" in hosts.run(f"{EXPORT}; {RUN}")
            serial = read_identity(hosts.home(HERE) / "mesh/admin.playstream").serial
            hosts.run(REMOVE)
            assert read_identity(hosts.home(HERE) / "mesh/admin.playstream").serial > serial
            told(hosts, again)
            hosts.run(PUBLISH)
            assert "alpha runs" in hosts.run(f"{EXPORT}; {RUN}")


def test_an_empty_store_is_filled_again(hosts: Hosts) -> None:
    with mesh_on(hosts) as server, hosts.running(NODE, "connected"):
        hosts.run(REMOVE)
        hosts.run(PUBLISH)
        hosts.run(END_SERVER)
        server.wait()
        shutil.rmtree(hosts.home(SERVER) / "mesh/storage")
        with hosts.running(SERVE_AGAIN, "Server is ready"):
            shown = hosts.run(PUBLISH)
            assert "JOBS_web" in shown
            assert "keys.web1" in shown
            assert "alpha runs" in hosts.run(f"{EXPORT}; {RUN}")


def test_a_server_is_replaced_by_a_newer_version_while_a_job_runs(hosts: Hosts) -> None:
    hosts.install(OLDEST)
    with mesh_on(hosts) as server, hosts.running(NODE, "connected") as node:
        old = hosts.run(STATUS)
        command, gate = waiting_job(hosts)
        with hosts.running(command, "begins") as job:
            hosts.install(CURRENT)
            with hosts.running(REPLACE, "Server is ready"):
                server.wait()
                new = hosts.run(STATUS)
                assert "nats-server 2.15" in new
                assert "nats-server 2.15" not in old
                gate.touch()
                assert job.wait() == 0, job.text
                assert "ends" in job.text
                assert "alpha runs" in hosts.run(f"{EXPORT}; {RUN}")
                assert "lost" not in node.text


def test_a_node_ends_its_jobs_before_it_is_updated(hosts: Hosts) -> None:
    with mesh_on(hosts), hosts.running(NODE, "connected") as node:
        command, gate = waiting_job(hosts)
        with hosts.running(command, "begins") as job:
            node.send(signal.SIGTERM)
            node.wait_for("stopping")
            later = hosts.run(f"{EXPORT}; {DETACH}").strip()
            assert "web1  stopping" in hosts.run(STATUS)
            gate.touch()
            assert job.wait() == 0, job.text
            assert node.wait() == 0
            assert "web1  stopped" in hosts.run(STATUS)
            with hosts.running(NODE_AGAIN, "connected"):
                assert "alpha runs" in hosts.run(f"{EXPORT}; playstream mesh attach {later}")


def test_a_lost_node(hosts: Hosts) -> None:
    with mesh_on(hosts) as server, hosts.running(NODE, "connected") as node:
        command, gate = waiting_job(hosts)
        with hosts.running(command, "begins") as job:
            node.send(signal.SIGKILL)
            later = hosts.run(f"{EXPORT}; {DETACH}").strip()
            assert job.wait() == LOST
            assert "web1  lost" in hosts.run(STATUS)
            shown = hosts.run(JOBS_AGAIN)
            lost = next(line.split()[0] for line in shown.splitlines() if "lost" in line)
            attached = hosts.type_in(f"{EXPORT}; playstream mesh attach {lost}")
            assert attached.returncode == LOST
            assert "begins" in attached.stdout
            with hosts.running(NODE.replace("web1", "web2"), "connected"):
                assert "alpha runs" in hosts.run(f"{EXPORT}; playstream mesh attach {later}")
                hosts.run(REMOVE.replace("web2", "web1"))
                told(hosts, server)
                hosts.run(PUBLISH)
                assert "alpha runs" in hosts.run(f"{EXPORT}; {RUN}")
        assert not gate.exists()


def test_three_servers_are_replaced_one_after_the_other(hosts: Hosts) -> None:
    assert [command.partition(" ")[2].partition(" ")[0] for command in SERVERS] == NATS
    hosts.run(THREE)
    for command in (ADD_WEB1, ADD_ANN):
        hosts.run(command.replace("--directory mesh", "--directory mesh3"))
    for command in (MAKE_PLACES, COPY_SERVERS, COPY_NODE.replace("mesh/", "mesh3/")):
        hosts.run(command)
    with ExitStack() as running:
        started = [running.enter_context(hosts.running(SERVERS[0], "Listening for client connections"))]
        started += [running.enter_context(hosts.running(command, "Server is ready")) for command in SERVERS[1:]]
        assert "Created: MESH" in hosts.run(CHECK_THREE)
        node = running.enter_context(hosts.running(NODE, "connected"))
        command, gate = waiting_job(hosts)
        job = running.enter_context(hosts.running(command.replace("mesh/ann", "mesh3/ann"), "begins"))
        for number, command in enumerate(SERVERS):
            started[number].end()
            said = " ".join(hosts.type_in(CHECK_THREE).stderr.split())
            assert f"until they have caught up: server{number + 1} (" in said
            assert "web1  ready" in hosts.run(STATUS.replace("mesh/", "mesh3/"))
            started[number] = running.enter_context(hosts.running(command, "Server is ready"))
            wait_until(lambda: "caught up" not in hosts.type_in(CHECK_THREE).stderr, 60)
        gate.touch()
        assert job.wait() == 0, job.text
        assert "ends" in job.text
        assert "alpha runs" in hosts.run(f"{EXPORT.replace('mesh/', 'mesh3/')}; {RUN_ANYWHERE}")
        assert "lost" not in node.text
        assert all("handshake error" not in server.text for server in started)
        assert "nats-server 2.15" in hosts.run(STATUS.replace("mesh/", "mesh3/"))


def test_the_unit_of_a_server_is_valid(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "mesh-operations.md").read_text(encoding="utf-8")
    unit = tmp_path / "nats-mesh.service"
    unit.write_text(page.partition("```ini\n")[2].partition("```")[0])
    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)
    assert unit.name not in done.stderr, done.stderr
