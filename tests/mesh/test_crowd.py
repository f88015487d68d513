"""Many jobs on nodes of which some are killed and frozen: each job has exactly one end, and runs at most once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import MakeDir
from tests.mesh.crowd import Crowd, check_crowd, run_crowd
from tests.mesh.meshes import Mesh
from tests.mesh.nodes import World
from tests.mesh.servers import CURRENT
from tests.processes import wait_until
from tests.stages import Stages


@pytest.mark.timeout(400)
def test_each_of_many_jobs_has_one_end(fakes: Stages, private_data_dir: MakeDir, tmp_path: Path) -> None:
    crowd = Crowd(jobs=60, nodes=8, killed=2, frozen=1, seed=1)
    place = tmp_path / "once"
    place.mkdir()
    mesh = Mesh(CURRENT, tmp_path / "mesh").start()
    world = World(mesh, fakes, tmp_path)
    try:
        results, ends = run_crowd(world, private_data_dir({"once.yml": "[]\n"}), place, crowd)
        check_crowd(results, ends, place, crowd)
        wait_until(lambda: world.processes() == [], 60)
        wait_until(lambda: world.queued() == 0, 60)
    finally:
        world.close()
        mesh.kill()
