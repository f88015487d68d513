"""One job on a node: from its claim to its end."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Coroutine
from typing import Any, Final

from playstream.mesh.chunks import CHUNK_BYTES, ChunkReader, ChunkWriter
from playstream.mesh.client import MeshClient
from playstream.mesh.delivery import Message, NoAnswer, Subscription
from playstream.mesh.ends import find_end, outcome_of, purge_input, store_end, watch_end
from playstream.mesh.identity import Kind, inbox
from playstream.mesh.liveness import Times
from playstream.mesh.messages import CancelRequest, JobEnd, Order, Outcome, Positions, decode, encode
from playstream.mesh.node.process import WorkerProcess
from playstream.mesh.signing import JobVerifier
from playstream.mesh.subjects import JobSubjects
from playstream.pipeline.errors import JobError, LinkError, NodeLost, PlaystreamError, RemoteProtocolError
from playstream.worker.clock import now

STORE_SECONDS: Final = 60.0
"""How long results are tried to be stored, while Ansible waits."""
_ROOM_SECONDS = 10.0
"""How long to try while there is no room for them, which only an operator or time can change."""
_EMPTY = b""
_RETRY_SECONDS = 0.05
"""Time before a sign of life that was not stored is repeated."""


class RunningJob:
    """A job that this node has claimed.

    Args:
        client: the connection of the node, for what is short and urgent.
        own: a connection of this job alone, for what it consists of and its results.
        node: the name of the node.
        job: the job.
        order: its message in the queue.
        message: the same as it was delivered, to keep and to acknowledge.
        worker: its worker, which has its keys.
        times: the times of the mesh.
        verifier: checks the parts of the job; None if they need no signatures.
    """

    def __init__(
        self,
        client: MeshClient,
        own: MeshClient,
        node: str,
        job: JobSubjects,
        order: Order,
        message: Message,
        worker: WorkerProcess,
        times: Times,
        verifier: JobVerifier | None = None,
    ) -> None:
        self._verifier = verifier
        self._client = client
        self._own = own
        self._node = node
        self.job = job
        self.order = order
        self._message = message
        self._worker = worker
        self._times = times
        self._reader = ChunkReader(own, job.streams.input, job.input)
        self._writer = ChunkWriter(own, job.output(node), seconds=STORE_SECONDS, room_seconds=_ROOM_SECONDS)
        self._confirmed = now()
        """When the last beat was sent that the server has stored."""
        self._asked = time.monotonic()
        """When the submitter, who has the rest of the job, has last asked."""
        self._waits_until = time.monotonic() + times.lost_after
        """Until when the results wait for somebody who reads them as they come, and asks again and again. A submitter
        that follows its job asks at once, and one that has detached never does."""
        self._whole = False
        """Whether the job is whole, so that it does not need its submitter."""
        self._starving: float | None = None
        """Since when the next message of the job is missing; None if it is not."""
        self._failure: JobEnd | None = None
        """Why the job has ended, if not by the worker."""
        self._hint = asyncio.Event()
        """Set when an end was delivered, which may not be the one that is stored."""
        self._foreign: JobEnd | None = None
        """An end that somebody else has stored."""
        self._status: int | None = None
        """The exit status of the worker; None while it runs, and if a signal has ended it."""
        self._purges: set[asyncio.Task[None]] = set()

    async def run(self) -> JobEnd:
        """Run the job. Return its end, which is stored.

        Raises:
            LinkError: the end could not be stored.
        """
        subscriptions: list[Subscription] = []
        try:
            control = self.job.control(self._node)
            subscriptions.append(await self._client.subscribe(control, self._answer))
            subscriptions.append(await self._client.subscribe(self.job.end, self._note_end))
            await self._reader.open()
            await self._client.flush()
            self._foreign = await find_end(self._client, self.job, seconds=STORE_SECONDS)
            if self._foreign is None:
                await self._beat_once(0)
                self._worker.feed(self._confirmed)
                await self._serve()
        except PlaystreamError as error:
            self._fail(error)
        finally:
            await self._worker.close()
            await self._writer.close()
            await self._reader.close()
        try:
            return await self._end()
        finally:
            for subscription in subscriptions:
                await subscription.close()

    async def _serve(self) -> None:
        """Pass on bytes in both directions until the worker has ended and its results are stored."""
        others = [
            asyncio.create_task(self._watch(loop))
            for loop in (self._beat(), self._take_input(), self._watch_all(), self._watch_end())
        ]
        try:
            await self._take_output()
        finally:
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)
        for task in others:
            if not task.cancelled():
                task.result()

    async def _watch(self, loop: Coroutine[Any, Any, None]) -> None:
        try:
            await loop
        except PlaystreamError as error:
            self._fail(error)
            self._worker.cancel()

    async def _take_output(self) -> None:
        while data := await self._worker.read(CHUNK_BYTES):
            await self._writer.write(data)
        status = await self._worker.wait()
        self._status = status if status >= 0 else None
        if status == NodeLost.exit_status:
            self._fail(self._lost_contact())  # the results are stored nevertheless
        elif self._writer.number == 0:
            raise JobError(
                f"the worker on the node {self._node} has ended with exit status {status} before it said anything. Try "
                "playstream worker there by hand, with the Python that runs the node"
            )
        await self._writer.write(_EMPTY, last=True)
        await self._writer.flush()

    def _lost_contact(self) -> NodeLost:
        """Return why the job has ended, although this node has contact again to say so."""
        return NodeLost(
            f"the node {self._node} had no contact to the mesh for {self._times.clock:g} seconds or more, and has "
            "ended the job: the server or the network was away, the disk of the server is full, or a host is too busy. "
            "Results received before are kept. If a network is often away, a mesh can wait for longer (playstream mesh "
            "init --lost-after N)"
        )

    async def _take_input(self) -> None:
        while True:
            self._starving = time.monotonic()
            chunk = await self._reader.read()
            self._starving = None
            if self._verifier is not None:
                subject = f"{self.job.input}.{chunk.number}"
                self._verifier.check_chunk(subject, chunk.data, chunk.marks, chunk.signature)
            self._whole = self._whole or chunk.is_whole
            if chunk.data and not await self._worker.write(chunk.data):
                return
            self._remove(chunk.number)
            if chunk.is_last:
                self._worker.end_input()
                return

    def _remove(self, number: int) -> None:
        """Remove what the worker has got from the server. What remains, because this fails, expires."""
        task = asyncio.create_task(self._purge(f"{self.job.input}.{number}"))
        self._purges.add(task)
        task.add_done_callback(self._purges.discard)

    async def _purge(self, subject: str) -> None:
        body = b'{"filter": "' + subject.encode() + b'"}'
        try:
            await self._own.request(f"$JS.API.STREAM.PURGE.{self.job.streams.input}", body, seconds=5.0)
        except LinkError:
            pass  # see above

    async def _beat(self) -> None:
        for number in itertools.count(1):
            if await self._beat_once(number):
                await asyncio.sleep(self._times.beat)
            else:
                await self._client.wait_connected(self._times.lost_after)

    async def _beat_once(self, number: int) -> bool:
        """Store a sign of life; return whether the server has stored it. It counts from when it was sent."""
        sent = now()
        subject = self.job.beat(self._node)
        headers = {"Nats-Msg-Id": f"{subject} {number}"}
        try:
            answer = await self._client.attempt(subject, b"", seconds=self._times.lost_after / 4, headers=headers)
        except NoAnswer:
            await asyncio.sleep(_RETRY_SECONDS)
            return False
        if b'"error"' in answer.data:
            await asyncio.sleep(_RETRY_SECONDS)
            return False
        self._confirmed = sent
        if self._worker.is_running:
            self._worker.feed(sent)
        await self._client.keep(self._message)
        return True

    async def _watch_all(self) -> None:
        """End the job if the mesh is lost, or the submitter before the job is whole. Wait for nobody who is gone."""
        while True:
            await asyncio.sleep(self._times.beat / 2)
            if now() - self._confirmed > self._times.lost_after:
                self._fail(self._lost_contact())
                self._worker.kill()  # its own clock has ended the job before, unless it hangs
            elif self._submitter_is_gone():
                self._failure = self._failure or JobEnd(
                    Outcome.FAILED,
                    f"node {self._node}",
                    f"the submitter was gone for {self._times.patience:g} seconds before all of the job had arrived, "
                    "so the job was ended",
                )
                self._writer.stop_limiting()
                self._worker.kill()  # it has not begun the job, and would only say that it was canceled
                return
            if self._writer.limited and time.monotonic() > self._waits_until:
                self._writer.stop_limiting()

    def _submitter_is_gone(self) -> bool:
        """Return whether the submitter was silent for too long, while the job was not whole and more could arrive."""
        up_since = self._client.up_since
        if self._whole or up_since is None or self._starving is None:
            return False
        return time.monotonic() - max(self._asked, up_since, self._starving) > self._times.patience

    async def _answer(self, message: Message) -> None:
        """Answer how far both directions are. Whoever reads the results as they come is waited for from then on."""
        try:
            if message.data:
                self._note_question(message.data)
        except RemoteProtocolError:
            return
        # Whoever asks could name any subject for the answer, to which the server would let this node publish.
        askers = (inbox(Kind.SUBMITTER, self.job.submitter), inbox(Kind.OPERATOR, ""))
        if message.reply.startswith(tuple(f"{asker.removesuffix('.')}." for asker in askers)):
            await self._client.publish(message.reply, encode(Positions(self._reader.number, self._writer.number)))

    def _note_question(self, data: bytes) -> None:
        """Note what a question says about who asks.

        Raises:
            RemoteProtocolError: it is none.
        """
        try:
            asked = decode(Positions, data)
        except RemoteProtocolError:
            self._cancel(decode(CancelRequest, data))
            return
        moment = time.monotonic()
        if asked.written:
            self._asked = moment
        if self._writer.note_read(asked.read):
            self._waits_until, self._writer.limited = moment + self._times.patience, True

    def _cancel(self, request: CancelRequest) -> None:
        """Let the worker end the job, and report that."""
        if self._failure is None and self._foreign is None:
            self._failure = JobEnd(Outcome.CANCELED, request.by, f"canceled by {request.by}")
            self._writer.stop_limiting()
            self._worker.cancel()

    async def _note_end(self, _message: Message) -> None:
        self._hint.set()

    async def _watch_end(self) -> None:
        """Kill the worker when somebody else has ended the job. Its last results wait for no reader."""
        self._foreign = await watch_end(self._client, self.job, self._hint, look_seconds=self._times.lost_after)
        self._writer.stop_limiting()
        self._worker.kill()

    def _fail(self, error: PlaystreamError) -> None:
        self._failure = self._failure or JobEnd(outcome_of(error), f"node {self._node}", str(error)[:2000])

    async def _end(self) -> JobEnd:
        """Store the end, and take the job from the queue."""
        own = self._failure or JobEnd(Outcome.WORKER, f"node {self._node}", status=self._status)
        if self._foreign is not None:
            end = self._foreign
        else:
            end = await store_end(self._client, self.job, own, seconds=STORE_SECONDS)
        await self._client.acknowledge(self._message, seconds=STORE_SECONDS)
        await purge_input(self._own, self.job)
        return end
