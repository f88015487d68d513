"""A node that is killed, frozen or cut off, each on a host of its own: who is told of it, what ends there, and when."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from playstream.mesh.liveness import ENDING_SECONDS
from playstream.mesh.messages import Outcome
from tests.clocks import moved_clock
from tests.conftest import MakeDir
from tests.mesh.hosts import SERVER, HostWorld, on_hosts
from tests.mesh.moments import Ends, Lateness
from tests.mesh.nodes import NodeProcess, outcomes
from tests.mesh.servers import CURRENT, OLDEST
from tests.network.firewall import NEEDS_FIREWALL, accept_all, drop, part
from tests.processes import descendants, wait_until
from tests.stages import Stages

pytestmark = NEEDS_FIREWALL
LOST = 91
LOST_AFTER = 6.0


@dataclass
class Victim:
    """A node to which something happens while it runs a job."""

    name: str
    node: NodeProcess
    run: subprocess.Popen[bytes]
    job: list[int]
    """The processes of the job."""

    def everything(self) -> list[int]:
        """Return all processes of the host."""
        return [self.node.process.pid, *descendants(self.node.process.pid)]

    def stop(self, number: signal.Signals) -> None:
        """Send a signal to all of them."""
        for pid in self.everything():
            with suppress(ProcessLookupError):  # one that runs again has ended it
                os.kill(pid, number)


def kill(world: HostWorld, victim: Victim) -> None:
    del world
    victim.node.send(signal.SIGKILL)


def freeze_agent(world: HostWorld, victim: Victim) -> None:
    del world
    victim.node.send(signal.SIGSTOP)


def freeze(world: HostWorld, victim: Victim) -> None:
    del world
    victim.stop(signal.SIGSTOP)


def cut_off(world: HostWorld, victim: Victim) -> None:
    part(world.network, victim.name, SERVER)


def deafen(world: HostWorld, victim: Victim) -> None:
    drop(world.network, SERVER, victim.name)


def silence(world: HostWorld, victim: Victim) -> None:
    drop(world.network, victim.name, SERVER)


FAULTS: dict[str, Callable[[HostWorld, Victim], None]] = {
    "killed": kill,
    "stopped": freeze_agent,
    "frozen": freeze,
    "cut": cut_off,
    "deaf": deafen,
    "mute": silence,
    "moved": cut_off,
}
"""The nodes, and what happens to each. The wall clock of the last one has been moved before."""


def start_nodes(world: HostWorld, folder: Path) -> dict[str, NodeProcess]:
    """Start all nodes; return them by name."""
    world.stages.variables = moved_clock(folder)
    found = {"moved": world.node("moved", "--slots", "1")}
    world.stages.variables = {}
    names = [name for name in FAULTS if name != "moved"]
    with ThreadPoolExecutor() as pool:
        return found | dict(zip(names, pool.map(lambda name: world.node(name, "--slots", "1"), names), strict=True))


def is_waiting(stdout: Path) -> bool:
    """Return whether a job that has this artifact has begun."""
    return stdout.exists() and "waiting" in stdout.read_text()


def start_jobs(world: HostWorld, nodes: dict[str, NodeProcess], directory: Path) -> list[Victim]:
    """Start a job on each node that does not heed SIGTERM, and wait until all run."""
    runs = {
        name: world.start(directory, "ignore-term.yml", "-i", name, group=f"node/{name}", host="laptop")
        for name in nodes
    }
    for name in nodes:
        wait_until(partial(is_waiting, directory / "artifacts" / name / "stdout"), 60)
    jobs = set(world.processes())
    return [
        Victim(name, node, runs[name], sorted(jobs & descendants(node.process.pid))) for name, node in nodes.items()
    ]


def check_time(what: str, seconds: float, began: float, ended: float, lateness: Lateness) -> None:
    """Check that something has happened in time, on a machine that runs what is ready to run."""
    margin = lateness.margin(began, ended)
    taken = f"{what} took {ended - began:.2f} s of {seconds:g} s and {margin:.2f} s"
    print(taken)
    assert ended - began < seconds + margin, taken


@pytest.mark.parametrize("which", [OLDEST, CURRENT])
def test_whoever_loses_a_node_knows_in_time_and_its_job_has_ended(
    which: str, fakes: Stages, private_data_dir: MakeDir, tmp_path: Path
) -> None:
    directory = private_data_dir({"ignore-term.yml": "[]\n", "quiet.yml": "[]\n"})
    with on_hosts(which, fakes, tmp_path, dict.fromkeys(FAULTS, "web")) as world, Lateness() as lateness:
        nodes = start_nodes(world, tmp_path)
        victims = start_jobs(world, nodes, directory)
        assert all(victim.job for victim in victims)
        (tmp_path / "clock").write_text("+86400\n")
        began, told, ended = {}, {}, {}
        for victim in victims:
            told[victim.name], ended[victim.name] = Ends([victim.run.pid]), Ends(victim.job)
            began[victim.name] = time.monotonic()
            FAULTS[victim.name](world, victim)
        for victim in victims:
            moment = told[victim.name].wait()
            _stdout, stderr = victim.run.communicate()
            assert victim.run.returncode == LOST, stderr
            text = f"the node {victim.name} has been silent for 6 seconds while it ran the job"
            assert text in " ".join(stderr.decode().split())
            check_time(f"told of {victim.name}", LOST_AFTER, began[victim.name], moment, lateness)
        (frozen,) = (victim for victim in victims if victim.name == "frozen")
        thawed = time.monotonic()
        frozen.stop(signal.SIGCONT)
        began["frozen"] = thawed
        for victim in victims:
            seconds = ENDING_SECONDS if victim is frozen else LOST_AFTER
            check_time(f"the end of {victim.name}", seconds, began[victim.name], ended[victim.name].wait(), lateness)
        nodes["stopped"].send(signal.SIGCONT)
        accept_all(world.network, SERVER, *nodes)
        check_afterwards(world, nodes, directory)


def check_afterwards(world: HostWorld, nodes: dict[str, NodeProcess], directory: Path) -> None:
    """Check that each job has one end, and that each node that lives takes another job."""
    for name, node in nodes.items():
        if name != "killed":
            assert node.wait_for("ended")["outcome"] == "lost"
        assert outcomes(world.ends(f"node_{name}")) == [Outcome.LOST]
    again = [
        world.start(directory, "quiet.yml", "-i", f"{name}-again", group=f"node/{name}", host="laptop")
        for name in nodes
        if name != "killed"
    ]
    for run in again:
        status, _stdout, stderr = world.finish(run)
        assert status == 0, stderr
    assert world.processes() == []
