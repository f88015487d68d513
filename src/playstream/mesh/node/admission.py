"""Whether a node runs a job that it has claimed: it is in time, and encrypted and signed as the node wants it.

A node that runs it gets what it needs for that from here: a key, and what checks signatures.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

from playstream.mesh.client import MeshClient
from playstream.mesh.delivery import Message
from playstream.mesh.ends import not_started, queue_seconds
from playstream.mesh.messages import Order
from playstream.mesh.node.gate import Gate
from playstream.mesh.node.keyring import Keyring
from playstream.mesh.signing import JobVerifier
from playstream.mesh.subjects import JobSubjects
from playstream.pipeline.errors import JobExpired, JobRefused

_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Admitted:
    """What a job is run with."""

    secret_keys: tuple[str, ...]
    """The key that decrypts it; none if it is not encrypted."""
    verifier: JobVerifier | None
    """What checks its parts; None if they need no signatures."""


class Admission:
    """Judges jobs. Call `open` first, keep `run` running, and call `close` at the end.

    Args:
        keyring: the keys of the groups.
        gate: judges signatures; None if jobs need none.
        plain: whether jobs may be not encrypted.
    """

    def __init__(self, keyring: Keyring, gate: Gate | None, *, plain: bool) -> None:
        self._keyring = keyring
        self._gate = gate
        self._plain = plain

    async def open(self) -> None:
        """Learn which jobs are signed, and which keys there are."""
        await self._keyring.open()
        if self._gate is not None:
            await self._gate.open()

    async def run(self) -> None:
        """Learn it again as it changes."""
        await asyncio.gather(self._keyring.run(), *([] if self._gate is None else [self._gate.run()]))

    def close(self) -> None:
        """Close files."""
        if self._gate is not None:
            self._gate.close()

    async def admit(self, client: MeshClient, job: JobSubjects, order: Order, message: Message) -> Admitted:
        """Return with what this node runs a job that it has claimed.

        Args:
            client: the connection of the node.
            job: the job.
            order: what its message says.
            message: the message, as the queue has delivered it.

        Raises:
            JobExpired: it was in the queue for too long.
            JobRefused: this node does not run it.
            JobError: it cannot be remembered, or the node does not have the key for it.
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
        verifier = None if self._gate is None else self._gate.check(job, order)
        keys = await self._keyring.find(job.group, order.key) if order.recipient else ()
        if self._gate is not None:
            await self._gate.use(order)
        return Admitted(keys, verifier)
