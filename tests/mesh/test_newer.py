"""Messages of a mesh that a later version of playstream has written in a form that this one does not know."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from playstream.mesh.client import MeshClient
from playstream.mesh.messages import Claim, Order, Outcome, encode
from playstream.mesh.subjects import JobSubjects, new_job
from playstream.pipeline.errors import RemoteProtocolError
from tests.mesh.nodes import World, outcomes
from tests.mesh.test_life import only_job
from tests.processes import wait_until

SECONDS = 20.0
EXPLAINED = "has format 2, and this version of playstream understands 1: update the older side"


def newer(message: bytes) -> bytes:
    """Return a message as a later version could write it."""
    return json.dumps({**json.loads(message), "format": 2}).encode()


def connected_as(world: World, name: str, body: Callable[[MeshClient], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        client = await world.mesh.connect(name)
        try:
            await body(client)
        finally:
            await client.close()

    asyncio.run(run())


def test_a_node_refuses_a_job_of_a_later_version_and_says_so(world: World, directory: Path) -> None:
    node = world.node("node1")
    job = JobSubjects("web", "ann", new_job())

    async def submit(client: MeshClient) -> None:
        await client.store(job.queued, newer(encode(Order("9.0", "age1x", None))), seconds=SECONDS)

    connected_as(world, "ann", submit)
    refused = node.wait_for("refused", job=job.job)
    assert refused["reason"] == f"a message of the mesh (Order) {EXPLAINED}"
    wait_until(lambda: world.queued() == 0)
    (end,) = world.ends()
    assert outcomes([end]) == [Outcome.FAILED]
    assert end.reason == refused["reason"]
    assert world.run(directory, "site.yml")[0] == 0


def test_a_submitter_says_that_the_node_of_its_job_is_of_a_later_version(world: World, directory: Path) -> None:
    run = world.start(directory, "site.yml")
    wait_until(lambda: world.queued() == 1)
    job = JobSubjects("web", "ann", only_job(world))

    async def claim(client: MeshClient) -> None:
        await client.store(job.claim, newer(encode(Claim("node1", "word", "9.0"))), seconds=SECONDS)

    connected_as(world, "node1", claim)
    status, _stdout, stderr = world.finish(run)
    assert status == RemoteProtocolError.exit_status
    assert f"a message of the mesh (Claim) {EXPLAINED}" in stderr
