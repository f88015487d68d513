"""Which signed jobs a node runs: those of listed submitters, as they have signed them, and each of them once."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from playstream.mesh.client import MeshClient
from playstream.mesh.connection import Message
from playstream.mesh.identity import write_private
from playstream.mesh.messages import Order
from playstream.mesh.node.nonces import Nonces
from playstream.mesh.signing import SLACK_SECONDS, VALID_SECONDS, JobVerifier, SubmitterList, read_submitters
from playstream.mesh.subjects import SUBMITTERS, SUBMITTERS_STREAM, JobSubjects
from playstream.pipeline.errors import JobRefused, LinkError, RemoteProtocolError

_FILE: Final = "submitters"
_LOOK_SECONDS = 60.0
_FETCH_SECONDS = 10.0
_NONCE = re.compile(r"[a-z0-9]{16,64}", re.ASCII)


class Gate:
    """Judges jobs. Call `open` first, keep `run` running, and call `close` at the end.

    Args:
        client: the connection of the node.
        ca: the certificate of the CA of the mesh, in PEM format.
        directory: where the node remembers what it has seen.
        log: takes what happens.

    Raises:
        ConfigurationError: the directory cannot be used.
    """

    def __init__(self, client: MeshClient, ca: str, directory: Path, log: Callable[..., None]) -> None:
        self._client = client
        self._ca = ca
        self._nonces = Nonces(directory)
        self._path = directory / _FILE
        self._log = log
        self._list = SubmitterList(-1, {})

    def close(self) -> None:
        """Close the files."""
        self._nonces.close()

    async def open(self) -> None:
        """Read the list that was seen last, and look for a newer one on the server."""
        try:
            self._set(read_submitters(self._path.read_text(encoding="utf-8"), self._ca))
        except FileNotFoundError:
            pass
        except (OSError, ValueError, RemoteProtocolError) as error:
            self._log("error", reason=f"{self._path}: {error}")
        await self._client.subscribe(SUBMITTERS, self._take)
        await self._fetch()

    async def run(self) -> None:
        """Look for newer lists, in case one was not delivered."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            await self._fetch()

    async def _fetch(self) -> None:
        try:
            message = await self._client.find(SUBMITTERS_STREAM, SUBMITTERS, seconds=_FETCH_SECONDS)
        except LinkError as error:
            self._log("error", reason=f"the list of submitters cannot be read: {error}")
            return
        if message is not None:
            await self._take(message)

    async def _take(self, message: Message) -> None:
        """Take a list, unless a newer one was seen before."""
        try:
            found = read_submitters(message.data, self._ca)
        except RemoteProtocolError as error:
            self._log("error", reason=str(error))
            return
        if found.serial <= self._list.serial:
            return
        self._set(found)
        try:
            write_private(self._path, message.data.decode())
        except (OSError, ValueError) as error:
            self._log("error", reason=f"{self._path}: {error}")

    def _set(self, found: SubmitterList) -> None:
        self._list = found
        self._log("submitters", list=found.serial, number=len(found.keys))

    def check(self, job: JobSubjects, order: Order) -> JobVerifier:
        """Check the signature of a job, and return what checks its parts.

        Raises:
            JobRefused: it is not as a listed submitter has signed it, or its time is over.
        """
        key = self._list.keys.get(job.submitter)
        if not order.signature:
            raise JobRefused(
                "the job is not signed, and the node runs signed jobs only. Make the identity of the submitter again: "
                f"playstream mesh remove {job.submitter}, and add it"
            )
        if key is None:
            raise JobRefused(
                f"the submitter {job.submitter!r} is not in the list of submitters that the node has (number "
                f"{self._list.serial}). After it was added, playstream mesh check as an operator publishes the list"
            )
        verifier = JobVerifier(key, order.nonce)
        if not verifier.check_order(job.queued, order) or not _NONCE.fullmatch(order.nonce):
            raise JobRefused(
                f"the job is not as the submitter {job.submitter!r} has signed it: it was changed, cut or forged on "
                "the way, or the identity of the submitter was made again"
            )
        left = (order.expires or 0.0) - time.time()
        if not -SLACK_SECONDS < left < VALID_SECONDS + SLACK_SECONDS:
            raise JobRefused(
                f"the signature of the job is valid for {left:.0f} more seconds by the clock of the node, and between "
                f"0 and {VALID_SECONDS:.0f} are accepted: it is old, or one of the clocks is wrong"
            )
        return verifier

    async def use(self, order: Order) -> None:
        """Use up the signature of a job that `check` has accepted.

        Raises:
            JobRefused: it was used before.
            JobError: that cannot be remembered.
        """
        until = (order.expires or 0.0) + 2 * SLACK_SECONDS
        if not await self._nonces.use(order.nonce, until):
            raise JobRefused("the job was run on this node before: somebody has sent a copy of it, which is not run")
