"""Jobs over a network with delay and loss on which connections are reset again and again."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from playstream.mesh.messages import Outcome
from tests.conftest import MakeDir
from tests.mesh.counting import check_count, counting, numbers, wait_for_more
from tests.mesh.hosts import SERVER, on_hosts
from tests.mesh.nodes import SUBMITTER, outcomes
from tests.mesh.servers import CURRENT, OLDEST
from tests.network.firewall import NEEDS_FIREWALL, count_resets, reset_some
from tests.processes import wait_until
from tests.stages import Stages

pytestmark = NEEDS_FIREWALL
DELAY, LOSS = 0.04, 0.01
RESETS = 0.002
"""Of the packets that the server gets, the part that resets its connection."""
HOSTS = (SUBMITTER, "node1")
ENOUGH = 3
"""Connections of each host that are reset."""
JOBS = 3
LARGE = 300_000


@pytest.mark.parametrize("which", [OLDEST, CURRENT])
def test_nothing_is_lost_or_doubled_when_connections_are_reset(
    which: str, fakes: Stages, private_data_dir: MakeDir, tmp_path: Path
) -> None:
    """80 ms there and back, a loss of 1 % in each direction, and connections of all sides that end at any moment."""
    made = [counting(private_data_dir, f"job{number}") for number in range(JOBS)]
    for directory, _gate in made:
        (directory / "project" / "large").write_bytes(os.urandom(LARGE))
    shown = [directory / "artifacts/one/stdout" for directory, _gate in made]
    with on_hosts(which, fakes, tmp_path, {"node1": "web"}) as world:
        node = world.node("node1", "--slots", str(JOBS))
        world.network.shape(delay=DELAY, loss=LOSS)
        for host in HOSTS:
            reset_some(world.network, host, SERVER, RESETS)
        runs = [world.start(directory, "count.yml", "-q", "-i", "one") for directory, _gate in made]
        for run, stdout in zip(runs, shown, strict=True):
            wait_for_more(run, stdout)
        wait_until(lambda: all(count_resets(world.network, host, SERVER) >= ENOUGH for host in HOSTS), 90)
        for run, stdout, (_directory, gate) in zip(runs, shown, made, strict=True):
            wait_for_more(run, stdout)
            gate.touch()
        for run, stdout in zip(runs, shown, strict=True):
            status, _stdout, stderr = world.finish(run)
            assert status == 0, stderr
            assert numbers(stdout)
            check_count(stdout)
        wait_until(lambda: len(node.events("ended", outcome="worker")) == JOBS, 60)
        assert len(node.events("started")) == JOBS
        assert outcomes(world.ends()) == [Outcome.WORKER] * JOBS
