"""What each identity can do on a real server, tried with the library itself."""

from __future__ import annotations

import asyncio
import itertools
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import nats.errors
import pytest
from nats.aio.client import Client

from playstream.mesh.client import MeshClient
from playstream.mesh.directory import add_member, remove_member
from playstream.mesh.identity import Identity, Kind
from playstream.mesh.streams import Sizes, make_all
from playstream.mesh.subjects import new_job
from playstream.mesh.transport import StreamTransport
from playstream.pipeline.errors import AuthenticationFailed, HostKeyRejected
from tests.mesh.meshes import Mesh

SECONDS = 20.0
SIZES = Sizes(queue_bytes=1 << 20, input_bytes=1 << 22, output_bytes=1 << 22, state_bytes=1 << 20)
JOB = new_job()
PURGE = json.dumps({"filter": f"in.web.ann.{JOB}.0"}).encode()
ANNOUNCED = json.dumps({"seq": 1, "next_by_subj": "node.web.*"}).encode()
PULL = json.dumps({"batch": 1, "no_wait": True}).encode()


async def connect_raw(servers: list[str], **options: Any) -> Any:
    """Connect with the library alone."""
    client = Client()
    client._transport = StreamTransport()  # the library's own stays open after a handshake that has failed
    try:
        await client.connect(servers, allow_reconnect=False, **options)
    except BaseException:
        await client.close()
        raise
    return client


class Raw:
    """A connection of the library, with what the server has refused."""

    def __init__(self) -> None:
        self.refused: list[str] = []
        self.nats: Any = None
        self._numbers = itertools.count()
        self._news = asyncio.Event()

    async def _note(self, error: Exception) -> None:
        self.refused.append(str(error))
        self._news.set()

    async def connect(self, identity: Identity) -> None:
        endpoint = identity.endpoint
        self.nats = await connect_raw(
            list(endpoint.urls), tls=endpoint.tls, inbox_prefix=endpoint.inbox, error_cb=self._note
        )

    async def may_publish(self, subject: str, data: bytes = b"") -> bool:
        """Publish, and find out whether the server has refused it."""
        await self.nats.publish(subject, data)
        return await self._is_allowed(subject)

    async def may_subscribe(self, subject: str) -> bool:
        subscription = await self.nats.subscribe(subject)
        allowed = await self._is_allowed(subject)
        await subscription.unsubscribe()
        return allowed

    async def _is_allowed(self, subject: str) -> bool:
        """Publish something else that is refused: what was refused before that has been reported then."""
        marker = f"marker.{next(self._numbers)}"
        await self.nats.publish(marker, b"")
        while not any(marker in text for text in self.refused):
            self._news.clear()
            await asyncio.wait_for(self._news.wait(), SECONDS)
        found = any(f'"{subject.lower()}"' in text for text in self.refused)
        self.refused.clear()
        return not found


def populate(mesh: Mesh) -> None:
    add_member(mesh.directory, Kind.NODE, "node1", ["web"])
    add_member(mesh.directory, Kind.NODE, "node2", ["db"])
    add_member(mesh.directory, Kind.SUBMITTER, "ann")
    add_member(mesh.directory, Kind.SUBMITTER, "bob")
    mesh.reload()


@asynccontextmanager
async def everybody(mesh: Mesh) -> AsyncIterator[dict[str, Raw]]:
    async with AsyncExitStack() as opened:
        admin = await mesh.connect("admin")
        opened.push_async_callback(admin.close)
        await make_all(admin, mesh.identity("admin"), SIZES)
        found = {}
        for name in ("node1", "node2", "ann", "bob"):
            raw = found[name] = Raw()
            await raw.connect(mesh.identity(name))
            opened.push_async_callback(raw.nats.close)
        yield found


