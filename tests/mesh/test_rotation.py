"""The keys of groups after a node was removed: it reads nothing that is sent later, and the others run all jobs."""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import nats.errors
import pytest
from hypothesis import given
from hypothesis import strategies as st

from playstream.mesh.client import MeshClient
from playstream.mesh.delivery import Message
from playstream.mesh.directory import add_member, remove_member
from playstream.mesh.group_keys import LONGEST_SECONDS, Group, Retired, make_keys, open_keys, public_of, seal_keys
from playstream.mesh.identity import Identity, Kind
from playstream.mesh.messages import Outcome
from playstream.mesh.registry import Registry
from playstream.mesh.signing import ListKind, sign_list
from playstream.mesh.streams import make_all
from playstream.mesh.subjects import GROUPS, new_job
from playstream.pipeline.errors import RemoteProtocolError
from playstream.pipeline.io.age_batches import BatchReader
from playstream.pipeline.io.age_keys import import_pyrage
from tests.mesh.meshes import Mesh
from tests.mesh.nodes import SIZES, World, outcomes
from tests.mesh.test_permissions import Raw
from tests.processes import wait_until

LINK_ERROR = 74


def publish(world: World) -> None:
    """Do what `mesh check` does."""

    async def make(client: MeshClient) -> None:
        await make_all(client, world.mesh.identity("admin"), SIZES)

    world.as_operator(make)


def remove(world: World, name: str) -> None:
    remove_member(world.mesh.directory, name)
    world.mesh.reload()


@contextmanager
def kept_file(world: World, name: str, folder: Path) -> Iterator[None]:
    """Let the host of an identity have the file that it has now, whatever the directory of the mesh gets."""
    kept = folder / f"kept-{name}"
    shutil.copy(world.mesh.path(name), kept)
    yield
    shutil.copy(kept, world.mesh.path(name))


def first_part(world: World, directory: Path) -> bytes:
    """Run a job, and return its first message, as it was on the server's disk."""
    parts: list[Message] = []

    async def record(client: MeshClient) -> None:
        async def take(message: Message) -> None:
            parts.append(message)

        await client.subscribe("in.web.>", take)
        await client.flush()
        status, _stdout, stderr = await asyncio.to_thread(world.run, directory, "site.yml")
        assert status == 0, stderr

    world.as_operator(record)
    return next(part.data for part in parts if part.subject.endswith(".0"))


def can_read(part: bytes, identity: Identity) -> bool:
    """Return whether the secret keys of an identity decrypt a message."""
    parse = import_pyrage().x25519.Identity.from_str
    reader = BatchReader([parse(secret) for secret in identity.secret_keys.values()])
    reader.receive_data(part)
    try:
        return reader.next() is not None
    except RemoteProtocolError:
        return False


def ran(world: World, directory: Path) -> None:
    status, stdout, stderr = world.run(directory, "site.yml")
    assert (status, "hello" in stdout) == (0, True), stderr


def test_a_removed_node_cannot_read_what_is_sent_later(world: World, directory: Path, tmp_path: Path) -> None:
    removed = world.mesh.identity("node1")
    node = world.node("node2")
    assert can_read(first_part(world, directory), removed)
    with kept_file(world, "node2", tmp_path), kept_file(world, "ann", tmp_path):
        remove(world, "node1")
    publish(world)
    assert node.wait_for("keys")["groups"] == "web"
    later = first_part(world, directory)
    assert not can_read(later, removed)
    parse = import_pyrage().x25519.Identity.from_str
    key = Registry.read(world.mesh.directory).groups["web"].current
    reader = BatchReader([parse(key.secret)])
    reader.receive_data(later)
    assert reader.next()
    assert node.events("error") == []
    assert len(node.events("connected")) == 1


def test_a_removed_node_has_no_way_to_the_new_key(mesh: Mesh) -> None:
    for name in ("node1", "node2"):
        add_member(mesh.directory, Kind.NODE, name, ["web"])
    old, other = mesh.identity("node1"), mesh.identity("node2")
    remove_member(mesh.directory, "node1")
    mesh.reload()

    async def run() -> bytes:
        with pytest.raises((nats.errors.Error, OSError)):
            await Raw().connect(old)
        admin = await mesh.connect("admin")
        await make_all(admin, mesh.identity("admin"), SIZES)
        found = await admin.fetch_all("KEYS", "keys.>", seconds=10)
        await admin.close()
        assert [message.subject for message in found] == ["keys.node2"]
        return found[0].data

    sealed = json.loads(asyncio.run(run()))["keys"]["node2"]
    for secret in old.secret_keys.values():
        with pytest.raises(RemoteProtocolError, match="are not for this node"):
            open_keys(sealed, secret)
    opened = open_keys(sealed, other.secret_keys["node_node2"])
    assert opened["web"][1:] == [old.secret_keys["web"]]
    assert opened["web"][0] not in {*old.secret_keys.values(), *other.secret_keys.values()}


