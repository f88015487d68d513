"""Jobs on a mesh: results, queues and slots."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

from playstream.mesh.client import MeshClient
from playstream.mesh.messages import Outcome
from tests.conftest import MakeDir
from tests.mesh.nodes import World, outcomes, wait_for_text
from tests.processes import wait_until
from tests.stages import read_events


def test_a_job_runs_on_a_node(world: World, directory: Path) -> None:
    node = world.node("node1")
    status, stdout, stderr = world.run(directory, "site.yml", "-i", "one")
    assert (status, "hello" in stdout) == (0, True), stderr
    names = [event["event"] for event in read_events(directory / "artifacts" / "one")]
    assert names[0] == "playbook_on_start"
    assert names[-1] == "playbook_on_stats"
    node.wait_for("ended", outcome="worker")
    assert outcomes(world.ends()) == [Outcome.WORKER]
    assert world.queued() == 0


def test_a_job_that_fails_has_the_exit_status_of_ansible(world: World, directory: Path) -> None:
    world.node("node1")
    status, stdout, _stderr = world.run(directory, "site.yml", "-e", "broken=1")
    assert (status, "broken" in stdout) == (2, True)
    assert outcomes(world.ends()) == [Outcome.WORKER]


def test_a_job_can_be_sent_to_one_node(world: World, directory: Path) -> None:
    others, node = world.node("node1"), world.node("node2")
    assert world.run(directory, "site.yml", group="node/node2")[0] == 0
    node.wait_for("ended", outcome="worker")
    assert others.events("started") == []


def test_many_jobs_wait_for_the_slots(world: World, private_data_dir: MakeDir, fakes: object) -> None:
    made = private_data_dir({"quiet.yml": "[]\n"})
    nodes = [world.node("node1", "--slots", "1"), world.node("node2", "--slots", "1")]
    runs = [world.start(made, "quiet.yml", "-i", f"r{number}") for number in range(8)]
    assert [world.finish(run)[0] for run in runs] == [0] * 8
    wait_until(lambda: sum(len(node.events("ended", outcome="worker")) for node in nodes) == 8)
    assert outcomes(world.ends()) == [Outcome.WORKER] * 8


def test_much_output_arrives_whole(world: World, private_data_dir: MakeDir, fakes: object) -> None:
    made = private_data_dir({"flood.yml": "[]\n"})
    world.node("node1")
    assert world.run(made, "flood.yml", "-i", "one", "-q")[0] == 0
    assert (made / "artifacts/one/stdout").stat().st_size >= 64 * 64 * 1024


def test_much_input_arrives_whole(world: World, private_data_dir: MakeDir, fakes: object) -> None:
    made = private_data_dir({"quiet.yml": "[]\n"})
    (made / "project" / "large").write_bytes(os.urandom(40 << 20))
    world.node("node1")
    assert world.run(made, "quiet.yml")[0] == 0

    async def count(client: MeshClient) -> Any:
        return (await client.administer("STREAM.INFO.IN_web"))["state"]["messages"]

    wait_until(lambda: world.as_operator(count) == 0)


def test_nothing_on_the_disk_of_the_server_can_be_read(world: World, private_data_dir: MakeDir, mesh: object) -> None:
    marker = "one-word-that-nobody-else-uses"
    made = private_data_dir(
        {
            "site.yml": "- hosts: all\n  gather_facts: false\n  tasks: [{debug: {msg: '{{ word }}'}}]\n",
        }
    )
    world.node("node1")
    assert world.run(made, "site.yml", "-e", f"word={marker}", "-i", "one")[0] == 0
    assert marker in (made / "artifacts/one/stdout").read_text()
    stored = [path for path in (world.mesh.directory / "storage").rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in stored) > 1000
    assert not any(marker.encode() in path.read_bytes() for path in stored)


def test_a_job_waits_for_a_node(world: World, directory: Path) -> None:
    run = world.start(directory, "site.yml")
    wait_until(lambda: world.queued() == 1)
    world.node("node1")
    status, stdout, stderr = world.finish(run)
    assert (status, "hello" in stdout) == (0, True), stderr


def test_a_job_that_is_canceled_while_it_waits_is_never_started(world: World, hanging: Path) -> None:
    run = world.start(hanging, "hang.yml")
    wait_until(lambda: world.queued() == 1)
    run.send_signal(signal.SIGINT)
    assert world.finish(run)[0] == 254
    assert outcomes(world.ends()) == [Outcome.CANCELED]
    node = world.node("node1")
    wait_until(lambda: world.queued() == 0)
    assert node.events("started") == []


def test_a_running_job_is_canceled(world: World, hanging: Path) -> None:
    node = world.node("node1")
    run = world.start(hanging, "hang.yml")
    wait_for_text(hanging, "waiting")
    run.send_signal(signal.SIGINT)
    assert world.finish(run)[0] == 254
    node.wait_for("ended")
    assert world.processes() == []
    assert len(world.ends()) == 1


def test_a_mesh_encrypts_by_itself(world: World, directory: Path) -> None:
    status, _stdout, stderr = world.run(directory, "site.yml", "--identity", str(world.mesh.path("ann")))
    assert status == 1
    assert "--identity: cannot be combined with a link over a mesh" in stderr


def test_a_node_can_be_checked(world: World, directory: Path) -> None:
    world.node("node1")
    done = world.stages.call("check", world.link(), "--job", directory)
    assert done.returncode == 0, done.stderr.decode()
    assert b"yes" in done.stdout
    wait_until(lambda: world.queued() == 0)


def test_a_group_that_is_not_known_is_an_error(world: World, directory: Path) -> None:
    status, _stdout, stderr = world.run(directory, "site.yml", group="wob")
    assert status == 1
    assert "the mesh has no group 'wob'; did you mean 'web'? (it has web, db)" in stderr


def test_a_mesh_that_does_not_answer_is_an_error(world: World, directory: Path) -> None:
    world.mesh.kill()
    status, _stdout, stderr = world.run(directory, "site.yml")
    assert status == 84
    assert "no server of the mesh answers" in stderr
