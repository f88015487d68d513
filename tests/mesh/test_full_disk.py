"""The disk of a server is full: jobs end in an error that says so, once each. Later ones run after there is room."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from playstream.mesh.messages import JobEnd, Outcome
from tests.conftest import MakeDir
from tests.mesh.crowd import read_all
from tests.mesh.disks import Disk
from tests.mesh.meshes import Mesh
from tests.mesh.nodes import World
from tests.mesh.servers import CURRENT, OLDEST
from tests.processes import wait_until
from tests.stages import Stages

LINK_ERROR = 74
_MIB = 1 << 20
_ROOM = 12 * _MIB
_NEARLY_FULL = _MIB // 2


@pytest.fixture(params=[OLDEST, CURRENT])
def small(request: pytest.FixtureRequest, fakes: Stages, tmp_path: Path) -> Iterator[tuple[World, Disk]]:
    """A mesh, and the disk of its server. Streams are made while it is large: the server reserves room for them."""
    mesh = Mesh(request.param, tmp_path / "mesh", lost_after=30.0)
    disk = Disk(tmp_path / "mesh" / "storage", "8g")
    mesh.prefix = disk.prefix(mesh.directory)
    world = World(mesh.start(), fakes, tmp_path)
    yield world, disk
    world.close()
    mesh.kill()
    disk.close()


def ends(world: World) -> dict[str, JobEnd]:
    """Return the end of each job that has one, by its name."""
    return dict(world.as_operator(lambda client: read_all(client, JobEnd, "end")))


def says_full(text: str) -> bool:
    """Return whether a message says that the disk is full. The server may say so itself, or nothing at all."""
    return "the disk of the server is full" in text or (
        "is there, but has not stored" in text and "disk is full" in text
    )


@pytest.mark.timeout(420)
def test_a_full_disk_ends_jobs_in_an_error(small: tuple[World, Disk], private_data_dir: MakeDir) -> None:
    world, disk = small
    made = private_data_dir({"flood-for-ever.yml": "[]\n", "quiet.yml": "[]\n"})
    node = world.node("node1", "--slots", "2")
    disk.resize(disk.used + _ROOM)
    flood = world.start(made, "flood-for-ever.yml", "-q")
    wait_until(lambda: disk.free < _NEARLY_FULL or flood.poll() is not None, 60)
    (made / "project" / "large").write_bytes(os.urandom(_ROOM))
    sent = world.start(made, "quiet.yml", "--detach")
    status, stdout, stderr = world.finish(sent)
    assert (status, stdout) == (LINK_ERROR, ""), stderr
    assert says_full(stderr), stderr
    status, _stdout, stderr = world.finish(flood)
    assert (status, says_full(stderr)) == (LINK_ERROR, True), stderr
    wait_until(lambda: world.processes() == [], 90)

    world.mesh.kill()
    disk.resize(8 << 30)
    world.mesh.start()
    (made / "project" / "large").unlink()
    status, _stdout, stderr = world.run(made, "quiet.yml")
    assert status == 0, stderr
    # nats-server 2.9 may have stored no ends before; the queue delivers such jobs again, and they are found to be lost.
    # A node that could store its signs of life waits for the rest of its job for five times 30 seconds.
    wait_until(lambda: world.queued() == 0, 240)
    started = [event["job"] for event in node.events("started")]
    assert len(started) == len(set(started))
    assert set(started) <= set(ends(world))
    assert [end.outcome for end in ends(world).values()].count(Outcome.WORKER) == 1
