"""A link whose other end is work in the mesh.

The stages need descriptors that poll(2) can wait for. So a thread with an event loop passes the bytes between the mesh
and a pair of sockets.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial
from typing import Protocol

from playstream.links.unix import OpenSocket
from playstream.mesh.client import MeshClient
from playstream.mesh.following import Sink
from playstream.mesh.identity import Identity
from playstream.pipeline.errors import IncompleteStream, LinkError, PlaystreamError, SilentPeer

_END_SECONDS = 5.0
"""How long the mesh may take to hear that the link has ended."""


class Work(Protocol):
    """What the thread does with the bytes."""

    failure: PlaystreamError | None
    """Why it has ended, if not as it should."""

    @property
    def remains(self) -> str | None:
        """The name of a job that may go on without this side; None if there is none."""

    def note_sent(self, size: int) -> None:
        """Note that the first bytes of the source are a whole job."""

    async def run(self, source: asyncio.StreamReader, sink: Sink) -> None:
        """Take the bytes of the source, and give the sink those of the results."""


class OpenMesh(OpenSocket):
    """An open link whose other half a thread connects to the mesh.

    Args:
        name: the name of the link, for messages.
        identity: who connects.
        make: makes the work, with two connections of its own: for what is short and urgent, and for the bytes.

    Raises:
        PlaystreamError: there is no connection, or the work cannot be made.
    """

    def __init__(
        self, name: str, identity: Identity, make: Callable[[MeshClient, MeshClient], Awaitable[Work]]
    ) -> None:
        ours, self._theirs = socket.socketpair()
        super().__init__(name, ours)
        self._identity = identity
        self._make = make
        self._ready = threading.Event()
        self._error: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._work: Work | None = None
        self._thread = threading.Thread(target=self._run, name="playstream-nats", daemon=True)
        self._thread.start()
        self._ready.wait()
        self._check()

    def _check(self) -> None:
        """Check that there is a connection."""
        if self._error is not None:
            self._thread.join()
            self.close()
            raise self._error

    def note_sent(self, size: int) -> None:
        """Let the job outlive this process; see OpenLink."""
        if self._work is not None:
            self.call(partial(self._work.note_sent, size))

    def end(self, *, wait: bool) -> None:
        """End the connection; see OpenLink."""
        super().end(wait=wait)
        if not wait:
            self.call(self._stop)
        self._thread.join(_END_SECONDS)

    def wait(self, seconds: float) -> bool:
        """Wait for the end of the work; return whether it has ended.

        Args:
            seconds: for how long.
        """
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def call(self, function: Callable[[], None]) -> None:
        """Call a function in the event loop, if it runs."""
        if self._loop is not None and self._thread.is_alive():
            try:
                self._loop.call_soon_threadsafe(function)
            except RuntimeError:
                pass  # the loop has just ended

    def explain(self, error: PlaystreamError, *, answered: bool) -> PlaystreamError:  # noqa: ARG002 - as in OpenLink
        """Return why the link ended; see OpenLink."""
        failure = None if self._work is None else self._work.failure
        if failure is None and isinstance(error, SilentPeer) and self._work is not None and self._work.remains:
            advice = f"playstream mesh attach {self._work.remains} follows it"
            return SilentPeer(f"{error}. The job may go on without this side: {advice}")
        return failure if failure is not None and isinstance(error, (IncompleteStream, LinkError)) else error

    def close(self) -> None:
        """Close the connection."""
        super().close()
        self._thread.join(_END_SECONDS)

    def _stop(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def _run(self) -> None:
        try:
            asyncio.run(self._main())
        except BaseException as error:  # noqa: BLE001 - raised in the other thread
            self._error = error
        finally:
            self._theirs.close()
            self._ready.set()

    async def _main(self) -> None:
        async with AsyncExitStack() as connections:
            clients = [MeshClient(self._identity.endpoint) for _ in range(2)]
            for client in clients:
                connections.push_async_callback(client.close)
            for failure in await asyncio.gather(*(client.connect() for client in clients), return_exceptions=True):
                if failure is not None:
                    raise failure
            self._work = await self._make(*clients)
            source, sink = await asyncio.open_connection(sock=self._theirs)
            self._loop = asyncio.get_running_loop()
            self._task = asyncio.create_task(self._work.run(source, sink))
            self._ready.set()
            await asyncio.gather(self._task, return_exceptions=True)
            sink.close()
