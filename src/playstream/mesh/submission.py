"""One job from the side that submits it: its bytes go to the mesh, and its results come from there, until its end."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass, replace
from typing import Final

from playstream._version import __version__
from playstream.mesh.chunks import CHUNK_BYTES, ChunkWriter
from playstream.mesh.client import MeshClient
from playstream.mesh.ends import find_claim, not_started, store_end
from playstream.mesh.features import explain_needs
from playstream.mesh.following import STORE_SECONDS, Follower, Sink
from playstream.mesh.identity import Identity
from playstream.mesh.liveness import Times
from playstream.mesh.messages import JobEnd, Listed, Order, Outcome, encode
from playstream.mesh.nodes import find_nodes
from playstream.mesh.signing import VALID_SECONDS, JobSigner
from playstream.mesh.subjects import JobSubjects, new_job
from playstream.mesh.terms import Terms
from playstream.pipeline.errors import ConfigurationError, LinkError, NeedsNotMet, PlaystreamError
from playstream.pipeline.io.age_batches import BatchWriter
from playstream.pipeline.io.age_keys import import_pyrage

DEFAULT_JOB_BYTES: Final = 1 << 30
"""The size of the largest job that is sent as a whole."""
_LIST_SECONDS = 15.0
"""How long to try to list a job, which fails when no operator has made the list."""
_logger = logging.getLogger("playstream")


@dataclass(frozen=True, slots=True)
class Addressee:
    """Who runs a job."""

    group: str
    key: str
    """The public key of the group."""


class Submission:
    """A job. Call `run` once.

    Args:
        client: a connection of this job alone.
        own: another one, for what it consists of and its results.
        identity: the submitter.
        to: who runs the job, and the key to which it is encrypted.
        name: the name of the link, for messages.
        terms: what is asked of the mesh.
    """

    def __init__(
        self,
        client: MeshClient,
        own: MeshClient,
        identity: Identity,
        to: Addressee,
        name: str,
        terms: Terms | None = None,
    ) -> None:
        self._client = client
        self._identity = identity
        self._name = name
        self._me = identity.title
        self._terms = terms or Terms()
        self.job = JobSubjects(to.group, identity.name, new_job())
        self._key = to.key if self._terms.encrypted else ""
        recipient = import_pyrage().x25519.Recipient.from_str(to.key)
        self._encrypt = BatchWriter([recipient]) if self._terms.encrypted else None
        self._signer = JobSigner(identity.signing_key, new_job()) if identity.signing_key else None
        self._writer = ChunkWriter(
            own,
            self.job.input,
            seconds=STORE_SECONDS,
            sign=None if self._signer is None else self._signer.sign_chunk,
        )
        self._follower = Follower(client, own, identity, self.job, name, self._writer, encrypted=self._terms.encrypted)
        self._is_listed = False
        """Whether the list of the submitter's jobs may have it."""
        self._posted = asyncio.Event()
        self._taken = 0
        """The bytes of the job that were written."""
        self._whole_at: int | None = None
        """With how many bytes the job is whole; None while that is not known."""
        self._has_ended = False
        """Whether the job has an end, as far as this side knows."""
        self._whole = asyncio.Event()
        """Set when they were written."""
        self.failure: PlaystreamError | None = None
        """Why the job has ended, if not by the worker."""

    async def check_needs(self) -> None:
        """Check that a node of the group has what the job needs, as far as nodes have announced themselves.

        Raises:
            NeedsNotMet: none has.
            LinkError: it is not known.
        """
        if (reason := await self._lack()) is not None:
            raise NeedsNotMet(f"{self._name}: {reason}")

    async def _lack(self) -> str | None:
        if not self._terms.needs:
            return None
        nodes = await find_nodes(self._client, self.job.group)
        return explain_needs(self.job.group, self._terms.needs, nodes)

    async def run(self, source: asyncio.StreamReader, sink: Sink) -> None:
        """Submit the job and follow it to its end.

        Args:
            source: its bytes.
            sink: takes the bytes of the results.
        """
        sending = asyncio.create_task(self._send(source))
        marking = asyncio.create_task(self._mark_whole())
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
            for task in (sending, marking, following):
                task.cancel()
            await asyncio.gather(sending, marking, following, return_exceptions=True)
            await self._writer.close()
            await self._give_up()

    @property
    def remains(self) -> str | None:
        """The name of the job if it is whole and this side could not end it; None otherwise."""
        return self.job.job if self._whole.is_set() and not self._has_ended else None

    def note_sent(self, size: int) -> None:
        """Note that the job is whole with its first bytes: from then on it does not end with this side.

        Args:
            size: how many bytes.
        """
        self._whole_at = size
        self._check_whole()

    def _check_whole(self) -> None:
        if self._whole_at is not None and self._taken >= self._whole_at:
            self._whole.set()

    async def _mark_whole(self) -> None:
        await self._whole.wait()
        await self._write(b"", whole=True)

    async def _send(self, source: asyncio.StreamReader) -> None:
        """Send the job's bytes; after the first of them are stored, put it into the queue."""
        await self._send_data(source)
        await self._send_last()

    async def _send_data(self, source: asyncio.StreamReader) -> None:
        while data := await source.read(CHUNK_BYTES):
            await self._write(data if self._encrypt is None else b"".join(self._encrypt.wrap([data], flush=True)))
            if not self._posted.is_set():
                await self._post()
            self._taken += len(data)
            self._check_whole()

    async def _send_last(self) -> None:
        rest = b"" if self._encrypt is None else b"".join(self._encrypt.wrap([], flush=True, last=True))
        await self._write(rest, last=True)
        await self._writer.flush()

    async def _post(self) -> None:
        """Put the job into the queue, after its first bytes are stored and the submitter's list has it."""
        self._is_listed = True
        listed = encode(Listed(self._terms.encrypted))
        await asyncio.gather(self._client.store(self.job.listed, listed, seconds=_LIST_SECONDS), self._writer.flush())
        recipient = self._identity.public_key if self._terms.encrypted else ""
        order = self._signed(Order(__version__, recipient, self._terms.start_within, self._terms.needs, self._key))
        await self._client.store(self.job.queued, encode(order), seconds=STORE_SECONDS)
        self._posted.set()

    def _signed(self, order: Order) -> Order:
        if self._signer is None:
            return order
        expires = time.time() + (self._terms.start_within or VALID_SECONDS)
        order = replace(order, nonce=self._signer.nonce, expires=expires)
        return replace(order, signature=self._signer.sign_order(self.job.queued, order))

    async def _write(self, data: bytes, *, last: bool = False, whole: bool = False) -> None:
        if self._writer.is_blocked:
            self._follower.hurry()
        await self._writer.write(data, last=last, whole=whole)

    async def _follow(self, sink: Sink) -> None:
        await self._posted.wait()
        watching = [
            asyncio.create_task(self._expire(self._terms.start_within)),
            asyncio.create_task(self._watch_needs()),
        ]
        try:
            await self._follower.run(sink)
        finally:
            for task in watching:
                task.cancel()
            await asyncio.gather(*watching, return_exceptions=True)

    async def _watch_needs(self) -> None:
        """End the job if no node that could run it is left while it waits."""
        while self._terms.needs:
            await asyncio.sleep(Times(self._identity.lost_after).lost_after)
            try:
                if await find_claim(self._client, self.job, seconds=STORE_SECONDS) is not None:
                    return
                if (reason := await self._lack()) is not None:
                    await store_end(
                        self._client, self.job, JobEnd(Outcome.UNMET, self._me, reason), seconds=STORE_SECONDS
                    )
                    return
            except PlaystreamError as error:
                _logger.debug("%s: %s", self._name, error)  # the server is away

    async def _expire(self, limit: float | None) -> None:
        """End the job if no node has claimed it in time."""
        if limit is None:
            return
        await asyncio.sleep(limit)
        try:
            if await find_claim(self._client, self.job, seconds=STORE_SECONDS) is None:
                end = JobEnd(Outcome.EXPIRED, self._me, not_started(self.job.group, limit))
                await store_end(self._client, self.job, end, seconds=STORE_SECONDS)
        except PlaystreamError as error:
            _logger.debug("%s: %s", self._name, error)  # a node that claims the job finds out itself

    async def _give_up(self) -> None:
        """End a job that has no end, so that no node starts it, and the one that runs it stops.

        One of which all results have arrived is ended by its node.
        """
        follower = self._follower
        self._has_ended = not self._is_listed or follower.end is not None or follower.is_complete
        if self._has_ended:
            return
        why = "" if self.failure is None else f": {self.failure}"
        end = JobEnd(Outcome.CANCELED, self._me, f"the submitter has given the job up{why}"[:2000])
        try:
            await store_end(self._client, self.job, end, seconds=Times(self._identity.lost_after).beat * 2)
            self._has_ended = True
        except PlaystreamError as error:
            # The node notices the silence if the job is not whole.
            _logger.debug("%s: the job could not be given up: %s", self._name, error)


