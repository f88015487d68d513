"""How a connection ends and begins again, where the library alone would not."""

from __future__ import annotations

import asyncio
import logging
import signal
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlparse

import pytest

from playstream.mesh.client import MeshClient
from playstream.mesh.delivery import Message, NoAnswer, NobodyThere
from playstream.mesh.refusals import Endpoint
from playstream.mesh.transport import StreamTransport
from tests.mesh.meshes import Mesh
from tests.mesh.servers import CURRENT, NatsServer

SECONDS = 30.0


class Between:
    """Passes bytes between a client and a server, and says to the client what a test wants."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._clients: list[asyncio.StreamWriter] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self.greetings: list[bytes] = []
        """What the next connections get, which are then closed."""
        self.heard = bytearray()
        """What clients have said."""
        self.flowing = asyncio.Event()
        """Set while clients get what the server says."""
        self.flowing.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.greetings:
            writer.write(self.greetings.pop(0))
            writer.close()
            return
        self._clients.append(writer)
        theirs, to_server = await asyncio.open_connection("127.0.0.1", self._port)
        always = asyncio.Event()
        always.set()
        for source, sink, heard, flowing in (
            (reader, to_server, self.heard, always),
            (theirs, writer, bytearray(), self.flowing),
        ):
            task = asyncio.create_task(self._pass_on(source, sink, heard, flowing))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    @staticmethod
    async def _pass_on(
        source: asyncio.StreamReader, sink: asyncio.StreamWriter, heard: bytearray, flowing: asyncio.Event
    ) -> None:
        try:
            while data := await source.read(1 << 16):
                heard += data
                await flowing.wait()
                sink.write(data)
                await sink.drain()
        except ConnectionError:
            pass
        finally:
            sink.close()

    def say(self, data: bytes) -> None:
        """Say something to the client that has connected last."""
        self._clients[-1].write(data)

    def drop(self) -> None:
        """Close the connection to the client."""
        self._clients[-1].close()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        try:
            yield f"nats://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        finally:
            server.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)


def say_error(between: Between) -> None:
    """After most errors of a server the library closes its connection for good."""
    between.say(b"-ERR 'Unknown Protocol Operation'\r\n")


def say_nonsense_at_the_next_connection(between: Between) -> None:
    """The task in which the library connects again ends with an error that it does not expect."""
    between.greetings = [b"INFO\r\n", b"INFO\r\n"]
    between.drop()


@pytest.mark.parametrize("do", [say_error, say_nonsense_at_the_next_connection])
def test_a_connection_that_the_library_has_given_up_is_made_again(server: NatsServer, do: object) -> None:
    async def run() -> None:
        assert callable(do)
        between = Between(server.port)
        async with between.listening() as url:
            client = MeshClient(Endpoint([url], "test"))
            other = MeshClient(Endpoint([server.url], "other"))
            await client.connect()
            await other.connect()
            got: asyncio.Queue[bytes] = asyncio.Queue()

            async def take(message: Message) -> None:
                await got.put(message.data)

            kept = await client.subscribe("kept", take)
            ended = await client.subscribe("ended", take)
            await ended.close()
            do(between)
            while client.connections == 1:
                await asyncio.sleep(0.01)
            await other.publish("ended", b"nobody has subscribed to this")
            await other.publish("kept", b"first")
            assert await asyncio.wait_for(got.get(), SECONDS) == b"first"
            await kept.close()

            async def answer(message: Message) -> None:
                await other.publish(message.reply, b"answer")

            await other.subscribe("question", answer)
            await other.flush()
            assert (await client.request("question", seconds=SECONDS)).data == b"answer"
            between.drop()  # the new connection is as good as the first one
            while client.connections == 2:
                await asyncio.sleep(0.01)
            assert got.empty()
            await client.close()
            await other.close()

    asyncio.run(asyncio.wait_for(run(), SECONDS))


def test_a_flush_waits_for_what_was_sent_before(server: NatsServer) -> None:
    """The library's own asks the server before it sends what it was told to send."""

    async def run() -> None:
        between = Between(server.port)
        async with between.listening() as url:
            client = MeshClient(Endpoint([url], "test"))
            await client.connect()
            await client.flush()
            before = len(between.heard)

            async def ignore(_message: Message) -> None:
                pass

            await client.subscribe("subject", ignore)
            await client.flush()
            words = bytes(between.heard[before:]).split()
            assert words.index(b"SUB") < words.index(b"PING")
            await client.close()

    asyncio.run(asyncio.wait_for(run(), SECONDS))


def test_a_server_that_answers_too_late_is_heard_again(server: NatsServer) -> None:
    """The library stops to read when the answer to its own flush comes after that was given up."""

    async def run() -> None:
        between = Between(server.port)
        async with between.listening() as url:
            client = MeshClient(Endpoint([url], "test"))
            await client.connect()
            between.flowing.clear()
            with pytest.raises(NoAnswer):
                await client.flush(0.1)
            between.flowing.set()
            await client.flush(SECONDS)
            with pytest.raises(NobodyThere):
                await client.request("nobody", seconds=SECONDS)
            assert client.connections == 1
            await client.close()
            with pytest.raises(NoAnswer):
                await client.flush(SECONDS)

    asyncio.run(asyncio.wait_for(run(), SECONDS))


