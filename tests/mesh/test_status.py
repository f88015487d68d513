"""`mesh status` and `mesh logs`: what operators see of a mesh, and what submitters see."""

from __future__ import annotations

import json
import signal
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pexpect
import pyte
import pytest

from playstream import mesh
from playstream.mesh.node.lines import KEPT, KeptLines
from playstream.worker.listen.event_log import TEXT, EventLog
from tests.mesh.nodes import World, wait_for_text
from tests.processes import wait_until
from tests.stages import PLAYSTREAM


def status(world: World, name: str = "admin") -> dict[str, Any]:
    done = world.stages.call("mesh", "status", "--json", "--identity", world.mesh.path(name))
    assert done.returncode == 0, done.stderr.decode()
    return dict(json.loads(done.stdout))


def states(world: World) -> dict[str, str]:
    return {node["name"]: node["state"] for node in status(world)["nodes"]}


def test_nodes_are_ready_lost_and_stopped(world: World) -> None:
    assert status(world)["nodes"] == []
    first, second = world.node("node1", "--slots", "3", "--feature", "special"), world.node("node2")
    frozen = world.node("node3")
    wait_until(lambda: states(world) == {"node1": "ready", "node2": "ready", "node3": "ready"}, 60)
    (node,) = (node for node in status(world)["nodes"] if node["name"] == "node1")
    assert (node["groups"], node["slots"], node["running"]) == (["web"], 3, 0)
    assert set(node["versions"]) >= {"playstream", "python", "ansible-core"}
    assert "special" in node["features"]
    first.send(signal.SIGTERM)
    assert first.process.wait(60) == 0
    second.send(signal.SIGKILL)
    second.process.wait(60)
    frozen.send(signal.SIGSTOP)
    wait_until(lambda: states(world) == {"node1": "stopped", "node2": "lost", "node3": "lost"}, 60)
    frozen.send(signal.SIGCONT)
    wait_until(lambda: states(world)["node3"] == "ready", 60)


def test_python_has_the_same(world: World) -> None:
    world.node("node1")
    wait_until(lambda: states(world) == {"node1": "ready"}, 60)
    for name in ("admin", "ann"):
        found = mesh.status(identity=world.mesh.path(name))
        assert isinstance(found, mesh.MeshStatus)
        assert json.loads(json.dumps(asdict(found))) == status(world, name)


def test_queues_are_counted_for_operators_only(world: World, hanging: Path) -> None:
    world.node("node1", "--slots", "1")
    runs = [world.start(hanging, "hang.yml", "-i", "first")]
    wait_for_text(hanging, "waiting")
    runs += [world.start(hanging, "hang.yml", "-i", f"r{number}") for number in range(2)]
    wait_until(lambda: world.queued() == 3)

    def web(found: dict[str, Any]) -> dict[str, Any]:
        (group,) = (group for group in found["groups"] if group["name"] == "web")
        return dict(group)

    wait_until(lambda: (web(status(world))["running"], web(status(world))["waiting"]) == (1, 2), 60)
    found = web(status(world))
    assert found["nodes"] == 1
    assert 0 < found["oldest_seconds"] < 100
    seen = status(world, "ann")
    assert [node["running"] for node in seen["nodes"]] == [1]
    assert web(seen) == {"name": "web", "nodes": 1, "running": None, "waiting": None, "oldest_seconds": None}
    for run in runs:
        run.send_signal(signal.SIGINT)
    assert [world.finish(run)[0] for run in runs] == [254] * 3


def test_a_job_that_a_node_holds_for_others_waits(world: World, hanging: Path) -> None:
    world.node("node2", "--slots", "1", "--feature", "special")
    wait_until(lambda: states(world) == {"node2": "ready"}, 60)
    runs = [world.start(hanging, "hang.yml", "-i", "first")]
    wait_for_text(hanging, "waiting")
    lacking = world.node("node1")
    runs.append(world.start(hanging, "hang.yml", "-i", "second", "--need", "special"))
    lacking.wait_for("passed-on")

    def web() -> tuple[int, int, bool]:
        (group,) = (group for group in status(world)["groups"] if group["name"] == "web")
        return group["running"], group["waiting"], bool(group["oldest_seconds"])

    wait_until(lambda: web() == (1, 1, True), 60)
    for run in runs:
        run.send_signal(signal.SIGINT)
    assert [world.finish(run)[0] for run in runs] == [254] * 2


