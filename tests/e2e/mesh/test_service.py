"""A worker as a service of the mesh, reached over a connection."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.mesh.checks import check_artifacts
from tests.e2e.mesh.conftest import StartMesh
from tests.e2e.mesh.nodes import EXECUTION, SERVICE, Mesh
from tests.processes import marked_processes, wait_until
from tests.stages import LIMIT_SECONDS, Stages

SOCKET_ACTIVATE = ["systemd-socket-activate", "--accept", "--inetd"]
"""What a socket unit with Accept=yes does, without the system's manager."""


@pytest.fixture
def serving(start_mesh: StartMesh, stages: Stages, tmp_path: Path) -> Iterator[Mesh]:
    """A mesh with the service of the page."""
    path = tmp_path / "worker.sock"
    environment = [f"--setenv={name}" for name in stages.env]
    command = [*SOCKET_ACTIVATE, f"--listen={path}", *environment, "playstream", "worker"]
    with subprocess.Popen(command, env=stages.env, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as listening:
        try:
            wait_until(path.exists, LIMIT_SECONDS)
            ((kind, values),) = SERVICE[0].items()
            yield start_mesh(execution=[*EXECUTION, {kind: {**values, "filename": str(path)}}])
        finally:
            listening.terminate()


def connect(mesh: Mesh) -> socket.socket:
    return mesh.controller.connect("connect", "execution", "worker", "")


def test_a_job_over_a_connection(serving: Mesh, stages: Stages, demo: Path) -> None:
    job = stages.transmit(demo, "-p", "site.yml")
    with connect(serving) as connection:
        connection.sendall(job)
        processing = stages.start("process", demo, stdin=connection)
        _, stderr = processing.communicate(timeout=LIMIT_SECONDS)
    assert (processing.returncode, stderr) == (0, b"")
    check_artifacts(demo / "artifacts")


def test_a_closed_connection_ends_the_job(serving: Mesh, stages: Stages, demo: Path, tmp_path: Path) -> None:
    with connect(serving) as connection:
        connection.sendall(stages.transmit(demo, "-p", "long.yml"))
        wait_until((tmp_path / "started").exists, LIMIT_SECONDS)
        connection.shutdown(socket.SHUT_RDWR)
    wait_until(lambda: not marked_processes(stages.temporary), LIMIT_SECONDS)
    wait_until(lambda: stages.leftovers() == [], LIMIT_SECONDS)
    assert (tmp_path / "told").read_text() == "TERM\n"