class DetachedSubmission(Submission):
    """A job that is only sent. Call `run` once.

    Args:
        client: a connection of this job alone.
        own: another one, for what it consists of.
        identity: the submitter.
        to: who runs the job, and the key to which it is encrypted.
        name: the name of the link, for messages.
        terms: what is asked of the mesh.
        max_bytes: how many bytes the job may have, as it is sent.
    """

    def __init__(
        self,
        client: MeshClient,
        own: MeshClient,
        identity: Identity,
        to: Addressee,
        name: str,
        terms: Terms,
        max_bytes: int,
    ) -> None:
        super().__init__(client, own, identity, to, name, terms)
        self._writer.stop_limiting()
        self._max_bytes = max_bytes
        self._committed = False

    def commit(self) -> None:
        """Note that the source ends with the end of the job."""
        self._committed = True

    async def run(self, source: asyncio.StreamReader, _sink: Sink) -> None:
        """Send the job; it ends if that fails.

        Args:
            source: its bytes.
        """
        is_stored = False
        try:
            await self._send_data(source)
            if not self._committed:
                raise LinkError(f"{self._name}: the job was broken off")
            await self._send_last()
            is_stored = True
        except PlaystreamError as error:
            self.failure = error
        finally:
            await self._writer.close()
            if not is_stored:
                await self._give_up()

    async def _write(self, data: bytes, *, last: bool = False, whole: bool = False) -> None:
        if self._taken > self._max_bytes:
            raise too_large(f"more than {self._max_bytes:,} bytes", self._max_bytes)
        await super()._write(data, last=last, whole=whole)


def too_large(size: str, limit: int) -> ConfigurationError:
    """Return the error for a job that is too large to be sent as a whole."""
    return ConfigurationError(
        f"the job has {size}, and at most {limit:,} are kept on the server of the mesh: exclude what it does not need "
        "(--exclude), or raise --max-job-bytes. Without --detach a job is sent while the node reads it, and has no "
        "such limit"
    )
