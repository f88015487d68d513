"""Claims and ends: what counts is what is stored, whatever is delivered."""

from __future__ import annotations

import asyncio

from playstream.mesh.client import MeshClient
from playstream.mesh.ends import claim_job, find_claim, find_end, store_end, watch_end
from playstream.mesh.messages import JobEnd, Outcome, encode
from playstream.mesh.storing import AlreadyStored
from tests.mesh.servers import NatsServer
from tests.mesh.test_client import SECONDS, connected, some_job, with_client


def test_of_many_nodes_one_has_the_job(server: NatsServer) -> None:
    async def body(client: MeshClient) -> None:
        job = some_job()
        nodes = [f"node{number}" for number in range(20)]
        others = await asyncio.gather(*(claim_job(client, job, node, seconds=SECONDS) for node in nodes))
        assert others.count(None) == 1
        owner = nodes[others.index(None)]
        assert {claim.node for claim in others if claim is not None} == {owner}
        found = await find_claim(client, job, seconds=SECONDS)
        assert found is not None
        assert found.node == owner

    with_client(server, body)


def test_a_claim_whose_answer_was_lost_is_known_again(server: NatsServer) -> None:
    class Forgetful(MeshClient):
        async def store(self, *words: object, **options: object) -> int:
            await super().store(*words, **options)  # type: ignore[arg-type]
            raise AlreadyStored("the second attempt finds the first one")

    async def run() -> None:
        async with connected(server) as client:
            from playstream.mesh.streams import make_streams  # noqa: PLC0415
            from tests.mesh.test_client import SIZES  # noqa: PLC0415

            await make_streams(client, "web", SIZES, lost_after=6.0)
            client.__class__ = Forgetful
            assert await claim_job(client, some_job(), "node1", seconds=SECONDS) is None

    asyncio.run(run())


def test_of_many_ends_the_first_counts_for_all(server: NatsServer) -> None:
    async def body(client: MeshClient) -> None:
        job = some_job()
        ends = [JobEnd(outcome, f"node{number}") for number in range(5) for outcome in Outcome]
        found = await asyncio.gather(*(store_end(client, job, end, seconds=SECONDS) for end in ends))
        assert len(set(found)) == 1
        assert await find_end(client, job, seconds=SECONDS) == found[0]

    with_client(server, body)


def test_an_end_that_was_delivered_and_not_stored_does_not_count(server: NatsServer) -> None:
    async def body(client: MeshClient) -> None:
        job = some_job()
        hint = asyncio.Event()
        watching = asyncio.create_task(watch_end(client, job, hint, look_seconds=0.2))
        forged, real = JobEnd(Outcome.LOST, "node2"), JobEnd(Outcome.WORKER, "node1")
        await client.request(
            job.end, encode(forged), seconds=SECONDS, headers={"Nats-Expected-Last-Subject-Sequence": "7"}
        )
        hint.set()
        await client.flush()
        assert not watching.done()
        assert await store_end(client, job, real, seconds=SECONDS) == real
        assert await watching == real
        assert await store_end(client, job, forged, seconds=SECONDS) == real

    with_client(server, body)
