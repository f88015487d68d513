"""Jobs on a mesh: results, waiting, and every death that there is. Each job has exactly one end."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from playstream.mesh.messages import JobEnd, Outcome
from tests.conftest import MakeDir
from tests.mesh.nodes import NodeProcess, World
from tests.processes import wait_until
from tests.stages import read_events

LOST = 91
AWAY_SECONDS = 2.5
"""Less than the 3 seconds that a server may be away."""


def outcomes(ends: list[JobEnd]) -> list[Outcome]:
    return [end.outcome for end in ends]


def wait_for_text(directory: Path, text: str) -> None:
    """Wait until a run in a directory has printed something."""
    wait_until(lambda: any(text in path.read_text() for path in directory.glob("artifacts/*/stdout")), 60)


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

    async def count(client: object) -> int:
        return int((await client.administer("STREAM.INFO.IN_web"))["state"]["messages"])  # type: ignore[attr-defined]

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


def begun(world: World, hanging: Path, node: NodeProcess) -> tuple[object, list[int]]:
    """Start a job that never ends; return it and its processes."""
    run = world.start(hanging, "hang.yml")
    wait_for_text(hanging, "waiting")
    node.wait_for("started")
    found = world.processes()
    assert found
    return run, found


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_node_that_is_killed_or_frozen_is_lost_and_its_job_is_killed(
    world: World, hanging: Path, private_data_dir: MakeDir, number: signal.Signals
) -> None:
    node = world.node("node1")
    run, _found = begun(world, hanging, node)
    node.send(number)
    status, _stdout, stderr = world.finish(run)  # type: ignore[arg-type]
    assert status == LOST, stderr
    assert "the node node1 has been silent for 6 seconds while it ran the job" in stderr
    wait_until(lambda: world.processes() == [])
    assert outcomes(world.ends()) == [Outcome.LOST]
    if number == signal.SIGSTOP:
        node.send(signal.SIGCONT)
        assert node.wait_for("ended")["outcome"] == "lost"
        assert outcomes(world.ends()) == [Outcome.LOST]
        assert world.run(private_data_dir({"quiet.yml": "[]\n"}), "quiet.yml")[0] == 0


def test_a_worker_that_is_killed_is_the_end_of_its_job(world: World, hanging: Path) -> None:
    node = world.node("node1")
    run, _found = begun(world, hanging, node)
    os.kill(node.workers()[0], signal.SIGKILL)
    status, _stdout, _stderr = world.finish(run)  # type: ignore[arg-type]
    assert status not in {0, 254}
    wait_until(lambda: world.processes() == [])
    node.wait_for("ended")
    assert len(world.ends()) == 1
    assert world.queued() == 0


def test_a_job_ends_with_its_submitter(world: World, hanging: Path) -> None:
    node = world.node("node1")
    run, _found = begun(world, hanging, node)
    run.kill()  # type: ignore[attr-defined]
    ended = node.wait_for("ended")
    assert "the submitter has not been heard of for 6 seconds" in ended["reason"]
    assert world.processes() == []
    assert outcomes(world.ends()) == [Outcome.FAILED]
    assert world.queued() == 0


def test_another_node_ends_the_job_of_one_that_died_with_the_submitter(world: World, hanging: Path) -> None:
    node = world.node("node1")
    run, _found = begun(world, hanging, node)
    other = world.node("node2")
    run.kill()  # type: ignore[attr-defined]
    node.send(signal.SIGKILL)
    assert other.wait_for("lost")["node"] == "node1"
    assert outcomes(world.ends()) == [Outcome.LOST]
    wait_until(lambda: world.queued() == 0)
    assert other.events("started") == []
    assert world.processes() == []


def test_a_job_survives_a_server_that_is_killed_three_times(
    world: World, private_data_dir: MakeDir, fakes: object
) -> None:
    made = private_data_dir({"flood-for-ever.yml": "[]\n"})
    node = world.node("node1")
    run = world.start(made, "flood-for-ever.yml", "-i", "one", "-q")
    stdout = made / "artifacts/one/stdout"

    def wait_for_more() -> None:
        size = stdout.stat().st_size if stdout.exists() else 0
        wait_until(lambda: stdout.exists() and stdout.stat().st_size > size + (1 << 20), 60)

    for _ in range(3):
        wait_for_more()
        world.mesh.kill()
        world.mesh.start()
    wait_for_more()
    run.send_signal(signal.SIGINT)
    assert world.finish(run)[0] == 254
    assert len(node.events("started")) == 1
    node.wait_for("ended")
    assert len(world.ends()) == 1


def test_a_node_lets_its_jobs_end_after_sigterm(world: World, hanging: Path) -> None:
    node = world.node("node1")
    run, _found = begun(world, hanging, node)
    node.send(signal.SIGTERM)
    node.wait_for("stopping", jobs=1)
    assert node.process.poll() is None
    node.send(signal.SIGTERM)
    assert world.finish(run)[0] == 254  # type: ignore[arg-type]
    assert node.process.wait(60) == 0


def test_a_node_that_is_removed_ends(world: World) -> None:
    from playstream.mesh.directory import reload_servers, remove_member  # noqa: PLC0415

    node = world.node("node1")
    remove_member(world.mesh.directory, "node1")
    reload_servers(world.mesh.directory)
    assert node.process.wait(60) == 86
    assert "it was removed from the mesh" in " ".join(node.log.read_text().split())


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


def test_a_job_survives_a_server_that_is_away_for_some_time(
    world: World, private_data_dir: MakeDir, fakes: object
) -> None:
    made = private_data_dir({"flood-for-ever.yml": "[]\n"})
    node = world.node("node1")
    run = world.start(made, "flood-for-ever.yml", "-i", "one", "-q")
    stdout = made / "artifacts/one/stdout"
    wait_until(lambda: stdout.exists() and stdout.stat().st_size > 1 << 20, 60)
    world.mesh.kill()
    time.sleep(AWAY_SECONDS)  # what is tested is that nothing happens in this time
    world.mesh.start()
    size = stdout.stat().st_size
    wait_until(lambda: stdout.stat().st_size > size + (1 << 20), 60)
    assert node.events("ended") == []
    run.send_signal(signal.SIGINT)
    assert world.finish(run)[0] == 254
    assert len(world.ends()) == 1


def test_a_job_ends_when_the_server_does_not_come_back(world: World, hanging: Path) -> None:
    node = world.node("node1")
    _run, _found = begun(world, hanging, node)
    world.mesh.kill()
    wait_until(lambda: world.processes() == [])
    world.mesh.start()
    node.wait_for("ended")
    assert len(world.ends()) == 1


def test_a_group_that_is_not_known_is_an_error(world: World, directory: Path) -> None:
    status, _stdout, stderr = world.run(directory, "site.yml", group="wob")
    assert status == 1
    assert "knows no group 'wob'; did you mean 'web'?" in stderr


def test_a_mesh_that_does_not_answer_is_an_error(world: World, directory: Path) -> None:
    world.mesh.kill()
    status, _stdout, stderr = world.run(directory, "site.yml")
    assert status == 84
    assert "no server of the mesh answers" in stderr