ALLOWED_TO_PUBLISH = [
    ("ann", f"job.web.ann.{JOB}", b""),
    ("ann", f"in.web.ann.{JOB}.0", b""),
    ("ann", f"end.web.ann.{JOB}", b""),
    ("ann", f"ctl.web.node1.ann.{JOB}", b""),
    ("ann", f"list.ann.web.{JOB}", b""),
    ("ann", "$JS.API.STREAM.INFO.LIST_ann", b'{"subjects_filter":">"}'),
    ("ann", f"$JS.API.DIRECT.GET.LIST_ann.list.ann.web.{JOB}", b""),
    ("ann", f"$JS.API.DIRECT.GET.OUT_web.out.web.node1.ann.{JOB}.0", b""),
    ("ann", "ask.node1.status", b""),
    ("ann", "$JS.API.DIRECT.GET.MESH", ANNOUNCED),
    ("ann", "$JS.API.DIRECT.GET.GROUPS.groups", b""),
    ("node1", "$JS.API.DIRECT.GET.SUBMITTERS.submitters", b""),
    ("node1", "$JS.API.DIRECT.GET.KEYS.keys.node1", b""),
    ("node1", "node.web.node1", b""),
    ("node1", "offer.web", b""),
    ("node1", f"$JS.API.DIRECT.GET.JOBS_web.job.web.ann.{JOB}", b""),
    ("node1", f"claim.web.ann.{JOB}", b""),
    ("node1", f"beat.web.node1.ann.{JOB}", b""),
    ("node1", f"out.web.node1.ann.{JOB}.0", b""),
    ("node1", f"end.web.ann.{JOB}", b""),
    ("node1", "$JS.API.CONSUMER.MSG.NEXT.JOBS_web.web", PULL),
    ("node1", "$JS.API.CONSUMER.MSG.NEXT.JOBS_node_node1.node_node1", PULL),
    ("node1", "$JS.API.STREAM.PURGE.IN_web", PURGE),
]
REFUSED_TO_PUBLISH = [
    # A submitter is not another one, runs no jobs, and changes no stream.
    ("ann", f"job.web.bob.{JOB}", b""),
    ("ann", f"in.web.bob.{JOB}.0", b""),
    ("ann", f"end.web.bob.{JOB}", b""),
    ("ann", f"ctl.web.node1.bob.{JOB}", b""),
    ("ann", f"claim.web.ann.{JOB}", b""),
    ("ann", f"beat.web.node1.ann.{JOB}", b""),
    ("ann", f"out.web.node1.ann.{JOB}.0", b""),
    ("ann", f"$JS.API.DIRECT.GET.OUT_web.out.web.node1.bob.{JOB}.0", b""),
    ("ann", f"$JS.API.DIRECT.GET.IN_web.in.web.bob.{JOB}.0", b""),
    ("ann", "$JS.API.DIRECT.GET.OUT_web", b'{"seq":1}'),
    ("ann", "$JS.API.CONSUMER.MSG.NEXT.JOBS_web.web", PULL),
    ("ann", "$JS.API.CONSUMER.CREATE.OUT_web.spy.out.web.node1.bob.>", b"{}"),
    ("ann", "$JS.API.STREAM.PURGE.IN_web", PURGE),
    ("ann", "$JS.API.STREAM.DELETE.OUT_web", b""),
    ("ann", "$JS.API.STREAM.NAMES", b""),
    ("ann", "submitters", b""),
    ("ann", "groups", b""),
    ("ann", "keys.node1", b""),
    ("ann", "$JS.API.DIRECT.GET.KEYS.keys.node1", b""),
    ("ann", "$JS.API.STREAM.PURGE.GROUPS", b""),
    ("ann", "ask.node1.logs", b""),
    ("ann", "node.web.node1", b""),
    ("ann", "offer.web", b""),
    ("ann", f"$JS.API.DIRECT.GET.JOBS_web.job.web.bob.{JOB}", b""),
    ("ann", "$JS.API.DIRECT.GET.JOBS_web", b'{"seq":1}'),
    ("ann", "$JS.API.STREAM.INFO.JOBS_web", b""),
    ("ann", "$JS.API.STREAM.PURGE.MESH", b""),
    ("ann", "$JS.API.STREAM.INFO.LIST_bob", b'{"subjects_filter":">"}'),
    ("ann", "$JS.API.STREAM.INFO.STATE_web", b'{"subjects_filter":">"}'),
    ("ann", "$JS.API.STREAM.PURGE.LIST_ann", b""),
    ("ann", "$JS.API.DIRECT.GET.LIST_bob", b'{"seq":1}'),
    ("ann", f"$JS.API.DIRECT.GET.LIST_bob.list.bob.web.{JOB}", b""),
    ("ann", f"list.bob.web.{JOB}", b""),
    # A node runs jobs of its groups, and nothing else.
    ("node1", "submitters", b""),
    ("node1", "groups", b""),
    ("node1", "keys.node1", b""),
    ("node1", "keys.node2", b""),
    ("node1", "$JS.API.DIRECT.GET.KEYS.keys.node2", b""),
    ("node1", "$JS.API.DIRECT.GET.KEYS", b'{"seq":1}'),
    ("node1", "$JS.API.STREAM.PURGE.KEYS", b""),
    ("node1", "node.web.node2", b""),
    ("node1", "node.db.node1", b""),
    ("node1", "offer.db", b""),
    ("node1", "ask.node2.status", b""),
    ("node1", f"$JS.API.DIRECT.GET.JOBS_db.job.db.ann.{JOB}", b""),
    ("node1", "$JS.API.DIRECT.GET.JOBS_web", b'{"seq":1}'),
    ("node1", f"job.web.ann.{JOB}", b""),
    ("node1", f"in.web.ann.{JOB}.0", b""),
    ("node1", f"ctl.web.node1.ann.{JOB}", b""),
    ("node1", f"out.web.node2.ann.{JOB}.0", b""),
    ("node1", f"beat.web.node2.ann.{JOB}", b""),
    ("node1", f"claim.db.ann.{JOB}", b""),
    ("node1", f"end.db.ann.{JOB}", b""),
    ("node1", f"out.db.node1.ann.{JOB}.0", b""),
    ("node1", "$JS.API.CONSUMER.MSG.NEXT.JOBS_db.db", PULL),
    ("node1", "$JS.API.CONSUMER.MSG.NEXT.JOBS_node_node2.node_node2", PULL),
    ("node1", f"$JS.API.DIRECT.GET.IN_db.in.db.ann.{JOB}.0", b""),
    ("node1", f"$JS.API.DIRECT.GET.OUT_web.out.web.node1.ann.{JOB}.0", b""),
    ("node1", f"list.ann.web.{JOB}", b""),
    ("node1", "$JS.API.STREAM.INFO.LIST_ann", b""),
    ("node1", f"$JS.API.DIRECT.GET.LIST_ann.list.ann.web.{JOB}", b""),
    ("node1", "$JS.API.STREAM.PURGE.OUT_web", PURGE),
    ("node1", "$JS.API.STREAM.PURGE.IN_db", PURGE),
    ("node1", "$JS.API.STREAM.CREATE.OTHER", b"{}"),
    ("node1", "$JS.API.STREAM.DELETE.OUT_web", b""),
    ("node1", "$SYS.REQ.SERVER.PING", b""),
]
ALLOWED_TO_SUBSCRIBE = [
    ("ann", f"out.web.*.ann.{JOB}.*"),
    ("ann", f"claim.web.ann.{JOB}"),
    ("ann", f"end.web.ann.{JOB}"),
    ("node1", "submitters"),
    ("node1", "keys.node1"),
    ("node1", "ask.node1.*"),
    ("node1", "offer.web"),
    ("node1", f"in.web.ann.{JOB}.*"),
    ("node1", "ctl.web.node1.>"),
    ("node1", f"end.web.ann.{JOB}"),
]
REFUSED_TO_SUBSCRIBE = [
    ("ann", f"out.web.*.bob.{JOB}.*"),
    ("ann", "out.>"),
    ("ann", ">"),
    ("ann", f"in.web.bob.{JOB}.*"),
    ("ann", "job.>"),
    ("ann", "list.>"),
    ("ann", "list.bob.>"),
    ("ann", "_INBOX.submitter.bob.>"),
    ("ann", "_INBOX.>"),
    ("ann", "ctl.web.node1.>"),
    ("ann", "ask.>"),
    ("ann", "offer.web"),
    ("ann", "node.>"),
    ("ann", "keys.>"),
    ("ann", "$SYS.>"),
    ("ann", "$JS.EVENT.>"),
    ("node1", "keys.node2"),
    ("node1", "keys.*"),
    ("node1", "in.db.>"),
    ("node1", "out.>"),
    ("node1", "ask.node2.*"),
    ("node1", "offer.db"),
    ("node1", "node.>"),
    ("node1", "ctl.web.node2.>"),
    ("node1", "_INBOX.node.node2.>"),
    ("node1", ">"),
]


