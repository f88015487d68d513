"""Numbered messages: nothing is lost, doubled or reordered, however they arrive."""

from __future__ import annotations

import asyncio
import hashlib
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playstream.mesh import chunks
from playstream.mesh.chunks import CHUNK_BYTES, LAST, WINDOW_BYTES, ChunkReader, ChunkWriter
from playstream.mesh.client import MeshClient
from playstream.mesh.delivery import Message, NoAnswer
from playstream.pipeline.errors import LinkError
from tests.mesh.servers import NatsServer
from tests.mesh.test_client import SECONDS, connected, some_job, with_client


async def copy(client: MeshClient, other: MeshClient, sizes: list[int]) -> tuple[str, str]:
    """Send messages of these sizes; return the digests of what was written and of what was read."""
    job = some_job()
    writer, reader = ChunkWriter(client, job.input, seconds=SECONDS), ChunkReader(other, "IN_web", job.input)
    sent, got = hashlib.sha256(), hashlib.sha256()
    await reader.open()

    async def write() -> None:
        for number, size in enumerate(sizes):
            data = random.Random(number).randbytes(size)
            sent.update(data)
            await writer.write(data, last=number == len(sizes) - 1)
        await writer.flush()

    async def read() -> None:
        while True:
            chunk = await reader.read()
            got.update(chunk.data)
            writer.note_read(reader.number)
            if chunk.is_last:
                return

    async with asyncio.TaskGroup() as both:  # if one fails, so does the other
        both.create_task(write())
        both.create_task(read())
    await reader.close()
    return sent.hexdigest(), got.hexdigest()


def test_what_is_written_is_read(server: NatsServer) -> None:
    async def body(client: MeshClient) -> None:
        async with connected(server) as other:
            sent, got = await copy(client, other, [random.Random(1).randrange(1 << 18) for _ in range(200)])
            assert sent == got

    with_client(server, body)


def test_nothing_is_lost_while_the_server_is_killed_three_times(server: NatsServer) -> None:
    async def body(client: MeshClient) -> None:
        async with connected(server) as other:
            copying = asyncio.create_task(copy(client, other, [50_000] * 600))
            for _ in range(3):
                before = client.connections
                await asyncio.sleep(0.1)
                await asyncio.to_thread(server.kill)
                await asyncio.to_thread(server.start)
                while client.connections == before:
                    await asyncio.sleep(0.01)
            sent, got = await copying
            assert sent == got

    with_client(server, body)


def test_what_was_stored_before_can_be_read_from_any_number(server: NatsServer) -> None:
    async def body(client: MeshClient) -> None:
        job = some_job()
        writer = ChunkWriter(client, job.input, seconds=SECONDS)
        for number in range(10):
            await writer.write(b"%d" % number, last=number == 9)
        await writer.flush()
        reader = ChunkReader(client, "IN_web", job.input, first=4)
        await reader.open()
        found = [await reader.read() for _ in range(6)]
        assert [int(chunk.data) for chunk in found] == list(range(4, 10))
        assert [chunk.is_last for chunk in found] == [False] * 5 + [True]

    with_client(server, body)


def test_a_message_that_the_server_has_dropped_is_an_error(server: NatsServer) -> None:
    async def body(client: MeshClient) -> None:
        job = some_job()
        writer = ChunkWriter(client, job.input, seconds=SECONDS)
        reader = ChunkReader(client, "IN_web", job.input)
        for _ in range(3):
            await writer.write(b"before")
        await writer.flush()
        await client.administer("STREAM.PURGE.IN_web", {"filter": f"{job.input}.1"})
        assert (await reader.read()).number == 0
        await reader.open()
        for _ in range(10):
            await writer.write(b"after")
        await writer.flush()
        with pytest.raises(LinkError, match="has dropped message 1 of the job before it was read"):
            await reader.read()

    with_client(server, body)


def test_a_writer_waits_for_its_reader(server: NatsServer) -> None:
    async def body(client: MeshClient) -> None:
        writer = ChunkWriter(client, some_job().input, seconds=SECONDS)
        piece = bytes(1 << 18)
        full = WINDOW_BYTES // len(piece)
        for _ in range(full):
            await writer.write(piece)
        assert writer.is_blocked
        waiting = asyncio.create_task(writer.write(piece))
        await writer.flush()
        assert writer.number == full
        writer.note_read(1)
        await waiting
        assert writer.number == full + 1
        await writer.flush()

    with_client(server, body)


