"""`nats://HOST/GROUP`: a node of a mesh, which takes the job from a queue."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from playstream.links.link import OpenLink
from playstream.links.mesh_thread import OpenMesh
from playstream.mesh.client import MeshClient
from playstream.mesh.identity import VARIABLE, Identity, Kind, read_identity
from playstream.mesh.publishing import find_group_key
from playstream.mesh.server_config import DEFAULT_PORT, Server
from playstream.mesh.subjects import own_group
from playstream.mesh.submission import Addressee, DetachedSubmission, Submission
from playstream.mesh.terms import Terms
from playstream.pipeline.errors import ConfigurationError, did_you_mean
from playstream.pipeline.io.cancellation import LOOK_SECONDS, Cancellation, check_canceled

_FORM = "nats://HOST[:PORT]/GROUP, nats:///GROUP, or …/node/NAME"


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
        ConfigurationError: there is no identity of a submitter.
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
        if address.server is not None:
            identity = replace(identity, urls=[address.server.url])
        self._identity = identity
        self._group = address.group

    def open(self, _cancellation: Cancellation | None = None, /) -> OpenLink:
        """Connect to a server of the mesh.

        Raises:
            ConfigurationError: the mesh has no such group.
            LinkError: no server answers, or none accepts the identity.
        """
        return OpenMesh(self.name, self._identity, self._make)

    def open_detached(self, max_bytes: int) -> OpenDetached:
        """Connect to a server of the mesh, to send a job and not to follow it.

        Args:
            max_bytes: how many bytes it may have, as it is sent.

        Raises:
            ConfigurationError: the mesh has no such group.
            LinkError: no server answers, or none accepts the identity.
        """
        return OpenDetached(self.name, self._identity, self._group, self.terms, max_bytes)

    async def _make(self, client: MeshClient, own: MeshClient) -> Submission:
        to = await _find_addressee(client, self._identity, self._group, self.name)
        submission = Submission(client, own, self._identity, to, self.name, self.terms)
        await submission.check_needs()
        return submission


class OpenDetached(OpenMesh):
    """An open link that takes one job, and has no results."""

    def __init__(self, name: str, identity: Identity, group: str, terms: Terms, max_bytes: int) -> None:
        self._submission: DetachedSubmission | None = None

        async def make(client: MeshClient, own: MeshClient) -> DetachedSubmission:
            to = await _find_addressee(client, identity, group, name)
            submission = self._submission = DetachedSubmission(client, own, identity, to, name, terms, max_bytes)
            await submission.check_needs()
            return submission

        super().__init__(name, identity, make)

    def deliver(self, cancellation: Cancellation) -> str:
        """Wait until all of the job, which was written, is on the server. Return its name.

        Args:
            cancellation: requests to give the job up.

        Raises:
            Canceled: it was requested.
            PlaystreamError: the job could not be sent.
        """
        submission = self._submission
        if submission is None:
            raise AssertionError("an open link has a submission")
        if cancellation.reason is None:
            self.call(submission.commit)
            self.end_output()
        while not self.wait(LOOK_SECONDS) and cancellation.reason is None:
            pass
        self.end(wait=False)
        if submission.failure is not None and cancellation.reason is None:
            raise submission.failure
        check_canceled(cancellation)
        return submission.job.job


async def _find_addressee(client: MeshClient, identity: Identity, group: str, name: str) -> Addressee:
    return Addressee(group, await find_group_key(client, identity, group, name))


def find_nats_link(url: str) -> NatsLink:
    """Return the link that a URL names.

    Raises:
        ConfigurationError: the URL, or the identity, cannot be used.
    """
    return NatsLink(parse_nats(url), os.environ)
