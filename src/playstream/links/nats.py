"""`nats://HOST/GROUP`: a node of a mesh, which takes the job from a queue.

The stages need descriptors that poll(2) can wait for. So a thread with an event loop passes the bytes between the mesh
and a pair of sockets.
"""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from playstream.links.link import OpenLink
from playstream.links.unix import OpenSocket
from playstream.mesh.client import MeshClient
from playstream.mesh.identity import VARIABLE, Identity, Kind, read_identity
from playstream.mesh.server_config import DEFAULT_PORT, Server
from playstream.mesh.subjects import own_group
from playstream.mesh.submission import Submission
from playstream.mesh.terms import Terms
from playstream.pipeline.errors import ConfigurationError, IncompleteStream, LinkError, PlaystreamError, did_you_mean
from playstream.pipeline.io.cancellation import Cancellation

_FORM = "nats://HOST[:PORT]/GROUP, nats:///GROUP, or …/node/NAME"
_END_SECONDS = 5.0
"""How long the mesh may take to hear that the link has ended."""


@dataclass(frozen=True, slots=True)
class NatsAddress:
    """A group of a mesh."""

    server: Server | None
    """The server to connect to; None for those of the identity."""
    group: str
    identity: str | None
    """The file of the identity; None for that of the environment."""

    @property
    def name(self) -> str:
        """The address as a URL, for messages."""
        host = "" if self.server is None else self.server.url.removeprefix("tls://")
        return f"nats://{host}/{self.group}"


def parse_nats(url: str) -> NatsAddress:
    """Return the parts of `nats://[HOST[:PORT]]/GROUP[?identity=FILE]`, or with `/node/NAME`.

    Raises:
        ConfigurationError: it has another form.
    """
    shown = url.partition("?")[0]
    try:
        parts = urlsplit(url)
        port = parts.port or DEFAULT_PORT
    except ValueError as error:
        raise ConfigurationError(f"link {shown!r}: {error}") from None
    words = parts.path.strip("/").split("/")
    is_node = len(words) == 2 and words[0] == "node"
    if parts.username is not None or parts.fragment or not (is_node or len(words) == 1) or not words[-1]:
        raise ConfigurationError(f"link: expected {_FORM}, without a user, got another form")
    given = dict(parse_qsl(parts.query, keep_blank_values=True))
    for name in given:
        if name != "identity":
            raise ConfigurationError(
                f"link {shown!r}: expected identity=FILE after ?, got {name!r}{did_you_mean(name, ['identity'])}"
            )
    server = Server(parts.hostname, port) if parts.hostname else None
    return NatsAddress(server, own_group(words[1]) if is_node else words[0], given.get("identity"))


class NatsLink:
    """A link over a mesh.

    Args:
        address: the group.
        env: the environment, which may name the file of the identity.

    Raises:
        ConfigurationError: there is no identity of a submitter, or the mesh has no such group.
    """

    def __init__(self, address: NatsAddress, env: Mapping[str, str]) -> None:
        self.terms = Terms()
        """What is asked of the mesh for each job."""
        self.name = address.name
        file = address.identity or env.get(VARIABLE)
        if not file:
            raise ConfigurationError(
                f"link {self.name}: expected the file of an identity: {self.name}?identity=NAME.playstream, or the "
                f"variable {VARIABLE}. playstream mesh add submitter NAME makes one"
            )
        identity = read_identity(Path(file).expanduser(), Kind.SUBMITTER)
        if address.group not in identity.groups:
            raise ConfigurationError(
                f"link {self.name}: the identity {identity.name!r} knows no group {address.group!r}"
                f"{did_you_mean(address.group, identity.groups)} (it knows {', '.join(identity.groups) or 'none'}). "
                "After a group was added to the mesh, copy the file of the identity again"
            )
        if address.server is not None:
            identity = replace(identity, urls=[address.server.url])
        self._identity = identity
        self._group = address.group

    def open(self, _cancellation: Cancellation | None = None, /) -> OpenLink:
        """Connect to a server of the mesh.

        Raises:
            LinkError: no server answers, or none accepts the identity.
        """
        return _OpenNats(self.name, self._identity, self._group, self.terms)


class _OpenNats(OpenSocket):
    """An open link whose other half a thread connects to the mesh."""

    def __init__(self, name: str, identity: Identity, group: str, terms: Terms) -> None:
        ours, self._theirs = socket.socketpair()
        super().__init__(name, ours)
        self._identity = identity
        self._group = group
        self._terms = terms
        self._ready = threading.Event()
        self._error: BaseException | None = None
        self._failure: PlaystreamError | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._work: asyncio.Task[None] | None = None
        self._thread = threading.Thread(target=self._run, name="playstream-nats", daemon=True)
        self._thread.start()
        self._ready.wait()
        self._check()

    def _check(self) -> None:
        """Check that there is a connection."""
        if self._error is not None:
            self._thread.join()
            self.close()
            raise self._error

    def end(self, *, wait: bool) -> None:
        """End the connection; see OpenLink."""
        super().end(wait=wait)
        if not wait and self._loop is not None and self._thread.is_alive():
            try:
                self._loop.call_soon_threadsafe(self._stop)
            except RuntimeError:
                pass  # the loop has just ended
        self._thread.join(_END_SECONDS)

    def explain(self, error: PlaystreamError, *, answered: bool) -> PlaystreamError:  # noqa: ARG002 - as in OpenLink
        """Return why the link ended; see OpenLink."""
        if self._failure is not None and isinstance(error, (IncompleteStream, LinkError)):
            return self._failure
        return error

    def close(self) -> None:
        """Close the connection."""
        super().close()
        self._thread.join(_END_SECONDS)

    def _stop(self) -> None:
        if self._work is not None:
            self._work.cancel()

    def _run(self) -> None:
        try:
            asyncio.run(self._main())
        except BaseException as error:  # noqa: BLE001 - raised in the other thread
            self._error = error
        finally:
            self._theirs.close()
            self._ready.set()

    async def _main(self) -> None:
        client = MeshClient(self._identity.endpoint)
        await client.connect()
        try:
            submission = Submission(client, self._identity, self._group, self.name, self._terms)
            await submission.check_needs()
            source, sink = await asyncio.open_connection(sock=self._theirs)
            self._loop = asyncio.get_running_loop()
            self._work = asyncio.create_task(submission.run(source, sink))
            self._ready.set()
            await asyncio.gather(self._work, return_exceptions=True)
            self._failure = submission.failure
            sink.close()
        finally:
            await client.close()


def find_nats_link(url: str) -> NatsLink:
    """Return the link that a URL names.

    Raises:
        ConfigurationError: the URL, or the identity, cannot be used.
    """
    return NatsLink(parse_nats(url), os.environ)
