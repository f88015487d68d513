"""Every death that there is on a mesh: of nodes, workers, submitters and servers. Each job has exactly one end."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from playstream.mesh.messages import Outcome
from tests.conftest import MakeDir
from tests.mesh.nodes import NodeProcess, World, outcomes, wait_for_text
from tests.processes import wait_until

LOST = 91
AWAY_SECONDS = 2.5
"""Less than the 3 seconds that a server may be away."""


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


class Flood:
    """A job on node1 whose output never ends."""

    def __init__(self, world: World, private_data_dir: MakeDir) -> None:
        self._world = world
        made = private_data_dir({"flood-for-ever.yml": "[]\n"})
        self.node = world.node("node1")
        self._run = world.start(made, "flood-for-ever.yml", "-i", "one", "-q")
        self._stdout = made / "artifacts/one/stdout"

    @property
    def _size(self) -> int:
        return self._stdout.stat().st_size if self._stdout.exists() else 0

    def wait_for_more(self) -> None:
        wanted = self._size + (1 << 20)
        wait_until(lambda: self._run.poll() is not None or self._size > wanted, 60)
        assert self._run.poll() is None, self._run.communicate()

    def end(self) -> None:
        self._run.send_signal(signal.SIGINT)
        assert self._world.finish(self._run)[0] == 254


def test_a_job_survives_a_server_that_is_killed_three_times(
    patient: World, private_data_dir: MakeDir, fakes: object
) -> None:
    flood = Flood(patient, private_data_dir)
    for _ in range(3):
        flood.wait_for_more()
        patient.mesh.kill()
        patient.mesh.start()
    flood.wait_for_more()
    flood.end()
    assert len(flood.node.events("started")) == 1
    flood.node.wait_for("ended")
    assert len(patient.ends()) == 1


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


def test_a_job_survives_a_server_that_is_away_for_some_time(
    patient: World, private_data_dir: MakeDir, fakes: object
) -> None:
    flood = Flood(patient, private_data_dir)
    flood.wait_for_more()
    patient.mesh.kill()
    time.sleep(AWAY_SECONDS)  # what is tested is that nothing happens in this time
    patient.mesh.start()
    flood.wait_for_more()
    assert flood.node.events("ended") == []
    flood.end()
    assert len(patient.ends()) == 1


def test_a_job_that_its_worker_has_ended_without_contact_is_lost_and_not_canceled(world: World, hanging: Path) -> None:
    node = world.node("node1")
    run, _found = begun(world, hanging, node)
    world.mesh.signal(signal.SIGSTOP)
    wait_until(lambda: world.processes() == [])
    world.mesh.signal(signal.SIGCONT)
    status, _stdout, stderr = world.finish(run)  # type: ignore[arg-type]
    assert (status, "node1" in stderr or "its worker has ended the job" in stderr) == (LOST, True), stderr
    node.wait_for("ended", outcome="lost")
    assert outcomes(world.ends()) == [Outcome.LOST]


def test_a_job_ends_when_the_server_does_not_come_back(world: World, hanging: Path) -> None:
    node = world.node("node1")
    _run, _found = begun(world, hanging, node)
    world.mesh.kill()
    wait_until(lambda: world.processes() == [])
    world.mesh.start()
    node.wait_for("ended")
    assert len(world.ends()) == 1
