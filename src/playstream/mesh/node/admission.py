"""Whether a node runs a job that it has claimed: it is in time, and encrypted and signed as the node wants it."""

from __future__ import annotations

from typing import Final

from playstream.mesh.client import MeshClient
from playstream.mesh.connection import Message
from playstream.mesh.ends import not_started, queue_seconds
from playstream.mesh.messages import Order
from playstream.mesh.node.gate import Gate
from playstream.mesh.signing import JobVerifier
from playstream.mesh.subjects import JobSubjects
from playstream.pipeline.errors import JobExpired, JobRefused

_SECONDS: Final = 10.0


class Admission:
    """Judges jobs.

    Args:
        plain: whether jobs may be not encrypted.
        gate: judges signatures; None if jobs need none.
    """

    def __init__(self, gate: Gate | None, *, plain: bool) -> None:
        self._gate = gate
        self._plain = plain

    async def admit(self, client: MeshClient, job: JobSubjects, order: Order, message: Message) -> JobVerifier | None:
        """Return what checks the parts of a job that this node has claimed; None if they need no signatures.

        Args:
            client: the connection of the node.
            job: the job.
            order: what its message says.
            message: the message, as the queue has delivered it.

        Raises:
            JobExpired: it was in the queue for too long.
            JobRefused: this node does not run it.
            JobError: it cannot be remembered.
            LinkError: there is no answer.
        """
        limit = order.start_within
        if limit is not None and await queue_seconds(client, job, message, seconds=_SECONDS) > limit:
            raise JobExpired(not_started(job.group, limit))
        if not order.recipient.startswith("age1") and (order.recipient or not self._plain):
            raise JobRefused(
                "the job names no public key of age for its results, and the node runs encrypted jobs only. Omit "
                "--no-encryption, or start the node with it, too"
            )
        if self._gate is None:
            return None
        verifier = self._gate.check(job, order)
        await self._gate.use(order)
        return verifier
