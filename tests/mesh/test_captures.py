"""A job of a mesh that is captured by whoever follows it."""

from __future__ import annotations

from pathlib import Path

import pytest

from playstream.captures.finding import find_run
from playstream.pipeline.protocol import Event, Status
from tests.captures.reading import read
from tests.mesh.nodes import World
from tests.stages import read_events


def test_a_job_that_was_left_to_the_mesh(world: World, directory: Path, tmp_path: Path) -> None:
    status, stdout, stderr = world.run(directory, "site.yml", "--detach", "-q", "--format", "agent")
    assert status == 1
    assert "--format: concerns the results, which --detach does not wait for" in stderr
    status, stdout, stderr = world.run(directory, "site.yml", "--detach", "-q")
    assert status == 0, stderr
    job = stdout.strip()
    world.node("node1").wait_for("ended", job=job)
    file, results = tmp_path / "run.playstream", tmp_path / "results"
    store = str(tmp_path / "runs.db")
    kept = ("--capture", file, "--store", store, "--store-events")
    following = world.attach(job, results, *kept, "--format", "agent")
    status, stdout, stderr = world.finish(following)
    assert status == 0, stderr
    assert stdout.startswith("site.yml successful, return code 0, ")
    done = read(file.read_bytes())
    assert done.error is None
    records = [piece.item for piece in done.pieces]
    events = [record.counter for record in records if isinstance(record, Event)]
    assert events == [event["counter"] for event in read_events(results / "artifacts" / job)]
    assert [record.status.value for record in records if isinstance(record, Status)][-1] == "successful"
    with find_run(job, store).open({}, pytest.fail) as run:
        assert [record.counter for record in run.records() if isinstance(record, Event)] == events
