"""Storing, reading and asking, while the server comes and goes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest

from playstream.mesh.client import MeshClient
from playstream.mesh.connection import Connection
from playstream.mesh.delivery import Message, NoAnswer, NobodyThere
from playstream.mesh.refusals import Endpoint
from playstream.mesh.storing import AlreadyStored, NoRoom
from playstream.mesh.streams import Sizes, make_streams
from playstream.mesh.subjects import JobSubjects, new_job
from playstream.pipeline.errors import LinkError, UnreachableHost
from tests.mesh.servers import NatsServer

SIZES = Sizes(input_bytes=1 << 26, output_bytes=1 << 26)
SECONDS = 20.0


@asynccontextmanager
async def connected(server: NatsServer) -> AsyncIterator[MeshClient]:
    client = MeshClient(Endpoint([server.url], "test"))
    await client.connect()
    try:
        yield client
    finally:
        await client.close()


def with_client(server: NatsServer, body: Callable[[MeshClient], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        async with connected(server) as client:
            await make_streams(client, "web", SIZES, lost_after=6.0)
            await body(client)

    asyncio.run(run())


def some_job() -> JobSubjects:
    return JobSubjects("web", "ann", new_job())


def test_a_connection_that_is_lost_at_once_is_waited_for() -> None:
    """Whoever waits is resumed after the connection was made, when it may be lost again."""

    async def settle() -> None:
        for _ in range(10):
            await asyncio.sleep(0)

    async def body() -> bool:
        connection = Connection(Endpoint(["nats://127.0.0.1:1"], "me"))
        waiting = asyncio.create_task(connection.wait_connected(60))
        await settle()
        await connection._note_connected()
        await connection._note_lost()
        await settle()
        assert not waiting.done()
        await connection._note_connected()
        return await waiting

    assert asyncio.run(body())


def test_streams_are_created_once(server: NatsServer) -> None:
    async def run() -> None:
        async with connected(server) as client:
            made = await make_streams(client, "web", SIZES, lost_after=6.0)
            assert made == ["JOBS_web", "IN_web", "OUT_web", "STATE_web", "JOBS_web.web"]
            assert await make_streams(client, "web", SIZES, lost_after=6.0) == []

    asyncio.run(run())


def test_a_message_is_stored_once_and_found_by_its_subject(server: NatsServer) -> None:
    async def body(client: MeshClient) -> None:
        subject = some_job().input + ".0"
        first = await client.store(subject, b"bytes", seconds=SECONDS, headers={"Playstream-Last": "1"})
        assert first > 0
        assert await client.store(subject, b"bytes", seconds=SECONDS) == 0
        found = await client.fetch("IN_web", subject)
        assert found is not None
        assert (found.data, found.headers["Playstream-Last"]) == (b"bytes", "1")
        assert await client.fetch("IN_web", some_job().input + ".0") is None

    with_client(server, body)


def test_of_several_claims_one_is_stored(server: NatsServer) -> None:
    async def body(client: MeshClient) -> None:
        job = some_job()

        async def claim(node: str) -> bool:
            try:
                await client.store(job.claim, node.encode(), message_id=node, only_first=True, seconds=SECONDS)
            except AlreadyStored:
                return False
            return True

        won = await asyncio.gather(*(claim(f"node{number}") for number in range(10)))
        assert won.count(True) == 1
        found = await client.fetch("STATE_web", job.claim)
        assert found is not None
        assert found.data == f"node{won.index(True)}".encode()

    with_client(server, body)


def test_a_message_is_stored_after_the_server_has_come_back(server: NatsServer) -> None:
    async def body(client: MeshClient) -> None:
        subject = some_job().input
        await client.store(f"{subject}.0", b"before", seconds=SECONDS)
        server.kill()
        storing = asyncio.create_task(client.store(f"{subject}.1", b"meanwhile", seconds=SECONDS))
        with pytest.raises(NoAnswer):
            await client.request(f"{subject}.2", b"", seconds=0.2)
        server.start()
        await storing
        for number, data in enumerate([b"before", b"meanwhile"]):
            found = await client.fetch("IN_web", f"{subject}.{number}")
            assert found is not None
            assert found.data == data

    with_client(server, body)


def test_without_a_server_a_message_is_not_stored(server: NatsServer) -> None:
    async def body(client: MeshClient) -> None:
        server.kill()
        with pytest.raises(NoAnswer, match="the connection to the mesh is lost"):
            await client.store(some_job().input + ".0", b"", seconds=0.3)

    with_client(server, body)


def test_a_full_stream_refuses_a_message_until_there_is_room(server: NatsServer) -> None:
    async def body(client: MeshClient) -> None:
        await make_streams(client, "small", Sizes(input_bytes=1 << 20), lost_after=6.0)
        job = JobSubjects("small", "ann", new_job())
        for number in range(3):
            await client.store(f"{job.input}.{number}", bytes(1 << 18), seconds=SECONDS)
        with pytest.raises(NoRoom, match="the server has no room"):
            await client.store(f"{job.input}.3", bytes(1 << 18), seconds=0.5)
        storing = asyncio.create_task(client.store(f"{job.input}.3", bytes(1 << 18), seconds=SECONDS))
        await asyncio.sleep(0)
        await client.administer("STREAM.PURGE.IN_small", {"filter": f"{job.input}.0"})
        assert await storing > 0

    with_client(server, body)


def test_a_group_that_does_not_exist_is_an_error(server: NatsServer) -> None:
    async def body(client: MeshClient) -> None:
        with pytest.raises(LinkError, match="does not know the group or the submitter"):
            await client.store("in.other.ann.job.0", b"", seconds=0.2)

    with_client(server, body)


def test_requests_are_answered_or_nobody_is_there(server: NatsServer) -> None:
    async def body(client: MeshClient) -> None:
        async def answer(message: Message) -> None:
            await client.publish(message.reply, b"answer to " + message.data)

        subscription = await client.subscribe("ctl.>", answer)
        answered = await client.request("ctl.web.node1", b"question", seconds=SECONDS)
        assert answered.data == b"answer to question"
        await subscription.close()
        with pytest.raises(NobodyThere):
            await client.request("ctl.web.node1", b"question", seconds=SECONDS)

    with_client(server, body)


def test_a_server_that_does_not_answer_is_an_error() -> None:
    async def run() -> None:
        client = MeshClient(Endpoint(["nats://127.0.0.1:1"], "test"))
        began = time.monotonic()
        with pytest.raises(UnreachableHost, match=r"nats://127\.0\.0\.1:1: no server of the mesh answers: .*refused"):
            await client.connect(0.5)
        assert time.monotonic() < began + SECONDS

    asyncio.run(run())
