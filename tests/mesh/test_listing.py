"""`playstream mesh jobs` and `mesh cancel`."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from playstream.cli.mesh_jobs import COLUMNS
from playstream.mesh.directory import add_member
from playstream.mesh.identity import Kind
from playstream.mesh.messages import Outcome
from playstream.mesh.streams import make_all
from tests.mesh.nodes import SIZES, World, outcomes, wait_for_text
from tests.processes import wait_until

CANCELED = 254


def call(world: World, *words: str, who: str = "ann") -> tuple[int, str, str]:
    done = world.stages.call("mesh", *words, "--identity", world.mesh.path(who))
    assert b"Traceback" not in done.stderr, done.stderr.decode()
    return done.returncode, done.stdout.decode(), " ".join(done.stderr.decode().split())


def jobs(world: World, who: str = "ann") -> list[dict[str, Any]]:
    status, stdout, stderr = call(world, "jobs", "--json", who=who)
    assert status == 0, stderr
    return [json.loads(line) for line in stdout.splitlines()]


def leave(world: World, directory: Path, playbook: str, *words: str) -> str:
    """Leave a job to the mesh; return its name."""
    status, stdout, stderr = world.run(directory, playbook, "--detach", "-q", *words)
    assert status == 0, stderr
    return stdout.strip()


def of_job(found: list[dict[str, Any]], job: str) -> tuple[Any, ...]:
    (one,) = (each for each in found if each["job"] == job)
    return tuple(one[name] for name in ("state", "outcome", "exit_status", "node", "group", "submitter"))


def test_each_job_is_listed_with_its_state(world: World, directory: Path) -> None:
    queued = leave(world, directory, "site.yml")
    assert of_job(jobs(world), queued) == ("queued", None, None, None, "web", "ann")
    node = world.node("node1")
    node.wait_for("ended", job=queued)
    broken = leave(world, directory, "site.yml", "-e", "broken=1")
    node.wait_for("ended", job=broken)
    found = jobs(world)
    assert [each["job"] for each in found] == [broken, queued]
    assert all(0 <= each["age_seconds"] < 100 for each in found)
    assert of_job(found, queued) == ("ended", "successful", 0, "node1", "web", "ann")
    assert of_job(found, broken) == ("ended", "failed", 2, "node1", "web", "ann")
    assert sorted(each["job"] for each in jobs(world, "admin")) == sorted([queued, broken])
    status, stdout, _stderr = call(world, "jobs")
    assert status == 0
    assert stdout.split()[:9] == [column.name for column in COLUMNS]
    assert stdout.splitlines()[1].split()[:5] == [broken, "ended", "failed", "2", "web"]


def test_a_submitter_sees_and_ends_its_own_jobs_only(world: World, directory: Path) -> None:
    job = leave(world, directory, "site.yml")
    add_member(world.mesh.directory, Kind.SUBMITTER, "bob")
    world.mesh.reload()
    world.as_operator(lambda client: make_all(client, world.mesh.identity("admin"), SIZES))
    assert jobs(world, "bob") == []
    status, _stdout, stderr = call(world, "cancel", job, who="bob")
    assert status == 1
    assert "is none of the submitter bob" in stderr
    assert world.ends() == []


def test_a_running_job_is_canceled_and_who_follows_it_gets_its_results(
    world: World, hanging: Path, tmp_path: Path
) -> None:
    node = world.node("node1")
    job = leave(world, hanging, "hang.yml")
    attached = world.attach(job, tmp_path / "here")
    wait_for_text(tmp_path / "here", "waiting")
    assert of_job(jobs(world), job)[:2] == ("running", None)
    assert call(world, "cancel", job) == (0, "The job is canceled\n", "")
    assert world.finish(attached)[0] == CANCELED
    assert (tmp_path / f"here/artifacts/{job}/status").read_text() == "canceled"
    node.wait_for("ended", outcome="canceled")
    assert world.processes() == []
    assert of_job(jobs(world), job)[:2] == ("ended", "canceled")
    status, stdout, _stderr = call(world, "cancel", job)
    assert (status, stdout) == (0, "The job is canceled\n")
    assert outcomes(world.ends()) == [Outcome.CANCELED]


def test_an_operator_cancels_a_job_that_waits(world: World, directory: Path) -> None:
    job = leave(world, directory, "site.yml")
    assert call(world, "cancel", job, who="admin")[0] == 0
    status, _stdout, stderr = world.finish(world.attach(job))
    assert status == CANCELED
    assert "canceled by operator admin" in stderr
    node = world.node("node1")
    wait_until(lambda: world.queued() == 0)
    assert node.events("started") == []


@pytest.mark.parametrize("command", ["jobs", "cancel"])
def test_a_job_without_other_nodes_is_declared_lost(world: World, hanging: Path, command: str) -> None:
    node = world.node("node1")
    job = leave(world, hanging, "hang.yml")
    node.wait_for("started")
    node.send(signal.SIGKILL)
    if command == "cancel":
        status, stdout, _stderr = call(world, "cancel", job)
        assert status == 0
        assert "The job had ended before: the node node1 has been silent for 6 seconds" in stdout
    assert of_job(jobs(world), job)[:2] == ("ended", "lost")
    assert outcomes(world.ends()) == [Outcome.LOST]
    wait_until(lambda: world.processes() == [])


def test_a_submitter_that_gives_up_is_canceled_for_who_follows_too(world: World, hanging: Path) -> None:
    run = world.start(hanging, "hang.yml")
    wait_until(lambda: world.queued() == 1)
    (job,) = (each["job"] for each in jobs(world))
    attached = world.attach(job)
    run.send_signal(signal.SIGINT)
    assert world.finish(run)[0] == CANCELED
    status, _stdout, stderr = world.finish(attached)
    assert status == CANCELED
    assert "the submitter has given the job up" in stderr


def test_a_job_that_has_ended_is_not_canceled(world: World, directory: Path) -> None:
    world.node("node1")
    assert world.run(directory, "site.yml")[0] == 0
    (job,) = (each["job"] for each in jobs(world))
    wait_until(lambda: of_job(jobs(world), job)[0] == "ended")
    assert call(world, "cancel", job)[:2] == (0, "The job had ended before: its worker has ended it\n")
