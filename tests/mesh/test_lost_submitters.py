"""A submitter that is cut off from the mesh and comes back follows its job on; one that is gone is replaced."""

from __future__ import annotations

import re
import signal
import time
from pathlib import Path

import pytest

from playstream.mesh.messages import Outcome
from tests.conftest import MakeDir
from tests.mesh.counting import check_count, counting, numbers, wait_for_more
from tests.mesh.hosts import SERVER, HostWorld, on_hosts
from tests.mesh.nodes import outcomes
from tests.mesh.servers import CURRENT, OLDEST
from tests.network.firewall import NEEDS_FIREWALL, accept_all, drop, part
from tests.processes import wait_until
from tests.stages import Stages

pytestmark = NEEDS_FIREWALL
CUT_SECONDS = 8.0
"""More than the 6 seconds after which a node counts as lost, and less than a submitter waits for."""
WAYS = ("cut", "deaf", "mute")


def cut(world: HostWorld, host: str) -> None:
    """Cut a host off from the server, in the direction that its name says."""
    if host == "cut":
        part(world.network, host, SERVER)
    elif host == "deaf":
        drop(world.network, SERVER, host)
    else:
        drop(world.network, host, SERVER)


@pytest.mark.parametrize("which", [OLDEST, CURRENT])
def test_a_submitter_that_was_cut_off_follows_on(
    which: str, fakes: Stages, private_data_dir: MakeDir, tmp_path: Path
) -> None:
    made = {way: counting(private_data_dir, way) for way in WAYS}
    with on_hosts(which, fakes, tmp_path, {"node1": "web"}, submitters=(*WAYS, "other")) as world:
        node = world.node("node1", "--slots", "4")
        runs = {
            way: world.start(directory, "count.yml", "-q", "-i", "one", host=way)
            for way, (directory, _gate) in made.items()
        }
        shown = {way: directory / "artifacts/one/stdout" for way, (directory, _gate) in made.items()}
        for way in WAYS:
            wait_for_more(runs[way], shown[way])
        before = {way: len(numbers(shown[way])) for way in WAYS}
        for way in WAYS:
            cut(world, way)
        time.sleep(CUT_SECONDS)  # what is tested is that nothing happens in this time
        accept_all(world.network, SERVER, *WAYS)
        for way in WAYS:
            wait_for_more(runs[way], shown[way])
            assert len(numbers(shown[way])) > before[way]
            made[way][1].touch()
        for way in WAYS:
            status, _stdout, stderr = world.finish(runs[way])
            assert status == 0, stderr
            check_count(shown[way])
        wait_until(lambda: len(node.events("ended", outcome="worker")) == len(WAYS))
        assert outcomes(world.ends()) == [Outcome.WORKER] * len(WAYS)
        assert len(node.events("started")) == len(WAYS)


def test_another_host_replaces_a_submitter_that_was_killed(
    fakes: Stages, private_data_dir: MakeDir, tmp_path: Path
) -> None:
    directory, gate = counting(private_data_dir, "count")
    with on_hosts(CURRENT, fakes, tmp_path, {"node1": "web"}, submitters=("laptop", "other")) as world:
        world.node("node1")
        run = world.start(directory, "count.yml", "-q", "-i", "one")
        wait_for_more(run, directory / "artifacts/one/stdout")
        run.send_signal(signal.SIGKILL)
        run.wait(60)
        part(world.network, "laptop", SERVER)
        done = world.stages.start(
            *("mesh", "jobs", "--json", "--identity", world.mesh.path("ann")), prefix=world.prefix("other")
        )
        listed, _stderr = done.communicate(timeout=60)
        (job,) = re.findall(rb'"job": ?"([a-z0-9]{26})"', listed)
        attached = world.attach(job.decode(), tmp_path / "there", host="other")
        shown = tmp_path / "there/artifacts" / job.decode() / "stdout"
        wait_for_more(attached, shown)
        gate.touch()
        status, _stdout, stderr = world.finish(attached)
        assert status == 0, stderr
        check_count(shown)
