"""The results of one job: they come from the mesh until the job's end, which this side stores if its node is lost."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Coroutine
from typing import Any, Final, Protocol

from playstream.mesh.chunks import LAG_SECONDS, WINDOW_BYTES, Chunk, ChunkReader, ChunkWriter
from playstream.mesh.client import MeshClient
from playstream.mesh.contact import BUSY_SECONDS, Contact
from playstream.mesh.delivery import Message, NoAnswer
from playstream.mesh.ends import find_claim, node_lost, store_end, watch_end
from playstream.mesh.identity import Identity
from playstream.mesh.liveness import Times
from playstream.mesh.messages import Claim, JobEnd, Outcome, Positions, encode
from playstream.mesh.subjects import JobSubjects
from playstream.pipeline.errors import JobExpired, JobRefused, LinkError, NeedsNotMet, NodeLost, PlaystreamError
from playstream.pipeline.io.age_batches import BatchReader
from playstream.pipeline.io.age_keys import import_pyrage

STORE_SECONDS: Final = 60.0
"""How long a message is tried to be stored."""
_REST_SECONDS = 10.0
"""How long to try to read the last results of a job that has failed."""
_NOTICE_SECONDS = 5.0
"""How long a job waits for a node before the user is told."""
_logger = logging.getLogger("playstream")


class Sink(Protocol):
    """Takes the bytes of the results, such as an asyncio.StreamWriter."""

    def write(self, data: bytes, /) -> None:
        """Take bytes."""

    async def drain(self) -> None:
        """Wait until more bytes can be taken."""


class Follower:
    """Follows a job that is in the queue, runs, or has ended. Call `run` once.

    Args:
        client: a connection of this job alone, for what is short and urgent.
        own: another one, for the results: a server that cannot read or write them may hold up all of a connection.
        identity: its submitter.
        job: the job.
        name: what messages call it.
        writer: writes the other direction, and is told how far the node is; None if this side does not.
        encrypted: whether the results are.
        is_late: whether the job may have ended before.
    """

    def __init__(
        self,
        client: MeshClient,
        own: MeshClient,
        identity: Identity,
        job: JobSubjects,
        name: str,
        writer: ChunkWriter | None = None,
        *,
        encrypted: bool = True,
        is_late: bool = False,
    ) -> None:
        self._client = client
        self._own = own
        self._name = name
        self._me = identity.title
        self._job = job
        self._times = Times(identity.lost_after)
        secret = import_pyrage().x25519.Identity.from_str(identity.secret_keys[identity.name])
        self._decrypt = BatchReader([secret]) if encrypted else None
        self._writer = writer
        self._reader: ChunkReader | None = None
        self._claimed = asyncio.Event()
        """Set when a claim was delivered, which may not be the one that is stored."""
        self._hint = asyncio.Event()
        """The same for an end."""
        if is_late:
            self._hint.set()
        self._claim: Claim | None = None
        self._ended = asyncio.Event()
        self._progress = asyncio.Event()
        """Set when the node should be told how far this side is."""
        self._told = 0
        """The bytes of results that were read when the node was told."""
        self._got = 0
        """The bytes of results that were read."""
        self.is_complete = False
        """Whether the last message of the results was read."""
        self.end: JobEnd | None = None
        """The end of the job; None while it has none."""

    def hurry(self) -> None:
        """Ask the node now how far it is, because the writer waits for it."""
        self._progress.set()

    async def run(self, sink: Sink) -> None:
        """Take the results until the end of the job.

        Args:
            sink: takes their bytes.

        Raises:
            PlaystreamError: the job has ended otherwise than by its worker.
        """
        claims = await self._client.subscribe(self._job.claim, self._note_claim)
        ends = await self._client.subscribe(self._job.end, self._note_end)
        tasks = [asyncio.create_task(self._watch_end())]
        try:
            await self._wait_for_claim()
            if self._claim is None:  # it may have been claimed and ended before this side heard of either
                self._claim = await find_claim(self._client, self._job, seconds=STORE_SECONDS)
            if self._claim is not None:
                reader = ChunkReader(self._own, self._job.streams.output, self._job.output(self._claim.node))
                self._reader = reader
                await reader.open()
                tasks.append(asyncio.create_task(self._ask(self._claim.node)))
                await self._take(reader, sink, tasks)
            await self._conclude()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for subscription in (claims, ends):
                await subscription.close()

    async def _take(self, reader: ChunkReader, sink: Sink, tasks: list[asyncio.Task[None]]) -> None:
        """Take results until the last one, or until another end of the job."""
        while not self.is_complete:
            reading = asyncio.ensure_future(reader.read())
            ending = asyncio.ensure_future(self._ended.wait())
            try:
                await asyncio.wait({reading, ending, *tasks}, return_when=asyncio.FIRST_COMPLETED)
                for task in tasks:
                    if task.done():
                        task.result()
            finally:
                await _abandon(reading, ending)
            if not reading.cancelled():  # a message may have arrived in the instant in which it was canceled
                chunk: Chunk | None = reading.result()
            else:
                chunk = await self._read_rest(reader)
            if chunk is None:
                return
            await self._deliver(chunk.data, sink)
            self.is_complete = chunk.is_last

    async def _read_rest(self, reader: ChunkReader) -> Chunk | None:
        """Read what was stored before the end; None if there is no more. A failed job does not wait for it."""
        has_failed = self.end is not None and self.end.outcome is not Outcome.WORKER
        try:
            seconds = _REST_SECONDS if has_failed else STORE_SECONDS
            return await reader.read_stored(seconds=seconds, lag=self._lag)
        except NoAnswer:
            if has_failed:
                return None
            raise

    @property
    def _lag(self) -> float:
        """How long to wait for results that are stored, and that a server of a cluster may return later than others."""
        whole = self.end is not None and self.end.outcome in {Outcome.WORKER, Outcome.CANCELED}
        return LAG_SECONDS if whole else 0.0

    async def _deliver(self, data: bytes, sink: Sink) -> None:
        self._got += len(data)
        if self._got - self._told >= WINDOW_BYTES // 4:
            self._progress.set()
        if self._decrypt is None:
            sink.write(data)
            await sink.drain()
            return
        self._decrypt.receive_data(data)
        while (content := self._decrypt.next()) is not None:
            sink.write(content)
            await sink.drain()

    async def _wait_for_claim(self) -> None:
        """Wait until a node has the job, or until its end."""
        began, told = time.monotonic(), False
        while self._claim is None and not self._ended.is_set():
            hinted = self._claimed.is_set()
            self._claimed.clear()
            try:
                self._claim = await find_claim(self._client, self._job, seconds=self._times.lost_after)
            except NoAnswer:
                pass  # the server is away
            if self._claim is None:
                seconds = BUSY_SECONDS if hinted else self._times.lost_after / 2
                await _first(self._claimed.wait(), self._ended.wait(), seconds=seconds)
            if self._claim is None and not told and time.monotonic() - began > _NOTICE_SECONDS:
                told = True
                _logger.warning("%s: the job waits for a free node of the group %s", self._name, self._job.group)

    async def _watch_end(self) -> None:
        self._set_end(await watch_end(self._client, self._job, self._hint, look_seconds=self._times.lost_after))

    async def _ask(self, node: str) -> None:
        """Ask the node how far it is, until it is lost."""
        contact = Contact(self._client, self._job, node, self._times)
        while not self._ended.is_set():
            self._progress.clear()
            told = self._got
            number = 0 if self._reader is None else self._reader.number
            written = 0 if self._writer is None else self._writer.number
            if (positions := await contact.ask(encode(Positions(number, written)))) is not None:
                self._told = told
                if self._writer is not None:
                    self._writer.note_read(positions.read)
            if contact.is_lost and not self.is_complete:
                lost = node_lost(node, self._me, self._times.lost_after)
                self._set_end(await store_end(self._client, self._job, lost, seconds=STORE_SECONDS))
                return
            if self._writer is not None and self._writer.is_blocked:
                await asyncio.sleep(BUSY_SECONDS)
            else:
                await _first(self._progress.wait(), seconds=self._times.question)

    async def _conclude(self) -> None:
        """Wait for the end of the job, and find out what it means.

        Raises:
            PlaystreamError: it is not the end of the worker.
        """
        if self.end is None:
            self._hint.set()
            await _first(self._ended.wait(), seconds=STORE_SECONDS)
        if self.end is None:
            raise LinkError(f"{self._name}: all results have arrived, but the node does not say that the job has ended")
        if self.is_complete and self.end.outcome is Outcome.WORKER:
            if self._decrypt is not None:
                self._decrypt.receive_eof()
            return
        raise self._explain(self.end)

    def _explain(self, end: JobEnd) -> PlaystreamError:
        if end.outcome is Outcome.WORKER:
            return LinkError(
                f"{self._name}: the job has ended, and its results are not kept any more, or not all of them. A mesh "
                "keeps them for 7 days, if its operator has not chosen another time"
            )
        reason = "".join(letter if letter.isprintable() else "?" for letter in end.reason)
        text = f"{self._name}: {reason or 'the job has ended without all of its results'}"
        if end.outcome is Outcome.LOST:
            return NodeLost(text)
        if end.outcome is Outcome.EXPIRED:
            return JobExpired(text)
        if end.outcome is Outcome.REFUSED:
            return JobRefused(text)
        if end.outcome is Outcome.UNMET:
            return NeedsNotMet(text)
        return LinkError(text)

    async def _note_claim(self, _message: Message) -> None:
        self._claimed.set()

    async def _note_end(self, _message: Message) -> None:
        self._hint.set()

    def _set_end(self, end: JobEnd) -> None:
        self.end = self.end or end
        self._ended.set()


async def _first(*waiting: Coroutine[Any, Any, Any], seconds: float) -> None:
    """Wait until one of several is done, or for some seconds."""
    tasks = [asyncio.ensure_future(each) for each in waiting]
    try:
        await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await _abandon(*tasks)


async def _abandon(*tasks: asyncio.Future[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
