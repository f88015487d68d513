"""A job that is not started in time is not started any more, whatever the clocks of the hosts say."""

from __future__ import annotations

from pathlib import Path

import pytest

from playstream.mesh.client import MeshClient, queued_at, stored_at
from playstream.mesh.delivery import Message
from playstream.mesh.messages import Order, Outcome, encode
from playstream.mesh.subjects import JobSubjects, new_job
from playstream.pipeline.errors import RemoteProtocolError
from tests.clocks import moved_clock
from tests.mesh.nodes import World, outcomes, wait_for_text
from tests.processes import wait_until

EXPIRED = 93


def leave_job(world: World, start_within: float) -> None:
    """Put a job into the queue whose submitter is not there any more."""

    async def post(client: MeshClient) -> None:
        job = JobSubjects("web", "ann", new_job())
        order = Order("1", world.mesh.identity("ann").public_key, start_within)
        await client.store(job.queued, encode(order), seconds=20)

    world.as_operator(post)


def test_a_job_that_no_node_takes_in_time_is_not_started_any_more(world: World, directory: Path) -> None:
    status, _stdout, stderr = world.run(directory, "site.yml", "--start-within", "1s")
    assert status == EXPIRED, stderr
    assert "no node of the group web has started the job within 1 seconds (--start-within)" in stderr
    assert outcomes(world.ends()) == [Outcome.EXPIRED]
    node = world.node("node1")
    wait_until(lambda: world.queued() == 0)
    assert node.events("started") == []


def test_a_job_behind_a_long_one_is_not_started_any_more(world: World, hanging: Path, directory: Path) -> None:
    node = world.node("node1", "--slots", "1")
    long = world.start(hanging, "hang.yml")
    wait_for_text(hanging, "waiting")
    assert world.run(directory, "site.yml", "--start-within", "1s")[0] == EXPIRED
    assert long.poll() is None
    assert world.run(directory, "site.yml", "--start-within", "1s", group="node/node1")[0] == EXPIRED
    assert len(node.events("started")) == 1


def test_a_node_starts_no_job_that_is_too_old(world: World) -> None:
    leave_job(world, 0.001)
    node = world.node("node1")
    assert "has started the job within 0.001 seconds" in node.wait_for("refused")["reason"]
    wait_until(lambda: world.queued() == 0)
    assert outcomes(world.ends()) == [Outcome.EXPIRED]


@pytest.mark.parametrize("moved", ["+86400", "-1800"])
def test_clocks_of_nodes_and_submitters_do_not_matter(
    world: World, directory: Path, tmp_path: Path, moved: str
) -> None:
    variables = moved_clock(tmp_path, moved)
    leave_job(world, 0.001)
    world.stages.variables = variables
    node = world.node("node1")
    node.wait_for("refused")
    assert outcomes(world.ends()) == [Outcome.EXPIRED]
    world.stages.variables = {}
    assert world.run(directory, "site.yml", "--start-within", "15m")[0] == 0
    world.stages.variables = variables
    status, _stdout, stderr = world.run(directory, "site.yml", "--start-within", "15m")
    assert status == 0, stderr


def test_a_limit_concerns_a_mesh(world: World, directory: Path) -> None:
    done = world.stages.call("run", directory, "-p", "site.yml", "--start-within", "5m")
    assert done.returncode == 1
    assert b"--start-within" in done.stderr
    done = world.stages.call("run", directory, "-p", "site.yml", "--on", "exec:cat", "--start-within", "5m")
    assert done.returncode == 1
    assert b"concerns a mesh" in done.stderr


@pytest.mark.parametrize("limit", ["0", "5x", "", "-3s", "1e3"])
def test_other_limits_are_refused(world: World, directory: Path, limit: str) -> None:
    status, _stdout, stderr = world.run(directory, "site.yml", f"--start-within={limit}")
    assert status in {1, 2}
    assert "--start-within" in stderr


def test_both_forms_of_the_time_of_a_queue_are_read() -> None:
    short = Message("", b"", reply="$JS.ACK.JOBS_web.web.1.7.7.1700000000500000000.0")
    long = Message("", b"", reply="$JS.ACK.hub.Xyz.JOBS_web.web.1.7.7.1700000000500000000.0.token")
    assert queued_at(short) == queued_at(long) == 1_700_000_000.5
    assert stored_at(Message("", b"", {"Nats-Time-Stamp": "2023-11-14T22:13:20.5Z"})) == 1_700_000_000.5
    for bad in (Message("", b"", reply="$JS.ACK.a.b"), Message("", b"", reply="a.b.c.d.e.f.g.h.i")):
        with pytest.raises(RemoteProtocolError):
            queued_at(bad)
    with pytest.raises(RemoteProtocolError):
        stored_at(Message("", b""))
