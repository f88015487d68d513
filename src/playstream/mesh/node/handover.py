"""Jobs that a node has got and cannot run: it offers them to the other nodes of the group, and holds them meanwhile.

The queue gives each job to any node that asks. One that lacks what the job needs keeps it in progress, so that the
queue does not give it to others again and again, and offers it to the group. A node that can run it takes it at once,
or as soon as it has a free slot; the claim decides which one. docs/mesh-design.md says more.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from playstream.mesh.client import MeshClient
from playstream.mesh.delivery import Message
from playstream.mesh.ends import find_claim, find_end
from playstream.mesh.messages import JobOffer, decode, encode
from playstream.mesh.subjects import JobSubjects, Streams, offers
from playstream.pipeline.errors import LinkError, RemoteProtocolError

_MOST_HELD = 32
"""Jobs that a node holds at the same time; further ones are put back, for later."""
_OFFERS = 4
"""How many times in `lost_after` a job is offered."""
_STALE = 3
"""An offer that was not repeated for as many times is not valid any more."""
_MOST_OFFERS = 1000
_CLAIM_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class _Held:
    """A job that this node holds."""

    group: str
    since: float = field(default_factory=time.monotonic)


@dataclass(frozen=True, slots=True)
class Offered:
    """A job that another node offers."""

    job: JobSubjects
    reply: str
    heard: float


class Handover:
    """The jobs that a node holds, and those that others offer to it. Call `open` first, and `close` at the end.

    Args:
        client: the connection of the node.
        groups: its groups.
        lost_after: seconds after which a node counts as lost.
        can_run: returns whether this node has what a job needs.
        take: takes an offered job if there is a free slot; returns whether there was one.
    """

    def __init__(
        self,
        client: MeshClient,
        groups: Mapping[str, str],
        lost_after: float,
        can_run: Callable[[tuple[str, ...]], bool],
        take: Callable[[Offered], bool],
    ) -> None:
        self._client = client
        self._groups = groups
        self._lost_after = lost_after
        self._pause = lost_after / _OFFERS
        self._can_run = can_run
        self._take = take
        self._held: dict[str, _Held] = {}
        """By the names of the jobs."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._offered: dict[str, Offered] = {}
        """By the names of the jobs, the oldest first."""
        self._closing = asyncio.Event()

    async def open(self) -> None:
        """Listen to the offers of other nodes."""
        for group in self._groups:
            await self._client.subscribe(offers(group), self._note_offer)

    async def close(self) -> None:
        """Put all jobs that are held back into their queues."""
        self._closing.set()
        if self._tasks:
            await asyncio.wait(set(self._tasks))

    def counts(self) -> dict[str, int]:
        """Return how many jobs are held, by group."""
        found: dict[str, int] = {}
        for held in self._held.values():
            found[held.group] = found.get(held.group, 0) + 1
        return found

    @property
    def oldest_seconds(self) -> float:
        """How long the oldest job has been held."""
        return max((time.monotonic() - held.since for held in self._held.values()), default=0.0)

    def next_offer(self) -> Offered | None:
        """Return the job that was offered first and is still to be had; None if there is none."""
        while self._offered:
            offered = self._offered.pop(next(iter(self._offered)))
            if time.monotonic() - offered.heard < _STALE * self._pause:
                return offered
        return None

    async def hold(
        self,
        job: JobSubjects,
        message: Message,
        needs: tuple[str, ...],
        start_within: float | None,
        finish: Callable[[bool], Awaitable[None]],
    ) -> None:
        """Hold a job, and return at once.

        Args:
            job: the job.
            message: its message, as the queue has delivered it.
            needs: what it needs.
            start_within: seconds after which it is not started any more; None for no limit.
            finish: removes the job, which has ended; called with True if it has to be given an end before.
        """
        if len(self._held) >= _MOST_HELD or self._closing.is_set() or job.job in self._held:
            await self._client.give_back(message, seconds=self._lost_after)
            return
        self._held[job.job] = _Held(job.group)
        task = asyncio.create_task(self._keep(job, message, needs, start_within, finish))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda _task: self._held.pop(job.job, None) and None)

    async def _keep(
        self,
        job: JobSubjects,
        message: Message,
        needs: tuple[str, ...],
        start_within: float | None,
        finish: Callable[[bool], Awaitable[None]],
    ) -> None:
        """Offer a job until another node has claimed it, it has ended, or this node can run it itself."""
        offer = encode(JobOffer(job.queued, message.reply, needs))
        until = None if start_within is None else time.monotonic() + start_within
        while not self._closing.is_set() and not self._can_run(needs):
            await self._client.publish(offers(job.group), offer)
            await self._client.keep(message)
            try:
                await asyncio.wait_for(self._closing.wait(), self._pause)
            except TimeoutError:
                pass
            try:
                if await find_claim(self._client, job, seconds=_CLAIM_SECONDS) is not None:
                    return
                late = until is not None and time.monotonic() > until
                if late or await find_end(self._client, job, seconds=_CLAIM_SECONDS) is not None:
                    await finish(late)
                    return
            except (LinkError, RemoteProtocolError):
                continue  # the server is away, or the message was removed
        await self._client.give_back(message)

    async def _note_offer(self, message: Message) -> None:
        try:
            found = decode(JobOffer, message.data)
        except RemoteProtocolError:
            return
        job = JobSubjects.parse(found.job)
        if job is None or job.group not in self._groups or offers(job.group) != message.subject:
            return
        # What is acknowledged later must be a job of this queue.
        if not found.reply.startswith(f"$JS.ACK.{Streams(job.group).jobs}.{job.group}."):
            return
        if job.job in self._held or not self._can_run(found.needs):
            return
        offered = Offered(job, found.reply, time.monotonic())
        if not self._take(offered) and (job.job in self._offered or len(self._offered) < _MOST_OFFERS):
            self._offered[job.job] = offered  # one that is known keeps its place