def test_the_tables_fit_a_terminal_and_follow_the_mesh(world: World) -> None:
    node = world.node("node1")
    wait_until(lambda: states(world) == {"node1": "ready"}, 60)
    screen = pyte.Screen(80, 24)
    stream = pyte.Stream(screen)
    words = [*PLAYSTREAM[1:], "mesh", "status", "--watch", "--identity", str(world.mesh.path("admin"))]
    shown = pexpect.spawn(PLAYSTREAM[0], words, env=world.stages.env, dimensions=(24, 80), timeout=60, encoding="utf-8")

    def shows(text: str) -> bool:
        stream.feed(shown.read_nonblocking(65536, 60))
        return any(text in line for line in screen.display)

    wait_until(lambda: shows("ready"), 60)
    assert screen.display[0].startswith("nats-server 2.")
    assert any(line.split()[:3] == ["GROUP", "NODES", "RUNNING"] for line in screen.display)
    node.send(signal.SIGKILL)
    wait_until(lambda: shows("lost") and any("1 lost" in line for line in screen.display), 60)
    shown.sendintr()
    shown.expect(pexpect.EOF)
    shown.close()
    assert shown.exitstatus == 0


def test_a_table_for_a_pipe(world: World) -> None:
    world.node("node1")
    wait_until(lambda: states(world) == {"node1": "ready"}, 60)
    done = world.stages.call("mesh", "status", "--identity", world.mesh.path("admin"))
    lines = done.stdout.decode().splitlines()
    assert lines[0].startswith("nats-server 2.")
    assert lines[0].endswith(", 1 node, 0 lost")
    assert [line.split()[0] for line in lines if line.startswith(("web", "db", "node"))] == ["db", "web", "node1"]
    done = world.stages.call("mesh", "status", "--watch", "--identity", world.mesh.path("admin"))
    assert done.returncode == 1
    assert b"add --json" in done.stderr


@pytest.mark.parametrize("name", ["ann", "node1"])
def test_a_log_is_for_operators(world: World, name: str) -> None:
    done = world.stages.call("mesh", "logs", "node1", "--identity", world.mesh.path(name))
    assert done.returncode == 1
    assert b"expected that of an operator" in done.stderr


def test_a_log_has_the_last_lines_and_nothing_of_jobs(world: World, directory: Path) -> None:
    world.node("node1")
    assert world.run(directory, "site.yml", "-i", "one")[0] == 0
    done = world.stages.call("mesh", "logs", "node1", "--identity", world.mesh.path("admin"))
    assert done.returncode == 0, done.stderr.decode()
    events = [json.loads(line)["event"] for line in done.stdout.splitlines()]
    assert events[:2] == ["connected", "started"]
    assert b"hello" not in done.stdout
    done = world.stages.call("mesh", "logs", "nod1", "--identity", world.mesh.path("admin"))
    assert done.returncode == 1
    assert b"did you mean 'node1'?" in done.stderr


def test_a_node_that_does_not_answer_has_no_log(world: World) -> None:
    node = world.node("node1")
    wait_until(lambda: states(world) == {"node1": "ready"}, 60)
    node.send(signal.SIGKILL)
    node.process.wait(60)
    done = world.stages.call("mesh", "logs", "node1", "--identity", world.mesh.path("admin"))
    assert done.returncode == 74
    assert b"does not answer" in done.stderr


def test_lines_are_kept_and_given_in_parts(capsys: pytest.CaptureFixture[str]) -> None:
    kept = KeptLines(EventLog(TEXT).write)
    assert kept.part(0).total == 0
    for number in range(KEPT + 10):
        kept.write("event", number=number, text="x" * 399)
    found: list[str] = []
    number, parts = 0, 0
    while True:
        part = kept.part(number)
        found += part.lines
        number, parts = part.next, parts + 1
        if number == part.total:
            break
    assert parts > 1
    assert [line.split()[2] for line in found] == [f"number={number}" for number in range(10, KEPT + 10)]
    assert capsys.readouterr().err.splitlines()[10:] == found
