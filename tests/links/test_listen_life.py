"""The life of a listening worker: draining, ending, and what its jobs and clients get of it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from playstream.pipeline.protocol import Failure
from tests.conftest import MakeDir
from tests.links.conftest import Listen
from tests.links.listening import connect, finish, read_all, wait_for_line
from tests.links.test_listen_unix import start_hanging
from tests.processes import marked_processes, wait_until
from tests.stages import Stages, read_records

WAITS = """\
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.debug: {msg: begun}
    - ansible.builtin.wait_for: {path: "{{ path }}", sleep: 1, timeout: 60}
    - ansible.builtin.debug: {msg: done}
"""


def test_the_end_without_jobs(listen: Listen, tmp_path: Path) -> None:
    listener = listen()
    listener.send(signal.SIGTERM)
    assert listener.wait() == 0
    assert [event["event"] for event in listener.events()] == ["listening", "draining", "stopped"]
    assert not (tmp_path / "worker.sock").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_active_jobs_are_canceled_and_report_it(
    fakes: Stages, hanging: Path, listen: Listen, number: signal.Signals
) -> None:
    """Without time for draining: the client gets the reason, the status and the artifacts."""
    listener = listen("--slots", "1", *(("--drain-seconds", "60") if number is signal.SIGINT else ()))
    first = start_hanging(fakes, hanging, listener, "first")
    second = fakes.start("run", hanging, "-p", "hang.yml", "-i", "second", "--on", listener.address, "--debug")
    wait_for_line(second, b"waits for a free slot")
    listener.send(number)
    for run, ident in ((first, "first"), (second, "second")):
        status, text = finish(run)
        assert (status, "canceled by SIGTERM" in text) == (254, True), text
        assert (hanging / "artifacts" / ident / "status").read_text() == "canceled"
    assert listener.wait() == 0
    assert marked_processes(fakes.temporary) == []
    assert fakes.leftovers() == []


def test_a_worker_that_ends_before_it_answers(fakes: Stages, hanging: Path, listen: Listen) -> None:
    """SIGTERM may come before it can take it: the listener answers in its place."""
    listener = listen("--slots", "1")
    first = start_hanging(fakes, hanging, listener, "first")
    second = fakes.start("run", hanging, "-p", "hang.yml", "-i", "second", "--on", listener.address)
    listener.wait_for("queued")
    listener.send(signal.SIGTERM)
    status, text = finish(second)
    assert (status, "shutting down" in text) == (88, True) or (status, "canceled by" in text) == (254, True), text
    assert finish(first)[0] == 254
    assert listener.wait() == 0


def test_a_worker_that_cannot_start(stages: Stages, directory: Path, listen: Listen, tmp_path: Path) -> None:
    """Such as one of an installation that is damaged."""
    broken = tmp_path / "broken"
    broken.mkdir()
    listener = listen(env={"PYTHONPATH": str(broken)})
    (broken / "sitecustomize.py").write_text("import os; os._exit(7)\n")
    done = stages.call("run", directory, "-p", "site.yml", "--on", listener.address)
    assert (done.returncode, b"ended before it answered" in done.stderr) == (87, True)
    assert listener.wait_for("ended")[0]["exit_status"] == 7


def test_draining_lets_active_jobs_end(
    stages: Stages, private_data_dir: MakeDir, listen: Listen, tmp_path: Path
) -> None:
    """New connections and those whose job has not arrived are refused meanwhile."""
    directory = private_data_dir({"waits.yml": WAITS})
    go = tmp_path / "go"
    listener = listen("--drain-seconds", "60")
    run = stages.start("run", directory, "-p", "waits.yml", "-i", "x", "-e", f"path={go}", "--on", listener.address)
    stdout = directory / "artifacts" / "x" / "stdout"
    wait_until(lambda: stdout.exists() and b"begun" in stdout.read_bytes())
    with connect(listener.address.removeprefix("unix:")) as idle:
        listener.send(signal.SIGTERM)
        (failure,) = (record for record in read_records(read_all(idle)) if isinstance(record, Failure))
    assert (failure.error, "shutting down" in failure.message) == ("WorkerBusy", True)
    assert listener.wait_for("draining")[0]["active"] == "1 job"
    refused = stages.call("run", directory, "-p", "waits.yml", "-i", "y", "--on", listener.address)
    assert (refused.returncode, b"there is no such socket" in refused.stderr) == (84, True)
    go.touch()
    status, text = finish(run)
    assert (status, "done" in text) == (0, True), text
    assert listener.wait() == 0
    assert listener.events("canceled") == []
    assert listener.events("ended")[0]["exit_status"] == 0


def test_the_time_for_draining_is_limited(fakes: Stages, hanging: Path, listen: Listen) -> None:
    listener = listen("--drain-seconds", "0.5")
    run = start_hanging(fakes, hanging, listener)
    listener.send(signal.SIGTERM)
    assert finish(run)[0] == 254
    assert listener.wait() == 0
    assert len(listener.events("canceled")) == 1


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_the_jobs(fakes: Stages, hanging: Path, listen: Listen, second: signal.Signals) -> None:
    listener = listen("--drain-seconds", "600")
    run = start_hanging(fakes, hanging, listener)
    listener.send(signal.SIGTERM)
    listener.wait_for("draining")
    listener.send(second)
    assert finish(run)[0] == 254
    assert listener.wait() == 0


def test_a_third_signal_kills_the_workers(fakes: Stages, hanging: Path, listen: Listen) -> None:
    listener = listen("--drain-seconds", "600")
    run = start_hanging(fakes, hanging, listener)
    (worker,) = listener.workers()
    os.kill(worker, signal.SIGSTOP)  # it cannot end by itself
    listener.send(signal.SIGTERM)
    listener.wait_for("draining")
    listener.send(signal.SIGTERM)
    listener.wait_for("canceled")
    listener.send(signal.SIGINT)
    assert listener.wait() == 0
    assert [event["pid"] for event in listener.events("killed")] == [worker]
    assert finish(run)[0] == 75
    wait_until(lambda: marked_processes(fakes.temporary) == [])
    wait_until(lambda: fakes.leftovers() == [])


def test_hangup_without_certificates_changes_nothing(stages: Stages, directory: Path, listen: Listen) -> None:
    listener = listen()
    listener.send(signal.SIGHUP)
    listener.wait_for("reloaded")
    assert stages.call("run", directory, "-p", "site.yml", "--on", listener.address).returncode == 0


def test_the_text_log(stages: Stages, directory: Path, tmp_path: Path) -> None:
    """One line for each event. What a client chooses cannot look like another line."""
    with (tmp_path / "log").open("wb") as stderr:
        process = stages.start("worker", "--listen", f"unix:{tmp_path}/s", stderr=stderr)
    wait_until((tmp_path / "s").exists)
    done = stages.call("run", directory, "-p", "site.yml", "-i", "two words", "--on", f"unix:{tmp_path}/s")
    assert done.returncode == 0, done.stderr
    process.terminate()
    finish_quietly(process)
    lines = (tmp_path / "log").read_text().splitlines()
    assert [line.split()[1] for line in lines] == ["listening", "started", "ended", "draining", "stopped"]
    assert ' job="two words" who="user ' in lines[2]
    assert " exit_status=0 " in lines[2]


def finish_quietly(process: subprocess.Popen[bytes]) -> None:
    process.communicate(timeout=60)
    assert process.returncode == 0


def test_a_name_from_the_wire_is_escaped(listen: Listen, tmp_path: Path) -> None:
    listener = listen()
    name = 'x\nstarted job="y"\x1b[2J\u202e'
    line = json.dumps({"kwargs": {"ident": name}}) + "\n"
    with connect(listener.address.removeprefix("unix:")) as sock:
        sock.sendall(line.encode())
        sock.shutdown(socket.SHUT_WR)
        read_all(sock)
    (ended,) = listener.wait_for("ended")
    assert ended["job"] == name
    assert listener.text.isascii()
    assert "\x1b" not in listener.text