def test_each_identity_can_do_what_it_has_to_and_nothing_else(mesh: Mesh) -> None:
    populate(mesh)

    async def run() -> None:
        async with everybody(mesh) as raw:
            for name, subject, data in ALLOWED_TO_PUBLISH:
                assert await raw[name].may_publish(subject, data), f"{name} may publish to {subject}"
            for name, subject, data in REFUSED_TO_PUBLISH:
                assert not await raw[name].may_publish(subject, data), f"{name} may not publish to {subject}"
            for name, subject in ALLOWED_TO_SUBSCRIBE:
                assert await raw[name].may_subscribe(subject), f"{name} may subscribe to {subject}"
            for name, subject in REFUSED_TO_SUBSCRIBE:
                assert not await raw[name].may_subscribe(subject), f"{name} may not subscribe to {subject}"

    asyncio.run(run())


def test_what_is_not_allowed_is_an_error_that_says_so(mesh: Mesh) -> None:
    populate(mesh)

    async def run() -> None:
        client = await mesh.connect("ann")
        with pytest.raises(AuthenticationFailed, match=r"do not allow submitter ann to publish to 'job\.web\.bob"):
            await client.store(f"job.web.bob.{JOB}", b"", seconds=SECONDS)
        await client.close()

    asyncio.run(run())


