"""Which signed jobs a node runs: those of listed submitters, as they have signed them, and each of them once."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from playstream.mesh.client import MeshClient
from playstream.mesh.identity import write_private
from playstream.mesh.messages import Order
from playstream.mesh.node.nonces import Nonces
from playstream.mesh.node.watching import Watch
from playstream.mesh.signing import SLACK_SECONDS, VALID_SECONDS, JobVerifier, KeyList, ListKind
from playstream.mesh.subjects import SUBMITTERS, SUBMITTERS_STREAM, JobSubjects
from playstream.pipeline.errors import JobRefused, RemoteProtocolError

_FILE: Final = "submitters"
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
        self._watch = Watch(client, ListKind.SUBMITTERS, SUBMITTERS_STREAM, SUBMITTERS, ca, self._take, log)
        self._nonces = Nonces(directory)
        self._path = directory / _FILE
        self._log = log
        self._list = KeyList(-1, {})

    def close(self) -> None:
        """Close the files."""
        self._nonces.close()

    async def open(self) -> None:
        """Read the list that was seen last, and look for a newer one on the server."""
        try:
            self._watch.read(self._path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            pass
        except (OSError, ValueError, RemoteProtocolError) as error:
            self._log("error", reason=f"{self._path}: {error}")
        await self._watch.open()
        await self._watch.fetch()

    async def run(self) -> None:
        """Look for newer lists, in case one was not delivered."""
        await self._watch.run()

    def _take(self, found: KeyList, text: bytes) -> None:
        """Take a list, and remember that it was seen."""
        self._list = found
        self._log("submitters", list=found.serial, number=len(found.keys))
        try:
            write_private(self._path, text.decode())
        except (OSError, ValueError) as error:
            self._log("error", reason=f"{self._path}: {error}")

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
