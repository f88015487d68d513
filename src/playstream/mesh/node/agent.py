"""The agent of a node: it pulls jobs while it has a free slot, and starts what runs them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from playstream.mesh.client import MeshClient
from playstream.mesh.delivery import Message, NoAnswer
from playstream.mesh.ends import (
    claim_job,
    find_claim,
    find_end,
    node_lost,
    not_started,
    outcome_of,
    purge_input,
    store_end,
)
from playstream.mesh.features import Features
from playstream.mesh.identity import Identity
from playstream.mesh.liveness import Times
from playstream.mesh.messages import Announcement, Claim, Condition, JobEnd, LogQuestion, Order, Outcome, decode, encode
from playstream.mesh.node.admission import Admission, Admitted
from playstream.mesh.node.gate import Gate
from playstream.mesh.node.handover import Handover, Offered
from playstream.mesh.node.keyring import Keyring
from playstream.mesh.node.lines import KeptLines
from playstream.mesh.node.looking import look_around
from playstream.mesh.node.presence import Presence
from playstream.mesh.node.process import WorkerProcess
from playstream.mesh.node.ready import ReadyWorkers
from playstream.mesh.node.running import RunningJob
from playstream.mesh.subjects import LOGS, STATUS, JobSubjects, Streams
from playstream.pipeline.errors import JobError, JobExpired, JobRefused, PlaystreamError, RemoteProtocolError

_PULL_SECONDS: Final = 5.0
"""How long one request for a job lasts. One that the server has lost, such as one to an earlier leader, is repeated."""
_PAUSE_SECONDS = 0.2
_CLAIM_SECONDS = 10.0
_TURN_SECONDS = 0.05
"""How long a group waits for others that are next: the server answers them meanwhile."""

Log = Callable[..., str]
"""Takes the word for an event and what is known about it, and returns the line that it has written."""


@dataclass(frozen=True, slots=True)
class NodeOptions:
    """The options of a node."""

    slots: int
    """Jobs at the same time."""
    worker_flags: Sequence[str] = ()
    """Flags of its workers."""
    features: Sequence[str] = ()
    """Names that the operator gives to what this node has."""
    plain: bool = False
    """Whether it runs jobs that are not encrypted, too."""
    state: Path | None = None
    """Run signed jobs only, and remember in this directory which; None for all jobs."""


class Node:
    """A node.

    Args:
        identity: who it is.
        options: see NodeOptions.
        log: takes what happens.
    """

    def __init__(self, identity: Identity, options: NodeOptions, log: Log) -> None:
        self._identity = identity
        self._options = options
        self._lines = KeptLines(log)
        self._log = self._lines.write
        self._times = Times(identity.lost_after)
        self._taken = 0
        """Slots that are taken."""
        self._room = asyncio.Event()
        """Set while there is a free slot."""
        self._room.set()
        self._behind: set[str] = set()
        """Groups that had to give a job back, because one of another group has taken the slot. They are next."""
        self._jobs: set[asyncio.Task[None]] = set()
        self._workers: set[WorkerProcess] = set()
        self._ready = ReadyWorkers(self._times.clock, options.worker_flags)
        self._running: set[str] = set()
        """The names of the jobs that run here."""
        self._running_in: dict[str, int] = {}
        """How many run, by group."""
        self._stopping = asyncio.Event()
        self._client = MeshClient(identity.endpoint)
        first = Announcement(identity.name, tuple(identity.groups), options.slots, {}, ())
        gate = None if options.state is None else Gate(self._client, identity.ca, options.state, self._log)
        self._admission = Admission(Keyring(self._client, identity, self._log), gate, plain=options.plain)
        answers = {STATUS: self._condition, LOGS: self._log_lines}
        self._presence = Presence(self._client, first, self._look_around, answers, self._log)
        self._handover = Handover(self._client, identity.groups, identity.lost_after, self._can_run, self._take_offered)

    def stop(self) -> None:
        """Take no more jobs; `run` returns when those that run have ended. The second call ends them."""
        if self._stopping.is_set():
            for worker in self._workers:
                worker.cancel()
        self._stopping.set()

    async def run(self) -> None:
        """Take and run jobs until `stop`.

        Raises:
            LinkError: the mesh cannot be reached at the start, or the identity was removed.
        """
        client = self._client
        await client.connect()
        await self._admission.open()
        await self._presence.open()
        await self._handover.open()
        self._log("connected", server=client.server_version, groups=",".join(self._identity.groups))
        self._ready.keep(self._options.slots)
        pulls = [asyncio.create_task(self._pull(client, group)) for group in self._identity.groups]
        stopping: asyncio.Task[Any] = asyncio.create_task(self._stopping.wait())
        announcing = asyncio.create_task(self._presence.run())
        looking = asyncio.create_task(self._admission.run())
        try:
            await asyncio.wait({stopping, announcing, *pulls}, return_when=asyncio.FIRST_COMPLETED)
            for task in (announcing, *pulls):
                if task.done():
                    task.result()
            self._log("stopping", jobs=len(self._jobs))
        finally:
            for task in (stopping, announcing, looking, *pulls):
                task.cancel()
            await asyncio.gather(stopping, announcing, looking, *pulls, return_exceptions=True)
            await self._handover.close()
            await self._ready.close()
            if self._jobs:
                await asyncio.wait(set(self._jobs))
            if self._stopping.is_set() and client.is_connected:
                await self._presence.leave()
            await client.close()
            self._admission.close()

    def _look_around(self) -> Features:
        return look_around(self._options.features, plain=self._options.plain)

    def _condition(self, _question: bytes) -> bytes:
        """Return how this node is, for whoever asks."""
        held, oldest = self._handover.counts(), self._handover.oldest_seconds
        return encode(Condition(dict(self._running_in), held, oldest, self._stopping.is_set()))

    def _log_lines(self, question: bytes) -> bytes:
        """Return lines of the log, for an operator."""
        return encode(self._lines.part(decode(LogQuestion, question).first))

    def _can_run(self, needs: tuple[str, ...]) -> bool:
        return not self._presence.features.missing(needs)

    async def _pull(self, client: MeshClient, group: str) -> None:
        """Take jobs of a group, one for each free slot."""
        while True:
            if not await client.wait_connected(_PULL_SECONDS):
                continue
            await self._room.wait()
            if self._behind - {group}:
                await asyncio.sleep(_TURN_SECONDS)  # another group asks first
                if not self._room.is_set():
                    continue
            message = await client.pull(Streams(group).jobs, group, seconds=_PULL_SECONDS)
            if message is None:
                self._behind.discard(group)
                await asyncio.sleep(0 if client.is_connected else _PAUSE_SECONDS)
            elif not self._room.is_set():
                self._behind.add(group)
                await client.give_back(message)  # a job of another group, or an offered one, has taken the slot
            else:
                self._behind.discard(group)
                self._start(self._take(client, message))

    def _take_offered(self, offered: Offered) -> bool:
        """Take a job that another node offers, if there is a free slot. Return whether there is one."""
        if not self._room.is_set() or self._stopping.is_set():
            return False
        self._start(self._take_from_other(self._client, offered))
        return True

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        """Start what needs a slot, of which there is a free one."""
        self._count(+1)
        task = asyncio.create_task(work)
        self._jobs.add(task)
        task.add_done_callback(self._note_done)

    def _count(self, change: int) -> None:
        self._taken += change
        if self._taken < self._options.slots:
            self._room.set()
        else:
            self._room.clear()
        if not self._stopping.is_set():
            self._ready.keep(self._options.slots - self._taken)

    def _note_done(self, task: asyncio.Task[None]) -> None:
        self._jobs.discard(task)
        self._count(-1)
        if not self._stopping.is_set() and (offered := self._handover.next_offer()) is not None:
            self._take_offered(offered)

    async def _take(self, client: MeshClient, message: Message) -> None:
        """Take one message of a queue."""
        job = JobSubjects.parse(message.subject)
        if job is None:
            self._log("refused", subject=message.subject, reason="the subject is not that of a job")
            await client.discard(message)
            return
        await self._guarded(job, self._take_job(client, job, message))

    async def _take_from_other(self, client: MeshClient, offered: Offered) -> None:
        """Take a job that another node offers, unless somebody else has it. What is in it comes from the queue."""
        await self._guarded(offered.job, self._take_offer(client, offered))

    async def _take_offer(self, client: MeshClient, offered: Offered) -> None:
        job = offered.job
        found = await client.find(job.streams.jobs, job.queued, seconds=_CLAIM_SECONDS)
        if found is not None and await find_claim(client, job, seconds=_CLAIM_SECONDS) is None:
            message = Message(job.queued, found.data, found.headers, offered.reply)
            await self._take_job(client, job, message, is_offered=True)

    async def _guarded(self, job: JobSubjects, work: Coroutine[Any, Any, None]) -> None:
        """Do work for one job. Nothing that it does may end the node."""
        try:
            await work
        except PlaystreamError as error:
            self._log("error", job=job.job, reason=str(error))
        except Exception as error:  # noqa: BLE001 - a defect must not end the other jobs
            self._log("error", job=job.job, reason=f"defect: {type(error).__name__}: {error}")

    async def _take_job(
        self, client: MeshClient, job: JobSubjects, message: Message, *, is_offered: bool = False
    ) -> None:
        order: Order | None = None
        problem: PlaystreamError | None = None
        try:
            order = decode(Order, message.data)
        except RemoteProtocolError as error:
            problem = error
        if order is not None and not self._can_run(order.needs) and await self._is_new(client, job):
            if not is_offered:
                await self._hold(client, job, message, order)
            return
        claimed = await claim_job(client, job, self._identity.name, seconds=_CLAIM_SECONDS)
        if claimed is not None:
            if not is_offered:  # else the queue has not delivered it to this node
                await self._look_after(client, job, message, claimed)
            return
        if await find_end(client, job, seconds=_CLAIM_SECONDS) is not None:
            await self._remove(client, job, message)  # it was given up while it waited
            return
        admitted: Admitted | None = None
        if order is not None:
            try:
                admitted = await self._admission.admit(client, job, order, message)
            except (JobExpired, JobRefused, JobError, RemoteProtocolError) as error:
                problem = error
        if order is None or admitted is None:
            await self._end_by(client, job, message, problem)
            self._log("refused", job=job.job, submitter=job.submitter, reason=str(problem))
            return
        self._log("started", job=job.job, submitter=job.submitter, group=job.group)
        began = time.monotonic()
        self._note_running(job, +1)
        try:
            end = await self._run(job, order, message, admitted)
        except PlaystreamError as error:
            end = await self._end_by(client, job, message, error)
        finally:
            self._note_running(job, -1)
        self._log("ended", job=job.job, outcome=end.outcome.value, reason=end.reason, seconds=time.monotonic() - began)

    async def _end_by(
        self, client: MeshClient, job: JobSubjects, message: Message, error: PlaystreamError | None
    ) -> JobEnd:
        """End a job that this node has claimed and does not run, and return its end."""
        end = JobEnd(outcome_of(error), self._identity.title, str(error)[:2000])
        end = await store_end(client, job, end, seconds=_CLAIM_SECONDS)
        await self._remove(client, job, message)
        return end

    async def _run(self, job: JobSubjects, order: Order, message: Message, admitted: Admitted) -> JobEnd:
        """Run a job that this node has claimed, and return its end.

        Raises:
            PlaystreamError: it cannot be run, or its end cannot be stored.
        """
        own = MeshClient(self._identity.endpoint)  # a flood of one job must not hold up the others
        worker = await self._ready.take()
        self._workers.add(worker)
        try:
            worker.assign(order.recipient, admitted.secret_keys)
            await own.connect()
            given = (job, order, message, worker, self._times, admitted.verifier)
            return await RunningJob(self._client, own, self._identity.name, *given).run()
        finally:
            self._workers.discard(worker)
            await worker.close()
            await own.close()

    def _note_running(self, job: JobSubjects, change: int) -> None:
        (self._running.add if change > 0 else self._running.discard)(job.job)
        self._running_in[job.group] = self._running_in.get(job.group, 0) + change

    @staticmethod
    async def _is_new(client: MeshClient, job: JobSubjects) -> bool:
        """Return whether nobody has claimed a job, and it has no end."""
        claim = await find_claim(client, job, seconds=_CLAIM_SECONDS)
        return claim is None and await find_end(client, job, seconds=_CLAIM_SECONDS) is None

    async def _hold(self, client: MeshClient, job: JobSubjects, message: Message, order: Order) -> None:
        """Hold a job that this node cannot run, until another one has it."""

        async def finish(late: bool) -> None:
            if late:
                reason = not_started(job.group, order.start_within or 0.0)
                end = JobEnd(Outcome.EXPIRED, self._identity.title, reason)
                await store_end(client, job, end, seconds=_CLAIM_SECONDS)
            await self._remove(client, job, message)

        missing = self._presence.features.missing(order.needs)
        self._log("passed-on", job=job.job, submitter=job.submitter, missing=", ".join(missing))
        await self._handover.hold(job, message, order.needs, order.start_within, finish)

    async def _look_after(self, client: MeshClient, job: JobSubjects, message: Message, claim: Claim) -> None:
        """Find out whether the node that has claimed a job is alive; store the end if it is not."""
        if await find_end(client, job, seconds=_CLAIM_SECONDS) is None and await self._is_silent(
            client, job, message, claim.node
        ):
            end = node_lost(claim.node, self._identity.title, self._times.lost_after)
            await store_end(client, job, end, seconds=_CLAIM_SECONDS)
            self._log("lost", job=job.job, node=claim.node)
        if await find_end(client, job, seconds=_CLAIM_SECONDS) is None:
            await client.give_back(message, seconds=self._times.lost_after)
        else:
            await self._remove(client, job, message)

    async def _remove(self, client: MeshClient, job: JobSubjects, message: Message) -> None:
        """Remove a job that has ended from the queue, and what it consists of."""
        await client.acknowledge(message, seconds=_CLAIM_SECONDS)
        await purge_input(client, job)

    async def _is_silent(self, client: MeshClient, job: JobSubjects, message: Message, node: str) -> bool:
        """Return whether a node stores no sign of life for as long as it takes to count as lost."""
        if job.job in self._running:
            return False
        first = await self._last_beat(client, job, node)
        until = time.monotonic() + self._times.lost_after
        while time.monotonic() < until:
            await client.keep(message)
            await asyncio.sleep(self._times.beat)
            if await self._last_beat(client, job, node) != first:
                return False
            if client.up_since is None or time.monotonic() - client.up_since < self._times.lost_after:
                until = time.monotonic() + self._times.lost_after  # it could not have been heard
        return True

    async def _last_beat(self, client: MeshClient, job: JobSubjects, node: str) -> str:
        try:
            message = await client.find(job.streams.state, job.beat(node), seconds=_CLAIM_SECONDS)
        except NoAnswer:
            return ""
        return "" if message is None else message.headers.get("Nats-Sequence", "")
