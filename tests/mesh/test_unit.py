"""`playstream node` as a service of systemd: its unit, readiness, the watchdog, and the end of its jobs."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from playstream.mesh.directory import add_member, make_mesh
from playstream.mesh.identity import Kind
from playstream.mesh.server_config import Server
from tests.links.test_listen_systemd import Manager, verify_units
from tests.mesh.nodes import World, wait_for_text
from tests.processes import wait_until
from tests.stages import Stages

PROGRAM = Path(sys.executable).parent / "playstream"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    make_mesh(tmp_path / "mesh", [Server("nats.example.com", 4222)])
    add_member(tmp_path / "mesh", Kind.NODE, "web1", ["web"])
    return tmp_path / "mesh"


def unit(stages: Stages, place: Path, *flags: str) -> str:
    words: list[str | Path] = [PROGRAM, "node", "--identity", "web1.playstream", *flags, "--print-unit"]
    done = subprocess.run(words, cwd=place, env=stages.env, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    return done.stdout.decode()


FLAGS = ("--slots", "3", "--feature", "a", "--feature", "b", "--no-encryption", "--max-job-seconds", "90")


def test_a_unit_is_accepted_and_has_all_flags(stages: Stages, place: Path, tmp_path: Path) -> None:
    text = unit(stages, place, *FLAGS)
    (tmp_path / "playstream-node.service").write_text(text)
    verify_units(tmp_path / "playstream-node.service")
    (command,) = (line for line in text.splitlines() if line.startswith("ExecStart="))
    assert command.endswith(f" node --identity {place}/web1.playstream " + " ".join(FLAGS))
    for line in ("Type=notify", "KillMode=mixed", "TimeoutStopSec=infinity", "StateDirectory=playstream"):
        assert f"{line}\n" in text
    assert "TimeoutStopSec=110\n" in unit(stages, place, "--drain-seconds", "90")


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    made = Manager(tmp_path / "notify")
    yield made
    made.close()


def test_the_service_manager_is_told(world: World, hanging: Path, manager: Manager) -> None:
    world.stages.variables = {"NOTIFY_SOCKET": str(manager.path), "WATCHDOG_USEC": "200000"}
    node = world.node("node1", "--drain-seconds", "1")
    world.stages.variables = {}
    seen = [manager.receive() for _ in range(5)]
    assert ["READY=1", "STATUS=node node1 of the mesh"] in seen
    assert ["WATCHDOG=1"] in seen
    run = world.start(hanging, "hang.yml")
    wait_for_text(hanging, "waiting")
    node.send(signal.SIGTERM)
    wait_until(lambda: manager.receive() == ["STOPPING=1", "STATUS=waiting for 1 job"])
    assert world.finish(run)[0] == 254
    assert node.process.wait(60) == 0
