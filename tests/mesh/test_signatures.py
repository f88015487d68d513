"""Signed jobs: what a node that requires signatures runs, and what it refuses from a server that is not honest."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playstream.mesh.authority import make_authority
from playstream.mesh.chunks import LAST
from playstream.mesh.client import MeshClient
from playstream.mesh.delivery import Message
from playstream.mesh.directory import add_member, remove_member
from playstream.mesh.identity import Kind, write_identity
from playstream.mesh.messages import Order, Outcome, decode, encode
from playstream.mesh.node.nonces import Nonces
from playstream.mesh.signing import (
    SLACK_SECONDS,
    JobSigner,
    JobVerifier,
    ListKind,
    make_signing_keys,
    read_list,
    sign_list,
)
from playstream.mesh.streams import make_all
from playstream.mesh.subjects import SUBMITTERS, JobSubjects, new_job
from playstream.pipeline.errors import ConfigurationError, JobRefused, RemoteProtocolError
from tests.clocks import moved_clock
from tests.mesh.nodes import SIZES, NodeProcess, World, outcomes
from tests.processes import wait_until

REFUSED = 95
REQUIRE = "--require-signature"


@pytest.fixture
def signed(world: World, tmp_path: Path) -> World:
    """A mesh whose nodes keep what they remember in a directory of the test."""
    world.stages.variables["XDG_STATE_HOME"] = str(tmp_path / "state")
    publish(world)
    return world


def publish(world: World) -> None:
    async def make(client: MeshClient) -> None:
        await make_all(client, world.mesh.identity("admin"), SIZES)

    world.as_operator(make)


def requiring(world: World, name: str = "node1") -> NodeProcess:
    node = world.node(name, REQUIRE)
    node.wait_for("submitters")
    return node


def make_order(world: World, job: JobSubjects, key: str | None = None, **changes: Any) -> Order:
    """Return a signed order for a job of ann, or of whoever has a key."""
    ann = world.mesh.identity("ann")
    signer = JobSigner(key or ann.signing_key, new_job())
    order = Order("1", ann.public_key, None, (), ann.groups["web"], signer.nonce, time.time() + 60)
    order = replace(order, **changes)
    return replace(order, signature=signer.sign_order(job.queued, order))


def post(world: World, job: JobSubjects, order: Order) -> None:
    async def store(client: MeshClient) -> None:
        await client.store(job.queued, encode(order), seconds=20, message_id=new_job())

    world.as_operator(store)


def some_job(group: str = "web") -> JobSubjects:
    return JobSubjects(group, "ann", new_job())


def test_signed_jobs_run(signed: World, directory: Path) -> None:
    node = requiring(signed)
    status, stdout, stderr = signed.run(directory, "site.yml")
    assert (status, "hello" in stdout) == (0, True), stderr
    assert signed.run(directory, "site.yml", "--start-within", "10m", "--need", "python>=3")[0] == 0
    node.wait_for("ended", outcome="worker")


def test_a_job_that_is_not_signed_is_refused(signed: World, directory: Path) -> None:
    node = requiring(signed)
    ann = signed.mesh.identity("ann")
    write_identity(replace(ann, signing_key=""), signed.mesh.path("ann"))
    status, _stdout, stderr = signed.run(directory, "site.yml")
    assert status == REFUSED, stderr
    assert "the job is not signed, and the node runs signed jobs only" in stderr
    assert outcomes(signed.ends()) == [Outcome.REFUSED]
    assert node.events("started") == []
    other = signed.node("node2")
    assert signed.run(directory, "site.yml", group="node/node2")[0] == 0
    assert len(other.events("started")) == 1


def test_a_job_that_somebody_else_has_signed_is_refused(signed: World, directory: Path) -> None:
    requiring(signed)
    ann = signed.mesh.identity("ann")
    write_identity(replace(ann, signing_key=make_signing_keys().secret), signed.mesh.path("ann"))
    status, _stdout, stderr = signed.run(directory, "site.yml")
    assert status == REFUSED, stderr
    assert "the job is not as the submitter 'ann' has signed it" in stderr


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"recipient": "age1" + "q" * 58}, "is not as the submitter 'ann' has signed it"),
        ({"start_within": 60.0}, "is not as the submitter 'ann' has signed it"),
        ({"version": "2"}, "is not as the submitter 'ann' has signed it"),
        ({"nonce": "n" * 26}, "is not as the submitter 'ann' has signed it"),
        ({"expires": time.time() + 600}, "is not as the submitter 'ann' has signed it"),
        ({"signature": "AAAA"}, "is not as the submitter 'ann' has signed it"),
        ({"signature": ""}, "is not signed"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_message_that_was_changed_is_refused(signed: World, changes: dict[str, Any], expected: str) -> None:
    job = some_job()
    post(signed, job, replace(make_order(signed, job), **changes))
    node = requiring(signed)
    assert expected in node.wait_for("refused")["reason"]
    assert outcomes(signed.ends()) == [Outcome.REFUSED]


def test_a_message_that_was_moved_is_refused(signed: World) -> None:
    job = some_job()
    order = make_order(signed, job)
    post(signed, some_job(), order)
    post(signed, replace(job, group="node_node1"), order)
    post(signed, replace(job, submitter="bob"), order)
    node = requiring(signed)
    wait_until(lambda: len(node.events("refused")) == 3)
    assert node.events("started") == []


@pytest.mark.parametrize("seconds", [-SLACK_SECONDS - 60, 8 * 86_400])
def test_a_signature_is_valid_for_some_time(signed: World, seconds: float) -> None:
    job = some_job()
    post(signed, job, make_order(signed, job, expires=time.time() + seconds))
    node = requiring(signed)
    assert "it is old, or one of the clocks is wrong" in node.wait_for("refused")["reason"]


def test_a_node_whose_clock_is_wrong_says_so(signed: World, directory: Path, tmp_path: Path) -> None:
    signed.stages.variables |= moved_clock(tmp_path, "+864000")
    requiring(signed)
    for name in ("LD_PRELOAD", "PYTHONPATH"):
        del signed.stages.variables[name]
    status, _stdout, stderr = signed.run(directory, "site.yml")
    assert status == REFUSED, stderr
    assert "it is old, or one of the clocks is wrong" in stderr


def test_a_signed_job_can_be_left_to_the_mesh(signed: World, directory: Path, tmp_path: Path) -> None:
    status, stdout, stderr = signed.run(directory, "site.yml", "--detach")
    assert status == 0, stderr
    requiring(signed)
    done = signed.stages.call(
        *("mesh", "attach", stdout.strip(), tmp_path / "results", "--identity", signed.mesh.path("ann"))
    )
    assert (done.returncode, b"hello" in done.stdout) == (0, True), done.stderr.decode()


def test_a_message_that_is_cut_is_refused(signed: World) -> None:
    job = some_job()
    data = encode(make_order(signed, job))

    async def store(client: MeshClient) -> None:
        await client.store(job.queued, data[:-20], seconds=20)

    signed.as_operator(store)
    node = requiring(signed)
    assert "expected a message of the mesh (Order)" in node.wait_for("refused")["reason"]


class Recorded:
    """What a job consisted of, as the server has got it."""

    def __init__(self, world: World, directory: Path) -> None:
        """Run a job on node1, and end that."""
        self.world = world
        self.node = requiring(world)
        self.messages: list[Message] = []

        async def record(client: MeshClient) -> None:
            async def take(message: Message) -> None:
                self.messages.append(message)

            for subject in ("in.web.>", "job.web.>"):
                await client.subscribe(subject, take)
            await client.flush()
            status, _stdout, stderr = await asyncio.to_thread(world.run, directory, "site.yml")
            assert status == 0, stderr

        world.as_operator(record)
        self.node.wait_for("ended", outcome="worker")

    def end_node(self) -> None:
        self.node.send(signal.SIGTERM)
        assert self.node.process.wait(60) == 0

    @property
    def parts(self) -> list[Message]:
        found = [message for message in self.messages if message.subject.startswith("in.")]
        return sorted(found, key=lambda message: int(message.subject.rpartition(".")[2]))

    def send_again(self, parts: list[Message]) -> None:
        """Forget everything about the job, and put it into the queue again, as a server could."""
        (order,) = {message.data: message for message in self.messages if message.subject.startswith("job.")}.values()

        async def store(client: MeshClient) -> None:
            await client.administer("STREAM.PURGE.STATE_web")
            await client.administer("STREAM.PURGE.OUT_web")
            for message in parts:
                headers = {name: value for name, value in message.headers.items() if name.startswith("Playstream")}
                await client.store(message.subject, message.data, seconds=20, message_id=new_job(), headers=headers)
            await client.store(order.subject, order.data, seconds=20, message_id=new_job())

        self.world.as_operator(store)


def test_a_job_runs_once_also_after_a_restart(signed: World, directory: Path) -> None:
    recorded = Recorded(signed, directory)
    recorded.send_again(recorded.parts)
    assert "was run on this node before" in recorded.node.wait_for("refused")["reason"]
    recorded.end_node()
    recorded.send_again(recorded.parts)
    node = requiring(signed)
    assert "was run on this node before" in node.wait_for("refused")["reason"]
    assert node.events("started") == []


def changed(parts: list[Message]) -> list[Message]:
    first = parts[0]
    return [replace(first, data=first.data[:-1] + bytes([first.data[-1] ^ 1])), *parts[1:]]


def cut(parts: list[Message]) -> list[Message]:
    return [replace(parts[0], headers={**parts[0].headers, LAST: "1"})]


def exchanged(parts: list[Message]) -> list[Message]:
    one, other = parts[0], parts[-1]
    return [replace(other, subject=one.subject), *parts[1:-1], replace(one, subject=other.subject)]


def unsigned(parts: list[Message]) -> list[Message]:
    return [replace(part, headers={}) for part in parts]


@pytest.mark.parametrize("change", [changed, cut, exchanged, unsigned])
def test_a_part_that_was_changed_is_refused(signed: World, directory: Path, change: Any) -> None:
    recorded = Recorded(signed, directory)
    recorded.end_node()
    assert len(recorded.parts) > 1
    recorded.send_again(change(recorded.parts))
    node = requiring(signed, "node2")
    ended = node.wait_for("ended")
    assert (ended["outcome"], "is not as its submitter has signed it" in ended["reason"]) == ("refused", True)
    assert outcomes(signed.ends()) == [Outcome.REFUSED]
    assert signed.processes() == []


def test_submitters_come_and_go_while_nodes_run(signed: World, directory: Path) -> None:
    node = requiring(signed)
    add_member(signed.mesh.directory, Kind.SUBMITTER, "carl")
    signed.mesh.reload()
    carl = signed.mesh.identity("carl")
    old = signed.mesh.identity("admin").signed_submitters
    job = replace(some_job(), submitter="carl")
    post(signed, job, make_order(signed, job, carl.signing_key))
    assert "the submitter 'carl' is not in the list" in node.wait_for("refused")["reason"]
    publish(signed)
    wait_until(lambda: len(node.events("submitters")) == 2)
    done = signed.stages.call(
        *("run", directory, "-p", "site.yml", "--on"),
        f"nats://localhost:{signed.mesh.port}/web?identity={signed.mesh.path('carl')}",
    )
    assert done.returncode == 0, done.stderr.decode()
    remove_member(signed.mesh.directory, "carl")
    signed.mesh.reload()
    publish(signed)
    wait_until(lambda: len(node.events("submitters")) == 3)

    async def replay(client: MeshClient) -> None:
        for data in (old, "{}", sign_list(make_authority("x"), ListKind.SUBMITTERS, 99, {"carl": "x"})):
            await client.store(SUBMITTERS, data.encode(), seconds=20, message_id=new_job())

    signed.as_operator(replay)
    wait_until(lambda: len(node.events("error")) == 2)
    assert len(node.events("submitters")) == 3
    node.send(signal.SIGTERM)
    assert node.process.wait(60) == 0
    job = replace(some_job(), submitter="carl")
    post(signed, job, make_order(signed, job, carl.signing_key))
    again = requiring(signed)
    assert "the submitter 'carl' is not in the list" in again.wait_for("refused")["reason"]


def test_two_nodes_do_not_share_what_they_remember(signed: World) -> None:
    requiring(signed)
    done = signed.stages.call("node", "--identity", signed.mesh.path("node1"), REQUIRE)
    assert done.returncode == 1
    assert b"another node uses" in done.stderr


ORDER = Order("1", "age1x", 5.0, ("podman",), "age1y", "n" * 26, 1e9)
KEYS = make_signing_keys()


@given(
    changes=st.fixed_dictionaries(
        {},
        optional={
            "version": st.text(max_size=5),
            "recipient": st.text(max_size=5),
            "start_within": st.none() | st.floats(0, 1e6),
            "needs": st.lists(st.text(max_size=5), max_size=3).map(tuple),
            "nonce": st.text(max_size=5),
            "expires": st.none() | st.floats(0, 1e12),
        },
    )
)
def test_a_signature_fits_to_one_order_only(changes: dict[str, Any]) -> None:
    order = replace(ORDER, signature=JobSigner(KEYS.secret, ORDER.nonce).sign_order("job.web.ann.x", ORDER))
    verifier = JobVerifier(KEYS.public, ORDER.nonce)
    other = decode(Order, encode(replace(order, **changes)))
    assert verifier.check_order("job.web.ann.x", other) == (other == order)
    assert not verifier.check_order("job.web.ann.y", order)


@given(st.binary(max_size=50), st.integers(0, 60), st.lists(st.sampled_from(["a", "b"]), unique=True))
def test_a_signature_fits_to_one_part_only(data: bytes, place: int, marks: list[str]) -> None:
    signer, verifier = JobSigner(KEYS.secret, "n"), JobVerifier(KEYS.public, "n")
    text = signer.sign_chunk("in.web.ann.x.1", data, marks)
    verifier.check_chunk("in.web.ann.x.1", data, marks[::-1], text)
    for wrong in (
        ("in.web.ann.x.2", data, marks),
        ("in.web.ann.x.1", data + b"x", marks),
        ("in.web.ann.x.1", data[:place] if place < len(data) else data + b"y", marks),
        ("in.web.ann.x.1", data, [*marks, "c"]),
    ):
        with pytest.raises(JobRefused):
            verifier.check_chunk(*wrong, text)
    for other in ("", "AAAA", "é", text[:-4]):
        with pytest.raises(JobRefused):
            verifier.check_chunk("in.web.ann.x.1", data, marks, other)
    with pytest.raises(JobRefused):
        JobVerifier(KEYS.public, "m").check_chunk("in.web.ann.x.1", data, marks, text)


AUTHORITY = make_authority("mesh")


@given(st.binary(max_size=60) | st.text(max_size=60))
def test_other_lists_are_refused(data: bytes | str) -> None:
    with pytest.raises(RemoteProtocolError, match="not one that the CA of this mesh has signed"):
        read_list(data, ListKind.SUBMITTERS, AUTHORITY.certificate)


def test_a_list_that_was_changed_is_refused() -> None:
    text = sign_list(AUTHORITY, ListKind.SUBMITTERS, 3, {"ann": KEYS.public})
    assert read_list(text, ListKind.SUBMITTERS, AUTHORITY.certificate).serial == 3
    found = json.loads(text)
    others: list[dict[str, Any]] = [{"serial": 4}, {"serial": True}, {"keys": {}}, {"keys": {"bob": KEYS.public}}]
    for changes in (*others, {"signature": ""}):
        with pytest.raises(RemoteProtocolError):
            read_list(json.dumps({**found, **changes}), ListKind.SUBMITTERS, AUTHORITY.certificate)
    with pytest.raises(RemoteProtocolError):
        read_list(text, ListKind.SUBMITTERS, make_authority("mesh").certificate)


def test_nonces_are_on_the_disk(tmp_path: Path) -> None:
    until = time.time() + 100

    async def run() -> None:
        nonces = Nonces(tmp_path / "state")
        assert await nonces.use("one", until)
        assert not await nonces.use("one", until)
        assert await nonces.use("old", time.time() - 1)
        with pytest.raises(ConfigurationError, match="another node uses"):
            Nonces(tmp_path / "state")
        nonces.close()
        with (tmp_path / "state" / "nonces").open("a") as file:
            file.write(f"x\ny z\n{until} cut")
        again = Nonces(tmp_path / "state")
        assert not await again.use("one", until)
        assert await again.use("cut", until)
        assert await again.use("old", until)
        again.close()

    asyncio.run(run())
    assert "old" in (tmp_path / "state" / "nonces").read_text()
    with pytest.raises(ConfigurationError, match="cannot be used"):
        Nonces(tmp_path / "state" / "nonces" / "below")