def test_an_identity_is_added_and_removed_while_the_server_runs(mesh: Mesh) -> None:
    populate(mesh)
    kept = mesh.identity("ann")

    async def run() -> None:
        others = await mesh.connect("bob")
        ann = await mesh.connect("ann")
        remove_member(mesh.directory, "ann")
        mesh.reload()
        with pytest.raises(AuthenticationFailed, match="was removed from the mesh"):
            await ann.store(f"job.web.ann.{JOB}", b"", seconds=SECONDS)
        raw = Raw()
        with pytest.raises((nats.errors.Error, OSError)):
            await raw.connect(kept)
        with pytest.raises(AuthenticationFailed, match=r"does not accept the identity submitter ann: it was removed"):
            await type(ann)(kept.endpoint).connect(SECONDS)
        assert others.is_connected
        assert others.connections == 1
        await others.close()

    asyncio.run(run())
    assert not mesh.path("ann").exists()


def test_an_identity_of_another_mesh_is_refused(mesh: Mesh, tmp_path: Path) -> None:
    add_member(mesh.directory, Kind.SUBMITTER, "ann")
    mesh.reload()
    other = Mesh("current", tmp_path / "other")
    add_member(other.directory, Kind.SUBMITTER, "ann")
    ours, theirs = mesh.identity("ann"), other.identity("ann")

    async def connect(identity: Identity) -> None:
        await MeshClient(identity.endpoint).connect(SECONDS)

    with pytest.raises(HostKeyRejected, match="The identity file is of another mesh"):
        asyncio.run(connect(replace(theirs, urls=ours.urls)))
    with pytest.raises(AuthenticationFailed, match="does not accept the identity submitter ann"):
        asyncio.run(connect(replace(theirs, urls=ours.urls, ca=ours.ca)))


def test_a_connection_without_a_certificate_is_refused(mesh: Mesh) -> None:
    context = ssl.create_default_context(cadata=mesh.identity("admin").ca)

    async def run() -> None:
        with pytest.raises((nats.errors.Error, OSError)):
            await connect_raw([f"tls://localhost:{mesh.port}"], tls=context)

    asyncio.run(run())