def test_a_connection_is_closed_while_it_is_made_again(server: NatsServer) -> None:
    async def run() -> None:
        between = Between(server.port)
        async with between.listening() as url:
            client = MeshClient(Endpoint([url], "test"))
            await client.connect()
            between.greetings = [b""] * 1000
            say_error(between)
            while len(between.greetings) == 1000:
                await asyncio.sleep(0.01)
            await client.close()
            assert not client.is_connected
            assert [task for task in asyncio.all_tasks() if "nats/aio" in repr(task)] == []

    asyncio.run(asyncio.wait_for(run(), SECONDS))


def test_another_server_is_used_although_a_frozen_one_takes_no_more_bytes(tmp_path: Path) -> None:
    servers = [NatsServer(CURRENT, tmp_path / name).start() for name in ("first", "second")]
    first, second = servers

    async def run() -> None:
        between = Between(second.port)
        between.greetings = [b""] * 1000
        async with between.listening() as url:  # the second server is not there yet
            client = MeshClient(Endpoint([first.url, url], "test"))
            await client.connect()
            first.signal(signal.SIGSTOP)
            between.greetings = []
            piece = bytes(1 << 19)
            sending = asyncio.create_task(send(client, piece))
            while client.connections == 1:
                await asyncio.sleep(0.01)
            sending.cancel()
            await client.close()

    async def send(client: MeshClient, piece: bytes) -> None:
        while True:
            await client.publish("nobody", piece)
            await asyncio.sleep(0)

    try:
        asyncio.run(asyncio.wait_for(run(), 2 * SECONDS))
    finally:
        for server in servers:
            server.kill()


def test_another_server_is_tried_although_this_one_answers(tmp_path: Path) -> None:
    """One of a cluster that is cut off from the others does. A connection that is made at once counts as the same."""
    servers = [NatsServer(CURRENT, tmp_path / name).start() for name in ("first", "second")]

    async def run() -> None:
        client = MeshClient(Endpoint([each.url for each in servers], "test"))
        alone = MeshClient(Endpoint([servers[0].url], "alone"))
        others = [MeshClient(Endpoint([each.url], "other")) for each in servers]
        for each in (client, alone, *others):
            await each.connect()
        got: asyncio.Queue[str] = asyncio.Queue()

        async def take(message: Message) -> None:
            await got.put(message.data.decode())

        await client.subscribe("where", take)

        async def place() -> str:
            """Return the number of the server to which the client is connected."""
            await client.flush()
            for number, other in enumerate(others):
                await other.publish("where", str(number).encode())
            return await asyncio.wait_for(got.get(), SECONDS)

        places, since = [await place()], client.up_since
        for number in range(1, 4):
            client.move()
            client.move()  # it moves already
            while client.connections == number:
                await asyncio.sleep(0.01)
            assert client.up_since == since
            places.append(await place())
        assert places in (["0", "1", "0", "1"], ["1", "0", "1", "0"])
        alone.move()
        assert alone.is_connected
        for each in (client, alone, *others):
            await each.close()

    try:
        asyncio.run(asyncio.wait_for(run(), 2 * SECONDS))
    finally:
        for server in servers:
            server.kill()


def test_a_connection_is_closed_while_tls_is_started() -> None:
    async def run() -> None:
        async def keep(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()
            writer.close()

        server = await asyncio.start_server(keep, "127.0.0.1", 0)
        url = urlparse(f"tls://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        transport = StreamTransport()
        await transport.connect(url, 1 << 16, SECONDS)
        starting = asyncio.create_task(transport.connect_tls("x", ssl.create_default_context(), 1 << 16, SECONDS))
        await asyncio.sleep(0)
        starting.cancel()
        await asyncio.wait({starting})
        transport.close()
        await transport.wait_closed()
        server.close()

    asyncio.run(asyncio.wait_for(run(), SECONDS))


def test_the_end_of_tls_is_no_warning(mesh: Mesh, caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        client = await mesh.connect("admin")
        mesh.kill()
        while client.is_connected:
            await asyncio.sleep(0.01)
        mesh.start()
        assert await client.wait_connected(SECONDS)
        await client.close()

    with caplog.at_level(logging.WARNING):
        asyncio.run(asyncio.wait_for(run(), SECONDS))
    assert caplog.messages == []


def test_loggers_of_others_are_not_changed() -> None:
    code = (
        "import logging, playstream.mesh.client, playstream.mesh.transport; print(logging.getLogger('asyncio').filters)"
    )
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert found.stdout == "[]\n"


def test_a_connection_is_closed_once() -> None:
    """The library closes it more than once, after which TLS of Python 3.11.2 cannot be aborted any more."""

    class Inner(asyncio.Transport):
        closed = aborted = 0

        def close(self) -> None:
            self.closed += 1

        def is_closing(self) -> bool:
            return self.closed > 0

        def abort(self) -> None:
            self.aborted += 1
            if self.closed > 1:
                raise AttributeError("'NoneType' object has no attribute '_abort'")

    async def body() -> tuple[int, int]:
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader)
        inner = Inner()
        protocol.connection_made(inner)
        protocol.connection_lost(None)
        transport = StreamTransport()
        transport._writer = asyncio.StreamWriter(inner, protocol, reader, asyncio.get_running_loop())
        transport.close()
        transport.close()
        await transport.wait_closed()
        return inner.closed, inner.aborted

    closed, aborted = asyncio.run(body())
    assert closed == 1
    assert aborted > 0
