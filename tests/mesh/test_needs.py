"""What jobs need and nodes have: a job runs on a node that has it, or is refused at once if there is none."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playstream.interface.mesh_terms import need_engine
from playstream.links import find_link
from playstream.links.nats import NatsLink
from playstream.mesh.client import MeshClient
from playstream.mesh.features import Features, check_feature, check_needs, explain_needs
from playstream.mesh.messages import Condition, JobOffer, Order, Outcome, decode, encode
from playstream.mesh.nodes import find_announcements
from playstream.mesh.subjects import STATUS, JobSubjects, new_job, offers, question
from playstream.pipeline.dialect import LIVE_START
from playstream.pipeline.errors import ConfigurationError
from playstream.pipeline.protocol.frames import MAGIC_START
from tests.conftest import MakeDir
from tests.mesh.nodes import World, outcomes, wait_for_text
from tests.processes import wait_until

NOT_MET = 94
SPECIAL = ("--need", "special")


def wait_for_announcement(world: World, *names: str) -> None:
    async def known(client: MeshClient) -> set[str]:
        return {said.node for said in await find_announcements(client)}

    wait_until(lambda: set(names) <= world.as_operator(known), 60)


def test_jobs_go_to_the_node_that_has_what_they_need(world: World, private_data_dir: MakeDir, fakes: object) -> None:
    made = private_data_dir({"quiet.yml": "[]\n"})
    lacking = world.node("node1", "--slots", "4")
    having = world.node("node2", "--slots", "1", "--feature", "special")
    wait_for_announcement(world, "node1", "node2")
    runs = [world.start(made, "quiet.yml", "-i", f"r{number}", *SPECIAL) for number in range(6)]
    assert [world.finish(run)[0] for run in runs] == [0] * 6
    assert lacking.events("started") == []
    assert len(having.events("started")) == 6
    passed_on = [event["job"] for event in lacking.events("passed-on")]
    assert len(passed_on) == len(set(passed_on)), "a job came back to a node that cannot run it"
    assert outcomes(world.ends()) == [Outcome.WORKER] * 6
    wait_until(lambda: world.queued() == 0)


def test_a_job_waits_for_the_node_that_has_it_and_holds_up_no_other(
    world: World, hanging: Path, private_data_dir: MakeDir
) -> None:
    made = private_data_dir({"quiet.yml": "[]\n"})
    having = world.node("node2", "--slots", "1", "--feature", "special")
    wait_for_announcement(world, "node2")
    long = world.start(hanging, "hang.yml")
    wait_for_text(hanging, "waiting")
    lacking = world.node("node1", "--slots", "1")
    waiting = world.start(made, "quiet.yml", "-i", "waiting", *SPECIAL)
    lacking.wait_for("passed-on")
    assert world.run(made, "quiet.yml", "-i", "other")[0] == 0
    assert waiting.poll() is None
    long.send_signal(signal.SIGINT)
    assert world.finish(long)[0] == 254
    assert world.finish(waiting)[0] == 0
    assert len(having.events("started")) == 2
    assert len(lacking.events("passed-on")) == 1


def test_a_held_job_outlives_the_node_that_holds_it(world: World, private_data_dir: MakeDir, fakes: object) -> None:
    made = private_data_dir({"quiet.yml": "[]\n"})
    gone = world.node("node2", "--feature", "special")
    wait_for_announcement(world, "node2")
    gone.send(signal.SIGKILL)
    gone.process.wait(60)
    holder = world.node("node1")
    run = world.start(made, "quiet.yml", *SPECIAL)
    holder.wait_for("passed-on")
    holder.send(signal.SIGKILL)
    world.node("node2", "--feature", "special")
    assert world.finish(run)[0] == 0


def test_a_node_that_ends_puts_back_what_it_holds(world: World, private_data_dir: MakeDir, fakes: object) -> None:
    made = private_data_dir({"quiet.yml": "[]\n"})
    gone = world.node("node2", "--feature", "special")
    wait_for_announcement(world, "node2")
    gone.send(signal.SIGKILL)
    gone.process.wait(60)
    holder = world.node("node1")
    run = world.start(made, "quiet.yml", *SPECIAL)
    holder.wait_for("passed-on")
    holder.send(signal.SIGTERM)
    assert holder.process.wait(60) == 0
    world.node("node2", "--feature", "special")
    assert world.finish(run)[0] == 0


def test_a_job_that_no_node_can_run_fails_at_once(world: World, directory: Path) -> None:
    world.node("node1", "--feature", "special")
    wait_for_announcement(world, "node1")
    status, _stdout, stderr = world.run(directory, "site.yml", "--need", "specal", "--need", "python>=3.99")
    assert status == NOT_MET, stderr
    assert "no node of the group web has what the job needs: specal, python>=3.99; did you mean 'special'?" in stderr
    assert "node1 lacks specal, python>=3.99 (it has 3." in stderr
    assert world.queued() == 0
    assert world.ends() == []
    assert world.run(directory, "site.yml", "--need", "special", "--need", "python>=3.11,<4")[0] == 0


def test_a_job_whose_last_node_leaves_fails(world: World, hanging: Path, directory: Path) -> None:
    having = world.node("node2", "--slots", "1", "--feature", "special")
    wait_for_announcement(world, "node2")
    long = world.start(hanging, "hang.yml")
    wait_for_text(hanging, "waiting")
    lacking = world.node("node1")
    wait_for_announcement(world, "node1")
    run = world.start(directory, "site.yml", *SPECIAL)
    lacking.wait_for("passed-on")
    having.send(signal.SIGTERM)
    having.wait_for("stopping")
    having.send(signal.SIGTERM)
    world.finish(long)
    status, _stdout, stderr = world.finish(run)
    assert status == NOT_MET, stderr
    assert "node1 lacks special" in stderr
    assert Outcome.UNMET in outcomes(world.ends())
    wait_until(lambda: world.queued() == 0)


def test_a_flooded_group_starves_no_other(world: World, hanging: Path, private_data_dir: MakeDir) -> None:
    made = private_data_dir({"quiet.yml": "[]\n"})
    world.add_node("both", "web", "db")
    node = world.node("both", "--slots", "1")
    long = world.start(hanging, "hang.yml")
    wait_for_text(hanging, "waiting")
    flood = [world.start(made, "quiet.yml", "-i", f"r{number}") for number in range(6)]
    wait_until(lambda: world.queued() == 7)
    other = world.start(made, "quiet.yml", "-i", "other", group="db")
    wait_until(lambda: world.queued("db") == 1)
    long.send_signal(signal.SIGINT)
    assert world.finish(long)[0] == 254
    assert [world.finish(run)[0] for run in [*flood, other]] == [0] * 7
    groups = [event["group"] for event in node.events("started")][1:]
    assert groups.index("db") <= 2, groups


def test_forged_offers_do_nothing(world: World, directory: Path) -> None:
    node = world.node("node1")
    job = JobSubjects("web", "ann", new_job())
    forged = [
        b"",
        encode(JobOffer(job.queued, "$JS.ACK.JOBS_web.web.1.1.1.1.1", ())),
        encode(JobOffer(job.queued, "out.web.node1.ann.x", ())),
        encode(JobOffer("job.db.ann." + new_job(), "$JS.ACK.JOBS_db.db.1.1.1.1.1", ())),
        encode(JobOffer("*", "$JS.ACK.JOBS_web.web.1.1.1.1.1", ())),
    ]

    async def send(client: MeshClient) -> None:
        for data in forged:
            await client.publish(offers("web"), data)
        await client.flush()

    world.as_operator(send)
    assert world.run(directory, "site.yml")[0] == 0
    assert len(node.events("started")) == 1
    assert len(world.ends()) == 1


def test_a_node_answers_to_inboxes_only(world: World) -> None:
    """Whoever asks names the subject of the answer, to which the server then lets the node publish."""
    world.node("node1")

    async def ask() -> None:
        ann = await world.mesh.connect("ann")
        admin = await world.mesh.connect("admin")
        foreign = f"out.web.node2.bob.{new_job()}.0"
        await ann.publish(question("node1", STATUS), b"", reply=foreign)
        answer = await ann.request(question("node1", STATUS), seconds=20)
        assert decode(Condition, answer.data).running == {}
        assert await admin.find("OUT_web", foreign, seconds=20) is None
        await ann.close()
        await admin.close()

    asyncio.run(ask())


def test_jobs_that_are_not_encrypted_are_for_nodes_that_accept_them(world: World, private_data_dir: MakeDir) -> None:
    marker = "one-word-that-nobody-else-uses"
    made = private_data_dir(
        {"site.yml": "- hosts: all\n  gather_facts: false\n  tasks: [{debug: {msg: '{{ word }}'}}]\n"}
    )
    plain = ("-e", f"word={marker}", "--no-encryption")
    world.node("node1")
    wait_for_announcement(world, "node1")
    status, _stdout, stderr = world.run(made, "site.yml", *plain)
    assert status == NOT_MET, stderr
    assert "node1 lacks no-encryption" in stderr
    node = world.node("node2", "--no-encryption")
    wait_for_announcement(world, "node2")
    status, stdout, stderr = world.run(made, "site.yml", *plain)
    assert (status, marker in stdout) == (0, True), stderr
    assert "the server of the mesh, its disk and its backups get the job and its results as they are" in stderr
    node.wait_for("ended", outcome="worker")
    stored = [path for path in (world.mesh.directory / "storage").rglob("*") if path.is_file()]
    assert any(MAGIC_START in path.read_bytes() for path in stored)
    assert not any(LIVE_START in path.read_bytes() for path in stored)
    assert world.run(made, "site.yml", "-e", "word=x", group="node/node2")[0] == 0


def test_a_job_that_is_not_encrypted_is_refused_by_others(world: World) -> None:
    """Also one that does not say that it needs such a node."""

    async def post(client: MeshClient) -> None:
        order = Order("1", "", None)
        await client.store(JobSubjects("web", "ann", new_job()).queued, encode(order), seconds=20)

    world.as_operator(post)
    node = world.node("node1")
    assert "the node runs encrypted jobs only" in node.wait_for("refused")["reason"]
    assert outcomes(world.ends()) == [Outcome.REFUSED]


def test_a_job_in_a_container_needs_its_engine(world: World) -> None:
    link = find_link(world.link())
    assert isinstance(link, NatsLink)
    need_engine(link, {"process_isolation": True, "container_image": "x"})
    assert link.terms.needs == ("podman",)
    need_engine(link, {})
    assert link.terms.needs == ("podman",)


HERE = Features({"playstream": "1.2.0", "ansible-core": "2.17.1"}, ("podman", "special"))


@pytest.mark.parametrize(
    ("need", "missing"),
    [
        ("podman", []),
        ("docker", ["docker"]),
        ("ansible-core", []),
        ("ansible-core>=2.16,<2.18", []),
        ("ansible-core >= 2.18", ["ansible-core >= 2.18 (it has 2.17.1)"]),
        ("podman>=1", ["podman>=1"]),
        ("Podman", ["Podman (not understood: update playstream on the node)"]),
    ],
)
def test_what_is_missing_is_named(need: str, missing: list[str]) -> None:
    assert HERE.missing([need]) == missing


def test_each_node_may_lack_something_else() -> None:
    nodes = {"a": Features({}, ("x",)), "b": Features({}, ("y",))}
    assert explain_needs("web", ["x"], nodes) is None
    assert explain_needs("web", ["x"], {}) is None
    text = explain_needs("web", ["x", "y"], nodes)
    assert text is not None
    assert "all of x, y at once (a lacks y; b lacks x)" in text


@given(st.lists(st.text(max_size=30), max_size=40))
def test_needs_are_understood_or_an_error(given_needs: list[str]) -> None:
    try:
        found = check_needs(given_needs)
    except ConfigurationError:
        return
    assert all("not understood" not in text for text in HERE.missing(found))


@pytest.mark.parametrize("need", ["", "a b", "podman>", ">=1", "ansible-core>=x", "Ä", "a" * 200])
def test_other_needs_are_refused(need: str) -> None:
    with pytest.raises(ConfigurationError, match="expected a feature of nodes"):
        check_needs([need])


@pytest.mark.parametrize("name", ["", "a b", "A", "a>=1", "a" * 41])
def test_other_features_are_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match="--feature"):
        check_feature(name)