def test_a_node_that_is_added_later_runs_jobs_that_wait(world: World, directory: Path) -> None:
    job = world.run(directory, "site.yml", "--detach")[1].strip()
    remove(world, "node1")
    remove(world, "node3")
    publish(world)
    world.add_node("node4", "web")
    publish(world)
    world.node("node4").wait_for("ended", outcome="worker")
    assert world.finish(world.attach(job))[0] == 0
    ran(world, directory)


def test_several_rotations_while_a_node_is_away(world: World, directory: Path, tmp_path: Path) -> None:
    with kept_file(world, "node2", tmp_path):
        for name in ("node5", "node6"):
            world.add_node(name, "web")
            publish(world)
            remove(world, name)
            publish(world)
            world.run(directory, "site.yml", "--detach")
    node = world.node("node2", "--slots", "1")
    wait_until(lambda: len(node.events("ended", outcome="worker")) == 2, 60)
    assert node.events("error") == []


def test_a_group_without_nodes_gets_a_new_key_too(world: World, directory: Path) -> None:
    before = world.mesh.identity("ann").groups["db"]
    remove(world, "node3")
    publish(world)
    assert world.mesh.identity("ann").groups["db"] != before
    world.add_node("node4", "db")
    publish(world)
    world.node("node4")
    status, _stdout, stderr = world.run(directory, "site.yml", group="db")
    assert status == 0, stderr


def test_a_node_without_the_key_says_so(world: World, directory: Path, tmp_path: Path) -> None:
    with kept_file(world, "node2", tmp_path):
        remove(world, "node1")
    node = world.node("node2")
    operator = world.mesh.identity("admin")

    async def publish_groups_only(client: MeshClient) -> None:
        await make_all(client, replace(operator, sealed_keys={}), SIZES)

    world.as_operator(publish_groups_only)
    status, _stdout, stderr = world.run(directory, "site.yml")
    assert status != 0
    assert "the job is encrypted to a key of the group 'web' that this node does not have" in stderr
    assert outcomes(world.ends()) == [Outcome.FAILED]
    publish(world)
    node.wait_for("keys")
    ran(world, directory)


def test_a_node_fetches_a_key_that_was_not_delivered(world: World, directory: Path, tmp_path: Path) -> None:
    node = world.node("node2")
    with kept_file(world, "node2", tmp_path):
        remove(world, "node1")
    node.send(signal.SIGSTOP)
    publish(world)
    node.send(signal.SIGCONT)
    ran(world, directory)


def test_groups_come_and_go_without_new_files(world: World, directory: Path, tmp_path: Path) -> None:
    with kept_file(world, "ann", tmp_path):
        world.add_node("node4", "new")
    status, _stdout, stderr = world.run(directory, "site.yml", group="new")
    assert status == 1
    assert "the mesh has no group 'new'" in stderr
    assert "playstream mesh check as an operator makes it known" in stderr
    publish(world)
    world.node("node4")
    assert world.run(directory, "site.yml", group="new")[0] == 0
    assert world.run(directory, "site.yml", group="node/node4")[0] == 0
    with kept_file(world, "ann", tmp_path):
        remove(world, "node4")
    publish(world)
    status, _stdout, stderr = world.run(directory, "site.yml", group="node/node4")
    assert status == 1
    assert "the mesh has no node 'node4'; did you mean 'node" in stderr


@pytest.mark.parametrize("detach", [(), ("--detach",)], ids=["run", "detach"])
def test_an_old_list_of_groups_is_not_used(world: World, directory: Path, detach: tuple[str, ...]) -> None:
    old = world.mesh.identity("admin").signed_groups
    remove(world, "node1")
    publish(world)

    async def replay(client: MeshClient, data: str) -> None:
        await client.store(GROUPS, data.encode(), seconds=20, message_id=new_job())

    world.as_operator(partial(replay, data=old))
    status, _stdout, stderr = world.run(directory, "site.yml", *detach)
    assert status == LINK_ERROR, stderr
    assert "in which 'web' has another key" in stderr
    forged = sign_list(Registry.read(world.mesh.directory).authority, ListKind.SUBMITTERS, 1 << 40, {"web": "age1"})
    for data in ("{}", forged):
        world.as_operator(partial(replay, data=data))
        status, _stdout, stderr = world.run(directory, "site.yml", *detach)
        assert "the list of groups on the server is not one that the CA of this mesh has signed" in stderr
    publish(world)
    world.node("node2")
    ran(world, directory)


def test_a_server_without_lists_is_explained(mesh: Mesh, world: World, directory: Path) -> None:
    async def change(client: MeshClient, name: str) -> None:
        await client.administer(f"STREAM.{name}.GROUPS")

    world.as_operator(partial(change, name="PURGE"))
    status, _stdout, stderr = world.run(directory, "site.yml")
    assert status == LINK_ERROR, stderr
    assert "the server has no list of groups" in stderr
    world.as_operator(partial(change, name="DELETE"))
    status, _stdout, stderr = world.run(directory, "site.yml")
    assert status == LINK_ERROR, stderr
    assert "the list of groups cannot be read: the server has" in stderr
    assert "run playstream mesh check as an operator" in stderr


