"""Jobs over a network with delay and loss, and through cuts shorter and longer than the limit of silence."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.conftest import MakeDir
from tests.links.far import IMPATIENT, LAPTOP, LINKS, PATIENT, SERVER, Far
from tests.network.network import NEEDS_TUN, Network
from tests.processes import wait_until
from tests.stages import LIMIT_SECONDS, Stages, read_events

pytestmark = NEEDS_TUN
ON_EACH_LINK = pytest.mark.parametrize("kind", list(LINKS))
WORKER = "playstream worker: "
SILENT = "the transmit stage has been silent for 3 seconds"
DELAY, LOSS = 0.04, 0.01
GATE = """\
- hosts: all
  gather_facts: false
  tasks:
    - name: before
      ansible.builtin.debug:
        msg: "{{ inventory_hostname }} {{ lookup('ansible.builtin.file', 'large') | length }}"
    - name: wait
      ansible.builtin.wait_for:
        path: "{{ gate }}"
        sleep: 1
    - name: after
      ansible.builtin.command: echo {{ inventory_hostname }}
      changed_when: true
"""
Connect = Callable[..., Far]
Way = tuple[str | None, str | None]


@pytest.fixture
def connect(kind: str, stages: Stages, tmp_path: Path) -> Iterator[Connect]:
    """Makes a link of a kind, with limits of silence for its worker, over 80 ms there and back and a loss of 1 %."""
    with ExitStack() as stack:

        def make(*limits: str) -> Far:
            network = stack.enter_context(Network(LAPTOP, SERVER))
            network.shape(delay=DELAY, loss=LOSS)
            return stack.enter_context(LINKS[kind](network, stages, tmp_path, *limits))

        yield make


@pytest.fixture
def gated(private_data_dir: MakeDir) -> Path:
    """A directory of less than 1 MB whose job waits between two tasks for the file `gate` to exist."""
    directory = private_data_dir({"site.yml": GATE}, ("node1", "node2"))
    files = directory / "project" / "files"
    files.mkdir()
    (files / "large").write_text(random.Random(1).randbytes(150_000).hex())
    return directory


def names_in(directory: Path) -> set[str]:
    return {str(path.relative_to(directory)) for path in directory.rglob("*") if "job_events" not in path.parts}


def kinds_of(artifacts: Path) -> list[str]:
    return sorted(event["event"] for event in read_events(artifacts))


def is_shown(directory: Path, text: bytes) -> bool:
    stdout = directory / "artifacts" / "there" / "stdout"
    return stdout.exists() and text in stdout.read_bytes()


def end_of(process: subprocess.Popen[bytes]) -> str:
    """Wait for the end of playstream; return what it says on standard error, which is one line at most."""
    _, stderr = process.communicate(timeout=LIMIT_SECONDS)
    text = stderr.decode()
    assert len([line for line in text.splitlines() if " warning: " not in line]) <= 1, text
    return text


@ON_EACH_LINK
def test_a_run_leaves_what_a_run_here_leaves(connect: Connect, gated: Path) -> None:
    (gate := gated.parent / "gate").touch()
    far = connect()
    words = ("run", gated, "-p", "site.yml", "-e", f"gate={gate}")
    there = far.call(*words, "-i", "there", "--on", far.link)
    here = far.call(*words, "-i", "here")
    assert there[0] == here[0] == 0, there
    assert "ok=3" in there[1]
    artifacts = gated / "artifacts"
    assert names_in(artifacts / "there") == names_in(artifacts / "here")
    assert kinds_of(artifacts / "there") == kinds_of(artifacts / "here")
    assert (artifacts / "there" / "stdout").read_text().count("300000") == 2
    counts = far.network.counts(LAPTOP, SERVER)
    assert counts.lost > 0
    assert counts.passed > 150_000 / 1500
    assert far.stages.leftovers() == []


@ON_EACH_LINK
def test_check_measures_the_distance(connect: Connect) -> None:
    far = connect()
    far.network.shape(loss=0.0)  # which would make it longer by chance
    status, stdout, stderr = far.call("check", "--json", far.link)
    found = json.loads(stdout)
    assert (status, found["ok"], stderr) == (0, True, ""), stdout
    assert 2 * DELAY <= found["round_trip_seconds"] < 1
    assert found["bytes_per_second"] > 0


@ON_EACH_LINK
def test_ctrl_c(connect: Connect, hanging: Path) -> None:
    """The job ends there, and says so here: its last artifacts arrive."""
    far = connect()
    run = far.start("run", hanging, "-p", "hang.yml", "-i", "there", "-q", "--on", far.link, start_new_session=True)
    wait_until(lambda: is_shown(hanging, b"waiting"))
    os.killpg(run.pid, signal.SIGINT)
    assert (end_of(run), run.returncode) == ("playstream run: canceled by SIGINT\n", 254)
    assert (hanging / "artifacts" / "there" / "status").read_text() == "canceled"
    assert (hanging / "artifacts" / "there" / "stderr").exists()
    assert far.processes() == []


@ON_EACH_LINK
def test_a_cut_that_is_shorter_than_the_limit_loses_nothing(connect: Connect, gated: Path) -> None:
    gate = gated.parent / "gate"
    far = connect(*PATIENT)
    run = far.start("run", gated, "-p", "site.yml", "-e", f"gate={gate}", "-i", "there", "--on", far.link, *PATIENT)
    wait_until(lambda: is_shown(gated, b"TASK [wait]"))
    far.network.cut()
    wait_until(lambda: far.network.counts(LAPTOP, SERVER).cut > 3 and far.network.counts(SERVER, LAPTOP).cut > 3)
    gate.touch()
    far.network.heal()
    stdout, stderr = run.communicate(timeout=LIMIT_SECONDS)
    assert (run.returncode, stderr) == (0, b""), stderr.decode()
    assert b"ok=3" in stdout
    events = read_events(gated / "artifacts" / "there")
    assert [event["counter"] for event in events] == list(range(1, len(events) + 1))
    assert [event["event"] for event in events].count("runner_on_ok") == 6
    assert far.stages.leftovers() == []


@ON_EACH_LINK
@pytest.mark.parametrize("way", [(None, None), (LAPTOP, SERVER), (SERVER, LAPTOP)], ids=["both", "there", "back"])
def test_a_cut_that_is_longer_ends_the_job_on_both_sides(connect: Connect, hanging: Path, way: Way) -> None:
    far = connect(*IMPATIENT)
    run = far.start("run", hanging, "-p", "hang.yml", "-i", "there", "-q", "--on", far.link, *IMPATIENT)
    wait_until(lambda: is_shown(hanging, b"waiting"))
    assert far.processes() != []
    far.network.cut(*way)
    text = end_of(run)
    assert run.returncode == 80, text
    # If the way back is open, the reason of the worker may arrive before the limit here.
    reasons = [
        "the worker has been silent",
        *(["the transmit stage has been silent"] if way == (LAPTOP, SERVER) else []),
    ]
    assert any(f"{reason} for 3 seconds: it hangs, its host is down" in text for reason in reasons), text
    assert "Everything received before is kept" in text
    assert (hanging / "artifacts" / "there" / "status").read_text() == "error"
    assert is_shown(hanging, b"waiting")
    wait_until(lambda: far.processes() == [])
    wait_until(lambda: WORKER in far.log.read_text())
    log = far.log.read_text()
    # If the way there is open, the end of the laptop's side may arrive before the limit.
    reasons = [SILENT, *(["the next stage has exited", "the stream ended after"] if way == (SERVER, LAPTOP) else [])]
    assert any(f"{WORKER}{reason}" in log for reason in reasons), log
    assert far.stages.leftovers() == []


@ON_EACH_LINK
def test_ctrl_c_during_a_cut(connect: Connect, hanging: Path) -> None:
    """The run ends here without an answer, and the job there by its own limit."""
    far = connect(*IMPATIENT)
    run = far.start("run", hanging, "-p", "hang.yml", "-i", "there", "-q", "--on", far.link, start_new_session=True)
    wait_until(lambda: is_shown(hanging, b"waiting"))
    far.network.cut()
    os.killpg(run.pid, signal.SIGINT)
    assert end_of(run) == "playstream run: canceled by SIGINT\n"
    assert (run.returncode, (hanging / "artifacts" / "there" / "status").read_text()) == (254, "canceled")
    wait_until(lambda: far.processes() == [])
    wait_until(lambda: f"{WORKER}{SILENT}" in far.log.read_text())


@ON_EACH_LINK
@pytest.mark.parametrize("command", ["run", "check"])
def test_ctrl_c_while_nobody_answers(connect: Connect, hanging: Path, kind: str, command: str) -> None:
    """It does not wait until the host answers, which the kernel asks at least five times in 30 seconds."""
    far = connect()
    far.network.cut()
    words = {"run": ("run", hanging, "-p", "hang.yml", "-i", "there", "--on"), "check": ("check",)}[command]
    process = far.start(*words, far.link, start_new_session=True)
    wait_until(lambda: far.network.counts(LAPTOP, SERVER).cut > 0)
    os.killpg(process.pid, signal.SIGINT)
    text = end_of(process)
    assert process.returncode == 254, text
    assert text == ("playstream run: canceled by SIGINT\n" if command == "run" else "")
    if kind == "tls":  # ssh has the time of a worker that reports how its job ended
        assert far.network.counts(LAPTOP, SERVER).cut <= 4


@pytest.mark.parametrize("kind", ["ssh"])  # tls:// waits for 30 seconds
def test_a_host_that_never_answers(connect: Connect, hanging: Path) -> None:
    far = connect()
    far.network.cut()
    text = end_of(far.start("run", hanging, "-p", "hang.yml", "-q", "--on", far.link, "--liveness-seconds", "0.5"))
    assert "without -t" not in text
    assert f"playstream run: error: {far.link.partition('?')[0]}: the host does not answer" in text
    assert "Check that it is up, and the network and firewalls on the way" in text
