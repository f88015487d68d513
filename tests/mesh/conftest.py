from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import asking, begin, directory, fakes, hanging  # noqa: F401 - fixtures
from tests.mesh.meshes import Mesh
from tests.mesh.nodes import World
from tests.mesh.servers import CURRENT, OLDEST, NatsServer
from tests.stages import Stages

_LONGEST = (
    "test_life.py",
    "test_cluster.py",
    "test_full_disk.py",
    "test_operations_page.py",
    "test_deaths.py",
    "test_crowd.py",
    "test_needs.py",
    "test_distance.py",
    "test_lost_nodes.py",
    "test_listing.py",
)
"""The files that take the longest, which are begun first: the last one would be waited for alone."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    ranks = {here / name: rank for rank, name in enumerate(_LONGEST)}
    items.sort(key=lambda item: ranks.get(item.path, len(ranks)))


@pytest.fixture(params=[OLDEST, CURRENT])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[NatsServer]:
    """A server without TLS and permissions."""
    started = NatsServer(request.param, tmp_path / "server").start()
    yield started
    started.kill()


@pytest.fixture(params=[OLDEST, CURRENT])
def mesh(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Mesh]:
    """A mesh without nodes, whose server runs."""
    made = Mesh(request.param, tmp_path / "mesh").start()
    yield made
    made.kill()


@pytest.fixture
def world(mesh: Mesh, stages: Stages, tmp_path: Path) -> Iterator[World]:
    """A mesh with groups, nodes that have not been started, and a submitter."""
    made = World(mesh, stages, tmp_path)
    yield made
    made.close()


@pytest.fixture(params=[OLDEST, CURRENT])
def patient(request: pytest.FixtureRequest, stages: Stages, tmp_path: Path) -> Iterator[World]:
    """A mesh that gives a server more time, which on a busy host needs seconds to start."""
    mesh = Mesh(request.param, tmp_path / "mesh", lost_after=30.0).start()
    made = World(mesh, stages, tmp_path)
    yield made
    made.close()
    mesh.kill()
