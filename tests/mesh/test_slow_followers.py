"""A slow handler slows Ansible down over a mesh, as over a pipe."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from playstream.mesh.chunks import WINDOW_BYTES
from playstream.mesh.client import MeshClient
from playstream.mesh.ends import store_end
from playstream.mesh.messages import JobEnd, Outcome
from playstream.mesh.subjects import JobSubjects
from tests.conftest import MakeDir
from tests.mesh.nodes import World, outcomes
from tests.mesh.volume import FAKES, ask_for
from tests.processes import wait_until

_PROGRAM = """\
import sys, time
from pathlib import Path
import playstream

directory, link, gate, counted = sys.argv[1:]
events = 0


def take(event):
    global events
    events += 1
    while events > 100 and not Path(gate).exists():
        time.sleep(0.05)
    return True


playstream.run(private_data_dir=directory, playbook="volume.yml", on=link, ident="one", event_handler=take, quiet=True)
Path(counted).write_text(str(events))
"""
_SIZE = 16 * WINDOW_BYTES
_BETWEEN = WINDOW_BYTES + (48 << 20)
"""What may have been printed: the window, and what worker, node, submitter and its process stage hold."""


def test_a_slow_handler_stops_ansible_until_it_goes_on(
    patient: World, private_data_dir: MakeDir, tmp_path: Path
) -> None:
    patient.stages.path_before.append(FAKES)
    place, gate, counted = (tmp_path / name for name in ("place", "gate", "counted"))
    printed = place / "printed"
    place.mkdir()
    made = private_data_dir({"volume.yml": "[]\n", "large": ""})
    ask_for(made, place, _SIZE)
    patient.node("node1")
    words = [sys.executable, "-c", _PROGRAM, str(made), patient.link(), str(gate), str(counted)]
    program = subprocess.Popen(words, env=patient.stages.env, stderr=subprocess.PIPE)

    def stands() -> bool:
        """Return whether nothing was printed or stored while the server was asked ten times."""
        looks = [(patient.result_bytes(), printed.read_text() if printed.exists() else "") for _ in range(10)]
        return looks[0][0] > WINDOW_BYTES and all(each == looks[0] for each in looks)

    try:
        wait_until(lambda: stands() or program.poll() is not None, 90)
        assert program.poll() is None, program.communicate()
        assert int(printed.read_text()) < _BETWEEN, printed.read_text()
        gate.touch()
        assert program.wait(90) == 0, program.communicate()
        assert (place / "out").exists()
        assert int(counted.read_text()) > 0
    finally:
        program.kill()
        program.communicate()


def test_a_job_that_nobody_follows_is_not_stopped(world: World, private_data_dir: MakeDir, tmp_path: Path) -> None:
    world.stages.path_before.append(FAKES)
    made = private_data_dir({"volume.yml": "[]\n", "large": ""})
    ask_for(made, tmp_path, 3 * WINDOW_BYTES)
    node = world.node("node1")
    status, _stdout, stderr = world.run(made, "volume.yml", "--detach")
    assert status == 0, stderr
    node.wait_for("ended", outcome="worker")
    assert (tmp_path / "out").exists()


def test_a_job_that_somebody_ends_does_not_wait_for_who_follows_it_slowly(
    patient: World, private_data_dir: MakeDir, fakes: object
) -> None:
    """The mesh would wait for a silent submitter for 150 seconds."""
    made = private_data_dir({"flood-for-ever.yml": "[]\n"})
    node = patient.node("node1")
    run = patient.start(made, "flood-for-ever.yml", "-i", "one", "-q")
    shown = made / "artifacts/one/stdout"
    wait_until(lambda: shown.exists() and shown.stat().st_size > WINDOW_BYTES // 2, 60)  # the node has heard of it
    run.send_signal(signal.SIGSTOP)
    job = JobSubjects("web", "ann", node.wait_for("started")["job"])

    async def end(client: MeshClient) -> JobEnd:
        return await store_end(client, job, JobEnd(Outcome.CANCELED, "ann"), seconds=20)

    def stands() -> bool:
        looks = {patient.result_bytes() for _ in range(10)}
        return len(looks) == 1 and min(looks) > WINDOW_BYTES

    wait_until(stands, 90)
    patient.as_operator(end)
    assert node.wait_for("ended")["outcome"] == "canceled"
    assert outcomes(patient.ends()) == [Outcome.CANCELED]
    assert patient.processes() == []
