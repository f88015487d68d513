"""Claims and ends: each job has at most one claim and exactly one end, whoever stores them.

A message is delivered to who has subscribed even if the server does not store it. So what is delivered is only a hint
to look for what is stored.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import time
from typing import Final

from playstream._version import __version__
from playstream.mesh.client import MeshClient, queued_at, stored_at
from playstream.mesh.delivery import Message, NoAnswer
from playstream.mesh.messages import Claim, JobEnd, Outcome, decode, encode
from playstream.mesh.storing import AlreadyStored
from playstream.mesh.subjects import JobSubjects
from playstream.pipeline.errors import JobExpired, JobRefused, LinkError, NodeLost, PlaystreamError, RemoteProtocolError

_PURGE_SECONDS: Final = 5.0
_HINTED_LOOKS: Final = 10
_HINTED_SECONDS: Final = 0.02
"""How often, and after which time, to look again for what was delivered and may not be stored yet."""
_logger = logging.getLogger("playstream")


async def claim_job(client: MeshClient, job: JobSubjects, node: str, *, seconds: float) -> Claim | None:
    """Claim a job for a node.

    Args:
        client: the connection of the node.
        job: the job.
        node: the name of the node.
        seconds: how long to try.

    Returns:
        The claim of another node that was first; None if the job is this node's.

    Raises:
        LinkError: it is not known who has the job.
    """
    word = secrets.token_hex(16)
    claim = Claim(node, word, __version__)
    try:
        await client.store(job.claim, encode(claim), message_id=word, only_first=True, seconds=seconds)
    except AlreadyStored:
        found = decode(Claim, (await _find_stored(client, job, job.claim, seconds=seconds)).data)
        return None if found.word == word else found
    return None


async def _find_stored(client: MeshClient, job: JobSubjects, subject: str, *, seconds: float) -> Message:
    """Return the claim or the end of a job that has one. Some servers of a cluster hear of it later than others.

    Raises:
        NoAnswer: it cannot be read.
    """
    until = time.monotonic() + seconds
    while True:
        message = await client.find(job.streams.state, subject, seconds=seconds)
        if message is not None:
            return message
        if time.monotonic() > until:
            raise NoAnswer(f"the server has {subject!r}, and does not return it")
        await asyncio.sleep(_HINTED_SECONDS)


async def find_claim(client: MeshClient, job: JobSubjects, *, seconds: float) -> Claim | None:
    """Return who has claimed a job; None if nobody has.

    Raises:
        LinkError: there is no answer.
        RemoteProtocolError: the claim has another form.
    """
    message = await client.find(job.streams.state, job.claim, seconds=seconds)
    return None if message is None else decode(Claim, message.data)


async def find_end(client: MeshClient, job: JobSubjects, *, seconds: float) -> JobEnd | None:
    """Return the end of a job; None if it has not ended.

    Raises:
        LinkError: there is no answer.
        RemoteProtocolError: the end has another form.
    """
    message = await client.find(job.streams.state, job.end, seconds=seconds)
    return None if message is None else decode(JobEnd, message.data)


async def watch_end(client: MeshClient, job: JobSubjects, hint: asyncio.Event, *, look_seconds: float) -> JobEnd:
    """Wait for the end of a job, and return it.

    Args:
        client: the connection.
        job: the job.
        hint: set when an end was delivered.
        look_seconds: how often to look without a hint.

    Raises:
        LinkError: this identity was removed.
    """
    while True:
        try:
            await asyncio.wait_for(hint.wait(), look_seconds)
        except TimeoutError:
            pass
        for _ in range(_HINTED_LOOKS if hint.is_set() else 1):
            hint.clear()
            try:
                if (end := await find_end(client, job, seconds=look_seconds)) is not None:
                    return end
            except (NoAnswer, RemoteProtocolError):
                pass
            await asyncio.sleep(_HINTED_SECONDS)


async def store_end(client: MeshClient, job: JobSubjects, end: JobEnd, *, seconds: float) -> JobEnd:
    """Store the end of a job, unless it has one.

    Returns:
        The end that the job has: this one, or the earlier one.

    Raises:
        LinkError: it could not be stored.
    """
    until = time.monotonic() + seconds
    identifier = f"{job.end} {secrets.token_hex(8)}"
    try:
        await client.store(job.end, encode(end), message_id=identifier, only_first=True, seconds=seconds)
    except AlreadyStored:
        left = max(1.0, until - time.monotonic())
        return decode(JobEnd, (await _find_stored(client, job, job.end, seconds=left)).data)
    return end


async def purge_input(client: MeshClient, job: JobSubjects) -> None:
    """Remove from the server what a job consists of that has ended. What remains, because this fails, expires."""
    body = json.dumps({"filter": f"{job.input}.*"}).encode()
    until = time.monotonic() + _PURGE_SECONDS
    try:
        await client.ask(f"$JS.API.STREAM.PURGE.{job.streams.input}", body, until=until)
    except LinkError as error:
        _logger.debug("job %s: %s", job.job, error)


def not_started(group: str, limit: float) -> str:
    """Return why a job is not started any more."""
    return (
        f"no node of the group {group} has started the job within {limit:g} seconds (--start-within), so it is not "
        "started any more: all were busy, or none was connected"
    )


async def queue_seconds(client: MeshClient, job: JobSubjects, message: Message, *, seconds: float) -> float:
    """Return how long a job was in the queue before this node has claimed it, by the clock of the server alone.

    Args:
        client: the connection.
        job: the job.
        message: its message, as the queue has delivered it.
        seconds: how long to try.

    Raises:
        LinkError: it cannot be found out.
    """
    return stored_at(await _find_stored(client, job, job.claim, seconds=seconds)) - queued_at(message)


def outcome_of(error: PlaystreamError | None) -> Outcome:
    """Return how a job has ended that a node did not run, or could not run to its end."""
    kinds = {JobExpired: Outcome.EXPIRED, JobRefused: Outcome.REFUSED, NodeLost: Outcome.LOST}
    return next((outcome for kind, outcome in kinds.items() if isinstance(error, kind)), Outcome.FAILED)


def node_lost(node: str, by: str, lost_after: float) -> JobEnd:
    """Return the end of a job whose node is silent."""
    return JobEnd(
        Outcome.LOST,
        by,
        f"the node {node} has been silent for {lost_after:g} seconds while it ran the job: it was killed, is frozen, "
        "or has lost the mesh. Results received before are kept; Ansible was ended there, or is as "
        "soon as the host runs again",
    )