@pytest.mark.parametrize(("kind", "name"), [(Kind.NODE, "node1"), (Kind.SUBMITTER, "ann"), (Kind.OPERATOR, "eve")])
def test_an_identity_that_was_removed_stays_so_when_its_name_is_used_again(mesh: Mesh, kind: Kind, name: str) -> None:
    groups = ["web"] if kind is Kind.NODE else []
    add_member(mesh.directory, kind, name, groups)
    mesh.reload()
    stolen = mesh.identity(name)

    async def connects(identity: Identity) -> bool:
        raw = Raw()
        try:
            await raw.connect(identity)
        except (nats.errors.Error, OSError):
            return False
        await raw.nats.close()
        return True

    assert asyncio.run(connects(stolen))
    remove_member(mesh.directory, name)
    add_member(mesh.directory, kind, name, groups)
    mesh.reload()
    assert not asyncio.run(connects(stolen))
    assert asyncio.run(connects(mesh.identity(name)))
    again = mesh.identity(name)
    assert not set(stolen.secret_keys.values()) & set(again.secret_keys.values())


def test_a_node_that_was_added_again_runs_jobs(world: World, directory: Path, tmp_path: Path) -> None:
    remove(world, "node1")
    publish(world)
    remove(world, "node2")
    publish(world)
    world.add_node("node2", "web")
    publish(world)
    node = world.node("node2")
    ran(world, directory)
    assert world.run(directory, "site.yml", group="node/node2")[0] == 0
    assert node.events("ended", outcome="worker")


def test_keys_that_jobs_need_no_more_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = make_keys(), make_keys()
    group = Group(one).rotated()
    assert [each.keys for each in group.retired] == [one]
    assert Group.parse(json.loads(json.dumps(group.content))) == group
    old = Group(two, (Retired(one, group.retired[0].at - LONGEST_SECONDS),)).rotated()
    assert [each.keys for each in old.retired] == [two]
    assert one.secret not in repr(group)
    assert public_of(one.secret) == one.public


KEYS = make_keys()


@given(st.dictionaries(st.text(max_size=9), st.lists(st.text(max_size=9), max_size=3), max_size=3))
def test_sealed_keys_are_for_one_node(content: dict[str, list[str]]) -> None:
    sealed = seal_keys(content, KEYS)
    assert open_keys(sealed, KEYS.secret) == content
    with pytest.raises(RemoteProtocolError):
        open_keys(sealed, make_keys().secret)


@given(st.text(max_size=50) | st.binary(max_size=50).map(lambda data: base64.b64encode(data).decode()))
def test_other_sealed_keys_are_refused(text: str) -> None:
    with pytest.raises(RemoteProtocolError):
        open_keys(text, KEYS.secret)


@given(
    st.recursive(
        st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_sealed_keys_of_another_form_are_refused_or_texts(value: object) -> None:
    recipient = import_pyrage().x25519.Recipient.from_str(KEYS.public)
    sealed = base64.b64encode(import_pyrage().encrypt(json.dumps(value).encode(), [recipient])).decode()
    try:
        opened = open_keys(sealed, KEYS.secret)
    except RemoteProtocolError:
        return
    assert all(isinstance(key, str) for keys in opened.values() for key in keys)


def test_a_key_of_another_form_is_refused() -> None:
    with pytest.raises(RemoteProtocolError, match="expected a secret key of age"):
        public_of("AGE-SECRET-KEY-1")


def test_a_mesh_of_an_earlier_version_gets_lists(world: World, directory: Path) -> None:
    """What the first version with this format has written has no marks, numbers and lists of groups."""
    mesh = world.mesh

    async def delete(client: MeshClient, name: str) -> None:
        await client.administer(f"STREAM.DELETE.{name}")

    for name in ("GROUPS", "KEYS"):
        world.as_operator(partial(delete, name=name))
    path = mesh.directory / "mesh.json"
    content = json.loads(path.read_text())
    for name in ("groups_serial", "signed_groups", "sealed_keys", "certificates"):
        del content[name]
    for group in content["groups"].values():
        del group["retired"]
    path.write_text(json.dumps(content))
    for name in ("ann", "node1", "node2", "admin"):
        identity = json.loads(mesh.path(name).read_text())
        for later in ("serial", "signed_groups", "sealed_keys", "retired_keys", "expiries"):
            del identity[later]
        mesh.path(name).write_text(json.dumps(identity))
    node = world.node("node2")
    publish(world)
    ran(world, directory)
    assert node.events("error") == []
    node.send(signal.SIGTERM)
    assert node.process.wait(60) == 0
    removed = remove_member(mesh.directory, "node1")
    names = {changed.name for changed in removed.changed}
    assert names == {"admin.playstream", "ann.playstream", "node2.playstream", "node3.playstream"}
    mesh.reload()
    publish(world)
    world.node("node2")
    ran(world, directory)
    assert [changed.name for changed in remove_member(mesh.directory, "node3").changed] == ["admin.playstream"]
