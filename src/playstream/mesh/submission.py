"""One job from the side that submits it: its bytes go to the mesh, and its results come from there, until its end."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Coroutine
from typing import Any, Final, Protocol

from playstream._version import __version__
from playstream.mesh.chunks import CHUNK_BYTES, WINDOW_BYTES, Chunk, ChunkReader, ChunkWriter
from playstream.mesh.client import MeshClient
from playstream.mesh.connection import Message, NoAnswer, NobodyThere
from playstream.mesh.ends import find_claim, node_lost, store_end, watch_end
from playstream.mesh.identity import Identity
from playstream.mesh.liveness import Times
from playstream.mesh.messages import Claim, JobEnd, Order, Outcome, Positions, decode, encode
from playstream.mesh.subjects import JobSubjects, new_job
from playstream.pipeline.errors import JobError, LinkError, NodeLost, PlaystreamError, RemoteProtocolError
from playstream.pipeline.io.age_batches import BatchReader, BatchWriter
from playstream.pipeline.io.age_keys import import_pyrage

STORE_SECONDS: Final = 60.0
"""How long a message is tried to be stored."""
_BUSY_SECONDS = 0.01
"""How often to ask how far the node is, while this side waits for it."""
_NOTICE_SECONDS = 5.0
"""How long a job waits for a node before the user is told."""
_logger = logging.getLogger("playstream")


class Sink(Protocol):
    """Takes the bytes of the results, such as an asyncio.StreamWriter."""

    def write(self, data: bytes, /) -> None:
        """Take bytes."""

    async def drain(self) -> None:
        """Wait until more bytes can be taken."""


class Submission:
    """A job. Call `run` once.

    Args:
        client: a connection of this job alone.
        identity: the submitter.
        group: who runs the job.
        name: the name of the link, for messages.
    """

    def __init__(self, client: MeshClient, identity: Identity, group: str, name: str) -> None:
        age = import_pyrage().x25519
        self._client = client
        self._identity = identity
        self._name = name
        self._me = f"submitter {identity.name}"
        self.job = JobSubjects(group, identity.name, new_job())
        self._times = Times(identity.lost_after)
        self._encrypt = BatchWriter([age.Recipient.from_str(identity.groups[group])])
        self._decrypt = BatchReader([age.Identity.from_str(identity.secret_keys[identity.name])])
        self._writer = ChunkWriter(client, self.job.input, seconds=STORE_SECONDS)
        self._reader: ChunkReader | None = None
        self._posted = asyncio.Event()
        self._claimed = asyncio.Event()
        """Set when a claim was delivered, which may not be the one that is stored."""
        self._hint = asyncio.Event()
        """The same for an end."""
        self._claim: Claim | None = None
        self._ended = asyncio.Event()
        self._end: JobEnd | None = None
        self._progress = asyncio.Event()
        """Set when the node should be told how far this side is."""
        self._told = 0
        """The bytes of results that were read when the node was told."""
        self._got = 0
        """The bytes of results that were read."""
        self._complete = False
        """Whether the last message of the results was read."""
        self.failure: PlaystreamError | None = None
        """Why the job has ended, if not by the worker."""

    async def run(self, source: asyncio.StreamReader, sink: Sink) -> None:
        """Submit the job and follow it to its end.

        Args:
            source: its bytes.
            sink: takes the bytes of the results.
        """
        sending = asyncio.create_task(self._send(source))
        following = asyncio.create_task(self._follow(sink))
        try:
            await asyncio.wait({sending, following}, return_when=asyncio.FIRST_COMPLETED)
            if sending.done() and sending.exception() is None:
                await following
            elif sending.done():
                sending.result()
            else:
                following.result()
        except PlaystreamError as error:
            self.failure = self.failure or error
        finally:
            for task in (sending, following):
                task.cancel()
            await asyncio.gather(sending, following, return_exceptions=True)
            await self._writer.close()
            await self._give_up()

    async def _send(self, source: asyncio.StreamReader) -> None:
        """Send the job's bytes; after the first of them are stored, put it into the queue."""
        while data := await source.read(CHUNK_BYTES):
            await self._write(b"".join(self._encrypt.wrap([data], flush=True)))
            if not self._posted.is_set():
                await self._writer.flush()
                order = Order(__version__, self._identity.public_key, None)
                await self._client.store(self.job.queued, encode(order), seconds=STORE_SECONDS)
                self._posted.set()
        await self._write(b"".join(self._encrypt.wrap([], flush=True, last=True)), last=True)
        await self._writer.flush()

    async def _write(self, data: bytes, *, last: bool = False) -> None:
        if self._writer.is_blocked:
            self._progress.set()
        await self._writer.write(data, last=last)

    async def _follow(self, sink: Sink) -> None:
        """Take the results until the end of the job."""
        await self._posted.wait()
        claims = await self._client.subscribe(self.job.claim, self._note_claim)
        ends = await self._client.subscribe(self.job.end, self._note_end)
        tasks = [asyncio.create_task(self._watch_end())]
        try:
            await self._wait_for_claim()
            if self._claim is None:  # it may have been claimed and ended before this side heard of either
                self._claim = await find_claim(self._client, self.job, seconds=STORE_SECONDS)
            if self._claim is not None:
                reader = ChunkReader(self._client, self.job.streams.output, self.job.output(self._claim.node))
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
        while not self._complete:
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
                # After the end no more will come, but what was stored before can still be fetched.
                chunk = await reader.read_stored(seconds=STORE_SECONDS)
            if chunk is None:
                return
            await self._deliver(chunk.data, sink)
            self._complete = chunk.is_last

    async def _deliver(self, data: bytes, sink: Sink) -> None:
        self._got += len(data)
        if self._got - self._told >= WINDOW_BYTES // 4:
            self._progress.set()
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
                self._claim = await find_claim(self._client, self.job, seconds=self._times.lost_after)
            except NoAnswer:
                pass  # the server is away
            if self._claim is None:
                seconds = _BUSY_SECONDS if hinted else self._times.lost_after / 2
                await _first(self._claimed.wait(), self._ended.wait(), seconds=seconds)
            if self._claim is None and not told and time.monotonic() - began > _NOTICE_SECONDS:
                told = True
                _logger.warning("%s: the job waits for a free node of the group %s", self._name, self.job.group)

    async def _watch_end(self) -> None:
        self._set_end(await watch_end(self._client, self.job, self._hint, look_seconds=self._times.lost_after))

    async def _ask(self, node: str) -> None:
        """Ask the node how far it is, until it is lost. Its answers are also its signs of life."""
        heard = time.monotonic()
        nobody_since: float | None = None
        answered = False
        while not self._ended.is_set():
            self._progress.clear()
            told = self._got
            number = 0 if self._reader is None else self._reader.number
            body = encode(Positions(number, self._writer.number))
            try:
                left = heard + self._times.silence - time.monotonic()
                seconds = min(self._times.lost_after / 4, max(left, _BUSY_SECONDS))
                answer = await self._client.request(self.job.control(node), body, seconds=seconds)
                positions = decode(Positions, answer.data)
            except NobodyThere:
                if answered and nobody_since is None:
                    nobody_since = time.monotonic()
            except (NoAnswer, RemoteProtocolError):
                nobody_since = None
            else:
                heard, nobody_since, answered = time.monotonic(), None, True
                self._told = told
                self._writer.note_read(positions.read)
            if self._is_lost(heard, nobody_since):
                self._set_end(
                    await store_end(
                        self._client,
                        self.job,
                        node_lost(node, self._me, self._times.lost_after),
                        seconds=STORE_SECONDS,
                    )
                )
                return
            if self._writer.is_blocked:
                await asyncio.sleep(_BUSY_SECONDS)
            else:
                await _first(self._progress.wait(), seconds=self._times.question)

    def _is_lost(self, heard: float, nobody_since: float | None) -> bool:
        """Return whether the node is lost. Time in which this side could not have heard it does not count.

        A node that has lost its server connects to another one, or to the same again, and nobody answers meanwhile.
        """
        up_since, now = self._client.up_since, time.monotonic()
        if up_since is None or self._complete:
            return False
        if nobody_since is not None and now - max(nobody_since, up_since) > self._times.lost_after / 2:
            return True
        return now - max(heard, up_since) > self._times.silence

    async def _conclude(self) -> None:
        """Wait for the end of the job, and keep what it means."""
        if self._end is None:
            self._hint.set()
            await _first(self._ended.wait(), seconds=STORE_SECONDS)
        if self._end is None:
            raise LinkError(f"{self._name}: all results have arrived, but the node does not say that the job has ended")
        if self._complete and self._end.outcome is Outcome.WORKER:
            self._decrypt.receive_eof()
            return
        raise self._explain(self._end)

    def _explain(self, end: JobEnd) -> PlaystreamError:
        reason = "".join(letter if letter.isprintable() else "?" for letter in end.reason)
        text = f"{self._name}: {reason or 'the job has ended without all of its results'}"
        if end.outcome is Outcome.LOST:
            return NodeLost(text)
        if end.outcome is Outcome.EXPIRED:
            return JobError(text)
        return LinkError(text)

    async def _give_up(self) -> None:
        """End a job that has no end, so that no node starts it, and the one that runs it stops."""
        if not self._posted.is_set() or self._end is not None:
            return
        end = JobEnd(Outcome.CANCELED, self._me, "the submitter has given the job up")
        try:
            await store_end(self._client, self.job, end, seconds=self._times.beat * 2)
        except PlaystreamError as error:
            _logger.debug("%s: the job could not be given up: %s", self._name, error)  # the node notices the silence

    async def _note_claim(self, _message: Message) -> None:
        self._claimed.set()

    async def _note_end(self, _message: Message) -> None:
        self._hint.set()

    def _set_end(self, end: JobEnd) -> None:
        self._end = self._end or end
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
