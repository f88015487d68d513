"""Certificates before and after they expire: who is told, and how new ones come to their hosts."""

from __future__ import annotations

import asyncio
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from playstream.cli.main import main
from playstream.mesh import authority
from playstream.mesh.authority import issue, make_authority
from playstream.mesh.client import MeshClient
from playstream.mesh.directory import add_member, renew
from playstream.mesh.expiry import explain_dates, explain_expiries, explain_server
from playstream.mesh.identity import Identity, Kind, read_identity
from playstream.pipeline.errors import HostKeyRejected
from tests.clocks import moved_clock
from tests.mesh.meshes import Mesh
from tests.mesh.nodes import World

DAY = 86_400.0
UNREACHABLE, REJECTED, REFUSED = 84, 85, 86


@contextmanager
def valid_for(days: float) -> Iterator[None]:
    """Make certificates that are valid for some days from now; those for less than none have expired."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(authority, "_DAYS", days)
        patch.setattr(authority, "_SLACK", timedelta(days=400))
        yield


async def check(identity: Identity) -> float:
    """Connect, and return when the certificate of the server expires."""
    client = MeshClient(identity.endpoint)
    await client.connect()
    try:
        assert client.server_expiry is not None
        return client.server_expiry
    finally:
        await client.close()


def said(capsys: pytest.CaptureFixture[str]) -> str:
    found = capsys.readouterr()
    return " ".join((found.out + found.err).split())


def test_check_warns_a_month_before_certificates_expire(mesh: Mesh, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["mesh", "check", "--identity", str(mesh.path("admin"))]
    assert main(words) == 0
    assert "certificates expire" not in said(capsys)
    with valid_for(20.5):
        add_member(mesh.directory, Kind.NODE, "web1")
    with valid_for(-2):
        add_member(mesh.directory, Kind.SUBMITTER, "ann")
    mesh.reload()
    assert main(words) == 0
    shown = said(capsys)
    assert "certificates expire: ann has expired (" in shown
    assert "web1 in 20 days (" in shown
    assert "playstream mesh renew ann web1" in shown
    assert main(["mesh", "renew", "ann", "web1", "--directory", str(mesh.directory)]) == 0
    shown = said(capsys)
    assert f"Wrote {mesh.path('web1')}: copy it to where web1 is used" in shown
    assert "copy again, because the content has changed: admin.playstream" in shown
    assert main(words) == 0
    assert "certificates expire" not in said(capsys)


def test_a_server_gets_a_new_certificate_while_it_runs(mesh: Mesh, capsys: pytest.CaptureFixture[str]) -> None:
    with valid_for(3.5):
        renew(mesh.directory, ["server1"])
    mesh.reload()
    identity = mesh.identity("admin")
    assert asyncio.run(check(identity)) < time.time() + 4 * DAY

    async def run() -> None:
        connected = await mesh.connect("admin")
        # The file is new, and the server does not know yet.
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("playstream.cli.mesh_renew.reload_servers", lambda _directory: 0)
            assert await asyncio.to_thread(main, ["mesh", "renew", "server1", "--directory", str(mesh.directory)]) == 0
        shown = said(capsys)
        assert f"{mesh.directory}/server1.pem and {mesh.directory}/server1.key: copy them to the host of" in shown
        assert await asyncio.to_thread(main, ["mesh", "check", "--identity", str(mesh.path("admin"))]) == 0
        shown = said(capsys)
        assert f"the server localhost:{mesh.port} uses a certificate that expires in 3 days" in shown
        assert "send SIGHUP to nats-server" in shown
        mesh.reload()
        assert await check(identity) > time.time() + 700 * DAY
        assert connected.connections == 1
        await connected.close()

    asyncio.run(run())
    assert main(["mesh", "renew", "server1", "--directory", str(mesh.directory)]) == 0
    assert "The server on this host has read its certificate again" in said(capsys)


def test_a_node_gets_a_new_certificate_between_two_jobs(world: World, directory: Path, tmp_path: Path) -> None:
    old = tmp_path / "old.playstream"
    shutil.copy(world.mesh.path("node1"), old)
    node = world.node("node1")
    assert main(["mesh", "renew", "node1", "--directory", str(world.mesh.directory)]) == 0
    assert world.run(directory, "site.yml")[0] == 0
    assert len(node.events("connected")) == 1
    asyncio.run(check(read_identity(old)))
    node.send(signal.SIGTERM)
    assert node.process.wait(60) == 0
    again = world.node("node1")
    assert world.run(directory, "site.yml")[0] == 0
    assert again.events("certificate") == []


def test_a_node_logs_that_its_certificate_expires(world: World) -> None:
    with valid_for(12.5):
        renew(world.mesh.directory, ["node1"])
    assert world.node("node1").wait_for("certificate")["expires_in_days"] == 12


@pytest.mark.parametrize("command", ["run", "node", "check"])
def test_an_identity_that_has_expired_is_explained(
    world: World, directory: Path, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "10000")
    names = {"run": "ann", "node": "node1", "check": "admin"}
    with valid_for(-2):
        renew(world.mesh.directory, [names[command]])
    file = world.mesh.path(names[command])
    words: dict[str, list[str | Path]] = {
        "run": ["run", directory, "-p", "site.yml", "--on", world.link()],
        "node": ["node", "--identity", file],
        "check": ["mesh", "check", "--identity", file],
    }
    done = world.stages.call(*words[command])
    shown = " ".join(done.stderr.decode().split())
    assert done.returncode == REFUSED, shown
    assert f"{names[command]}: its certificate has expired on 20" in shown
    assert "Make a new one with playstream mesh renew" in shown


@pytest.mark.parametrize(
    ("moved", "expected"),
    [
        ("-86400", "certificate is not yet valid. The clock of this host is behind"),
        ("+69120000", "certificate has expired. Make a new one, and copy it to the server: playstream mesh renew"),
    ],
)
def test_a_clock_that_is_wrong_is_explained(world: World, tmp_path: Path, moved: str, expected: str) -> None:
    world.stages.variables |= {**moved_clock(tmp_path, moved), "COLUMNS": "10000"}
    done = world.stages.call("mesh", "check", "--identity", world.mesh.path("admin"))
    shown = " ".join(done.stderr.decode().split())
    assert done.returncode == REJECTED, shown
    assert expected in shown


def test_a_certificate_of_a_server_that_does_not_fit_is_explained(mesh: Mesh) -> None:
    admin = mesh.identity("admin")
    other = Mesh("current", mesh.directory.parent / "other").identity("admin")
    with valid_for(-2):
        renew(mesh.directory, ["server1"])

    async def connect(identity: Identity) -> None:
        await MeshClient(identity.endpoint).connect()

    with pytest.raises(HostKeyRejected, match="use the address in the identity file"):
        asyncio.run(connect(replace(admin, urls=[f"tls://127.1:{mesh.port}"])))
    with pytest.raises(HostKeyRejected, match="is of another mesh"):
        asyncio.run(connect(replace(other, urls=admin.urls)))
    mesh.reload()
    with pytest.raises(HostKeyRejected, match=r"certificate has expired\. Make a new one.*mesh renew server1"):
        asyncio.run(connect(admin))


def test_mistakes_of_renew_are_explained(mesh: Mesh, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["mesh", "renew", "--directory", str(mesh.directory)]
    before = mesh.path("admin").read_text()
    assert main([*words, "admin", "sever1"]) == 1
    assert "the mesh has no server, node, submitter or operator 'sever1'; did you mean 'server1'?" in said(capsys)
    assert mesh.path("admin").read_text() == before
    assert main(["mesh", "add", "node", "server1", "--directory", str(mesh.directory)]) == 1
    assert "the servers of the mesh have such names" in said(capsys)


def test_dates_are_judged() -> None:
    ca = make_authority("mesh")
    certificate = issue(ca, "ann", "submitter").certificate
    now = time.time()
    assert explain_dates(certificate, now) is None
    assert "has expired on" in str(explain_dates(certificate, now + 731 * DAY))
    assert "set the clock" in str(explain_dates(certificate, now - DAY))
    assert explain_dates("", now) is None
    assert explain_expiries({"ann": now + 31 * DAY}, ca.certificate, now) == []
    assert "ann today" in explain_expiries({"ann": now + 9}, ca.certificate, now)[0]
    assert "ann in 1 day (" in explain_expiries({"ann": now + 1.1 * DAY}, ca.certificate, now)[0]
    assert "the CA of the mesh expires in 50 days" in explain_expiries({}, ca.certificate, now + 3599.5 * DAY)[0]
    assert explain_server(None, now, "a:1") == explain_server(now + 40 * DAY, now, "a:1") == []
