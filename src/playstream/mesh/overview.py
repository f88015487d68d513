"""The jobs of a mesh: what has become of each, and ending one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from playstream.mesh.client import MeshClient, stored_at
from playstream.mesh.contact import Contact
from playstream.mesh.ends import find_claim, find_end, node_lost, store_end, watch_end
from playstream.mesh.identity import Identity
from playstream.mesh.listing import find_job, list_jobs
from playstream.mesh.liveness import Times
from playstream.mesh.messages import CancelRequest, JobEnd, Outcome, encode
from playstream.mesh.subjects import JobSubjects, list_of
from playstream.pipeline.errors import JobError

_SECONDS: Final = 20.0
"""How long the server may take to answer, and a node to end a job that it was told to cancel."""
_AT_ONCE = 16
"""Jobs that are looked at together."""
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class MeshJob:
    """A job that was sent to a mesh."""

    job: str
    """Its name."""
    submitter: str
    group: str
    node: str | None
    """The node that runs it, or has run it; None if none has."""
    state: str
    """`queued`, `running` or `ended`."""
    outcome: str | None
    """How it has ended: `successful`, `failed`, `canceled`, `lost`, `expired`, `unmet` or `refused`; None before."""
    exit_status: int | None
    """What `playstream mesh attach` would end with, if the worker has ended by itself; None otherwise."""
    reason: str
    """A message about an end that is not the worker's; otherwise empty."""
    submitted: float
    """When it was submitted, in seconds since the epoch by the clock of the server."""
    age_seconds: float
    """How long ago that was, by the clock of this host."""


async def describe_jobs(client: MeshClient, identity: Identity) -> list[MeshJob]:
    """Return the jobs of a submitter, or for an operator those of all: the newest first.

    A running job whose node does not answer for as long as it takes to count as lost is declared lost.

    Raises:
        LinkError: the server or its answer is not as expected.
    """
    several = asyncio.Semaphore(_AT_ONCE)

    async def limited(look: Coroutine[Any, Any, _T]) -> _T:
        async with several:
            return await look

    jobs = await list_jobs(client, identity)
    looks = [asyncio.create_task(limited(_look(client, job))) for job in jobs]
    try:
        found = [each for look in looks if (each := await look) is not None]
    finally:
        for look in looks:
            look.cancel()
        await asyncio.gather(*looks, return_exceptions=True)
    checks = [_check_node(client, identity, each) for each in found]  # each may wait for seconds
    described = await asyncio.gather(*checks)
    return sorted(described, key=lambda job: job.submitted, reverse=True)


@dataclass(frozen=True, slots=True)
class _Found:
    job: JobSubjects
    submitted: float
    node: str | None
    end: JobEnd | None


async def _look(client: MeshClient, job: JobSubjects) -> _Found | None:
    """Return what is stored about a job; None if its time has just run out."""
    listed = await client.find(list_of(job.submitter), job.listed, seconds=_SECONDS)
    if listed is None:
        return None
    claim = await find_claim(client, job, seconds=_SECONDS)
    end = await find_end(client, job, seconds=_SECONDS)
    return _Found(job, stored_at(listed), None if claim is None else claim.node, end)


async def _check_node(client: MeshClient, identity: Identity, found: _Found) -> MeshJob:
    end = found.end
    if end is None and found.node is not None and not await _answers(client, identity, found.job, found.node):
        end = await _declare_lost(client, identity, found.job, found.node)
    state = "ended" if end is not None else "queued" if found.node is None else "running"
    return MeshJob(
        found.job.job,
        found.job.submitter,
        found.job.group,
        found.node,
        state,
        None if end is None else _outcome(end),
        None if end is None else end.status,
        "" if end is None else end.reason,
        found.submitted,
        max(0.0, time.time() - found.submitted),
    )


def _outcome(end: JobEnd) -> str:
    if end.outcome is Outcome.WORKER:
        return "successful" if end.status == 0 else "failed"
    return str(end.outcome.value)


async def _answers(client: MeshClient, identity: Identity, job: JobSubjects, node: str, question: bytes = b"") -> bool:
    """Ask a node until it answers; return False if it counts as lost."""
    times = Times(identity.lost_after)
    contact = Contact(client, job, node, times)
    while await contact.ask(question) is None:
        if contact.is_lost:
            return False
        await asyncio.sleep(times.beat)
    return True


async def _declare_lost(client: MeshClient, identity: Identity, job: JobSubjects, node: str) -> JobEnd:
    """Store that a node is lost; return the end of the job, which may be another one."""
    me = identity.title
    return await store_end(client, job, node_lost(node, me, identity.lost_after), seconds=_SECONDS)


async def cancel_job(client: MeshClient, identity: Identity, name: str) -> JobEnd:
    """End a job, and return the end that it has: another one if it had ended before.

    A node that runs it ends it as Ctrl-C does, and its results say so. One that waits is never started.

    Args:
        client: the connection.
        identity: its submitter, or an operator.
        name: the name of the job.

    Raises:
        ConfigurationError: there is no such job.
        JobError: the node does not end it.
        LinkError: there is no answer.
    """
    job = await find_job(client, identity, name)
    if (end := await find_end(client, job, seconds=_SECONDS)) is not None:
        return end
    me = identity.title
    claim = await find_claim(client, job, seconds=_SECONDS)
    if claim is None:  # a node that claims it now finds this end before it starts it
        return await store_end(client, job, JobEnd(Outcome.CANCELED, me, f"canceled by {me}"), seconds=_SECONDS)
    if not await _answers(client, identity, job, claim.node, encode(CancelRequest(me))):
        return await _declare_lost(client, identity, job, claim.node)
    times = Times(identity.lost_after)
    try:
        return await asyncio.wait_for(watch_end(client, job, asyncio.Event(), look_seconds=times.beat), _SECONDS)
    except TimeoutError:
        raise JobError(
            f"job {name}: the node {claim.node} was told to cancel it, and has not ended it within {_SECONDS:g} "
            f"seconds: see playstream mesh logs {claim.node}"
        ) from None