def test_a_reader_has_room_for_all_that_its_writer_sends_ahead(
    server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is dropped has to be fetched, which a reader that is slow did again and again."""

    async def body(client: MeshClient) -> None:
        job = some_job()
        writer, reader = ChunkWriter(client, job.input, seconds=SECONDS), ChunkReader(client, "IN_web", job.input)
        await reader.open()
        await client.flush()
        piece = bytes(CHUNK_BYTES + 300)  # as it is when it is encrypted
        while not writer.is_blocked:
            await writer.write(piece)
        await writer.flush()
        monkeypatch.setattr(client, "fetch", None)
        while len(reader._held) < writer.number:
            await reader._arrived.wait()
            await asyncio.sleep(0.01)
        found = [await reader.read() for _ in range(writer.number)]
        assert [chunk.number for chunk in found] == list(range(writer.number))

    with_client(server, body)


class Unreliable(MeshClient):
    """Delivers messages in any order, several times or not at all; what is stored can be fetched."""

    def __init__(self, stored: int, faults: list[int]) -> None:
        self.connections = 1
        self._stored = {
            f"in.web.ann.job.{number}": Message(f"in.web.ann.job.{number}", b"%d" % number, self._last(number, stored))
            for number in range(stored)
        }
        self._faults = faults

    @staticmethod
    def _last(number: int, stored: int) -> dict[str, str]:
        return {LAST: "1"} if number == stored - 1 else {}

    async def fetch(self, stream: str, subject: str, *, seconds: float = 2.0) -> Message | None:  # noqa: ARG002
        if self._faults and self._faults.pop() % 3 == 0:
            raise NoAnswer("lost")
        return self._stored.get(subject)


@settings(deadline=None, max_examples=200)
@given(
    stored=st.integers(1, 30),
    deliveries=st.lists(st.integers(0, 31), max_size=60),
    strange=st.lists(st.text(max_size=5), max_size=5),
    faults=st.lists(st.integers(0, 9), max_size=20),
)
def test_any_deliveries_give_each_message_once_in_order(
    stored: int, deliveries: list[int], strange: list[str], faults: list[int]
) -> None:
    async def run() -> list[int]:
        client = Unreliable(stored, faults)
        reader = ChunkReader(client, "IN_web", "in.web.ann.job")
        found: list[int] = []

        async def deliver() -> None:
            for number in deliveries:
                await reader._take(Message(f"in.web.ann.job.{number}", b"%d" % number, client._last(number, stored)))
                await asyncio.sleep(0)
            for word in strange:
                await reader._take(Message(f"in.web.ann.job.{word}x", b""))

        delivering = asyncio.create_task(deliver())
        for _ in range(stored):
            chunk = await reader.read()
            assert chunk.is_last == (chunk.number == stored - 1)
            found.append(int(chunk.data))
        await delivering
        return found

    before = chunks._IDLE_SECONDS, chunks._GAP_SECONDS
    chunks._IDLE_SECONDS = chunks._GAP_SECONDS = 0.001
    try:
        assert asyncio.run(run()) == list(range(stored))
    finally:
        chunks._IDLE_SECONDS, chunks._GAP_SECONDS = before


def test_an_error_of_storing_is_raised_by_the_next_write(server: NatsServer) -> None:
    async def body(client: MeshClient) -> None:
        writer = ChunkWriter(client, "nothing.takes.this", seconds=0.1)
        await writer.write(b"")
        with pytest.raises(Exception, match="no stream of the mesh"):
            await writer.flush()

    with_client(server, body)


def test_a_writer_without_a_reader_waits_for_nobody_until_one_is_near(server: NatsServer) -> None:
    async def body(client: MeshClient) -> None:
        writer = ChunkWriter(client, some_job().input, seconds=SECONDS, limited=False)
        piece = bytes(1 << 18)
        full = WINDOW_BYTES // len(piece)
        for _ in range(2 * full):
            await writer.write(piece)
        assert not writer.note_read(full - 1)
        assert writer.note_read(full)
        writer.limited = True
        blocked = [writer.is_blocked]
        assert writer.note_read(full + 1)
        assert [*blocked, writer.is_blocked] == [True, False]
        assert not writer.note_read(full)  # another reader, who is behind the first one
        await writer.flush()

    with_client(server, body)
