"""The commands of docs/mesh.md, in their order. `nats.example.com` is this host."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.matrix.debian import ROOT
from tests.mesh.meshes import free_port
from tests.mesh.servers import CURRENT, find_server
from tests.processes import wait_until
from tests.stages import LIMIT_SECONDS, Stages

PAGE = (ROOT / "docs" / "mesh.md").read_text(encoding="utf-8")
COMMANDS = re.findall(
    r"^ {4,7}((?:playstream|PLAYSTREAM_MESH|export|nats-server) ?.*|PLAYSTREAM.*)$", PAGE, re.MULTILINE
)
(
    SHOWN,
    UP,
    FIRST,
    INIT,
    WEB1,
    WEB2,
    ANN,
    SERVE,
    CHECK,
    NODE,
    UNIT,
    EXPORT,
    RUN,
    REMOVE,
    DETACH,
    ATTACH,
    JOBS,
    CANCEL,
    SIGNED,
    STATUS,
    LOGS,
) = COMMANDS


class Shell:
    """Runs commands of the page in a directory with the demo."""

    def __init__(self, stages: Stages, place: Path) -> None:
        self.place = place
        self._stages = stages
        self._port = free_port()
        place.mkdir()
        shutil.copytree(ROOT / "examples" / "demo", place / "demo", ignore=lambda *_: {"artifacts"})

    def _here(self, command: str) -> str:
        return command.replace("nats.example.com", f"localhost:{self._port}")

    def run(self, command: str) -> str:
        done = self._stages.type_in(self._here(command), self.place)
        assert done.returncode == 0, done.stderr
        return done.stdout

    @contextmanager
    def running(self, command: str, sign: str, folder: str = ".") -> Iterator[None]:
        """Run a command until the end of the context, after it has printed a sign."""
        output = self.place / f"output-{len(list(self.place.iterdir()))}"
        with output.open("wb") as file:
            process = subprocess.Popen(
                ["sh", "-euc", f"exec {self._here(command)}"],
                cwd=self.place / folder,
                env={**self._stages.env, "HOME": str(self.place)},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
            )
        try:
            wait_until(lambda: sign in output.read_text() or process.poll() is not None, 60)
            assert process.poll() is None, output.read_text()
            yield
        finally:
            process.terminate()
            process.wait(LIMIT_SECONDS)


@pytest.fixture
def page(stages: Stages, tmp_path: Path) -> Shell:
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "nats-server").symlink_to(find_server(CURRENT))
    stages.path_before.append(programs)
    return Shell(stages, tmp_path / "place")


def test_a_first_try(page: Shell) -> None:
    with page.running(UP, "The mesh is up"):
        assert "alpha runs" in page.run(FIRST)


def test_a_mesh_of_several_hosts(page: Shell) -> None:
    for command in (INIT, WEB1, WEB2, ANN):
        page.run(command)
    with page.running(SERVE, "Server is ready", "mesh"):
        assert "2.15" in page.run(CHECK)
        for name in ("web1", "ann"):
            shutil.copy(page.place / f"mesh/{name}.playstream", page.place)
        with page.running(NODE, "connected"):
            assert "alpha runs" in page.run(f"{EXPORT}; {RUN}")
            assert RUN == SHOWN
            job = page.run(f"{EXPORT}; {DETACH}").strip()
            assert "alpha runs" in page.run(f"{EXPORT}; {ATTACH.replace('JOB', job)}")
            assert f"{job}  ended  successful" in page.run(f"{EXPORT}; {JOBS}")
            assert "The job had ended before" in page.run(f"{EXPORT}; {CANCEL.replace('JOB', job)}")
            assert list((page.place / "results" / "artifacts").iterdir()) != []
            assert "ExecStart=" in page.run(UNIT)
            assert "web1  ready" in page.run(STATUS)
            assert "started job=" in page.run(LOGS)
        with page.running(SIGNED, "submitters"):
            assert "alpha runs" in page.run(f"{EXPORT}; {RUN}")
        assert "The server on this host has read its users again" in page.run(REMOVE)
