"""Jobs on a mesh of real receptors."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.mesh.checks import check_artifacts
from tests.e2e.mesh.conftest import StartMesh
from tests.e2e.mesh.nodes import EXECUTION, Config, Mesh
from tests.processes import marked_processes, wait_until
from tests.stages import LIMIT_SECONDS, Stages

DIALECTS = pytest.mark.parametrize("dialect", ["runner", "playstream"])
BANNER = "wrapper: about to start\nwrapper: no end to this line "
NOISE = "wrapper: still there"


@DIALECTS
def test_a_job_comes_back_whole(mesh: Mesh, stages: Stages, demo: Path, dialect: str) -> None:
    job = stages.transmit(demo, "-p", "site.yml", "--dialect", dialect)
    unit = mesh.controller.submit(job)
    results = mesh.controller.results(unit)
    done = stages.call("process", demo, stdin=results)
    assert (done.returncode, done.stderr) == (0, b"")
    check_artifacts(demo / "artifacts")
    assert mesh.controller.unit(unit)["StateName"] == "Succeeded"
    assert stages.leftovers() == []


def test_a_failed_job_is_a_failed_unit(mesh: Mesh, stages: Stages, demo: Path) -> None:
    (demo / "project" / "site.yml").write_text("- hosts: all\n  gather_facts: false\n  tasks: [{fail: }]\n")
    unit = mesh.controller.submit(stages.transmit(demo, "-p", "site.yml"))
    done = stages.call("process", demo, stdin=mesh.controller.results(unit))
    assert (done.returncode, (demo / "artifacts" / "status").read_text()) == (2, "failed")
    assert mesh.controller.unit(unit)["StateName"] == "Failed"


def test_what_is_no_job_is_explained_in_the_stream(mesh: Mesh, stages: Stages, demo: Path) -> None:
    results = mesh.controller.results(mesh.controller.submit(b'{"kwargs": {"playbook": 7}}\n{"eof": true}\n'))
    lines = results.splitlines()
    assert b'"status": "error"' in lines[0]
    assert lines[1] == b'{"eof": true}'
    done = stages.call("process", demo, stdin=results)
    assert done.returncode not in {0, 2}
    assert b"playbook" in done.stderr


def running(words: str) -> Config:
    """The configuration of an execution node whose command is a shell's."""
    command, params = "sh", f"-c '{words}'"
    return [
        {kind: {**values, "command": command, "params": params} if kind == "work-command" else values}
        for item in EXECUTION
        for kind, values in item.items()
    ]


@DIALECTS
def test_output_on_standard_error_leaves_the_stream_whole(
    start_mesh: StartMesh, stages: Stages, demo: Path, tmp_path: Path, dialect: str
) -> None:
    """A wrapper's before and during the job, and the worker's own, whose interpreter reports every import."""
    (demo / "project" / "site.yml").write_text(
        (demo / "project" / "site.yml").read_text()
        + "    - file: {path: '{{ place }}/underway', state: touch}\n"
        + "    - wait_for: {path: '{{ place }}/heard', timeout: 60}\n"
    )
    wrapper = tmp_path / "wrapper"
    wrapper.write_text(
        f"printf '{BANNER}' >&2\n"
        f"(until test -e {tmp_path}/underway; do sleep 0.05; done; echo '{NOISE}' >&2; touch {tmp_path}/heard) &\n"
        f"exec {sys.executable} -X importtime -m playstream worker --debug\n"
    )
    mesh = start_mesh(execution=running(f". {wrapper}"))
    job = stages.transmit(demo, "-p", "site.yml", "--dialect", dialect)
    results = mesh.controller.results(mesh.controller.submit(job))
    assert BANNER.encode() in results
    assert NOISE.encode() in results
    done = stages.call("process", demo, stdin=results)
    assert done.returncode == 0, done.stderr
    assert b"wrapper: about to start" in done.stderr
    assert (demo / "artifacts" / "status").read_text() == "successful"
    assert (demo / "artifacts" / "fact_cache" / "node1").exists()


@DIALECTS
def test_cancel_ends_the_job_and_its_stream(
    mesh: Mesh, stages: Stages, demo: Path, tmp_path: Path, dialect: str
) -> None:
    unit = mesh.controller.submit(stages.transmit(demo, "-p", "long.yml", "--dialect", dialect))
    # Not through receptorctl, which holds back what ends without a line's end.
    with mesh.controller.connect("work", "results", unit) as results:
        processing = stages.start("process", demo, stdin=results)
        wait_until((tmp_path / "started").exists, LIMIT_SECONDS)
        assert marked_processes(stages.temporary)
        mesh.controller.call("work", "cancel", unit)
        # receptor leaves the results of a canceled unit open: the stream's own end is what ends this.
        _, stderr = processing.communicate(timeout=LIMIT_SECONDS)
    assert (processing.returncode, stderr) == (254, b"playstream process: canceled by SIGINT\n")
    artifacts = demo / "artifacts"
    assert (artifacts / "status").read_text() == "canceled"
    assert b"Wait until told to end" in (artifacts / "stdout").read_bytes()
    assert (tmp_path / "told").read_text() == "TERM\n"
    assert mesh.controller.unit(unit)["StateName"] == "Canceled"
    assert marked_processes(stages.temporary) == []
    assert not alive(int((tmp_path / "started").read_text()))
    assert stages.leftovers() == []


def alive(pid: int) -> bool:
    """True while a process goes on."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_cancel_through_receptorctl(mesh: Mesh, stages: Stages, demo: Path, tmp_path: Path) -> None:
    unit = mesh.controller.submit(stages.transmit(demo, "-p", "long.yml", "--dialect", "runner"))
    script = 'exec playstream process "$0" < <(exec "$@")'
    words = [str(demo), *mesh.controller.command("work", "results", unit)]
    with subprocess.Popen(
        ["bash", "-c", script, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=stages.env,
        start_new_session=True,
    ) as processing:
        wait_until((tmp_path / "started").exists, LIMIT_SECONDS)
        mesh.controller.call("work", "cancel", unit)
        assert processing.wait(LIMIT_SECONDS) == 254
        os.killpg(processing.pid, signal.SIGTERM)  # receptorctl, which waits on
    assert (demo / "artifacts" / "status").read_text() == "canceled"


def test_the_pipeline_of_the_page(mesh: Mesh, stages: Stages, demo: Path) -> None:
    submitting = mesh.controller.command(
        "work", "submit", "playstream", "--node", "execution", "--payload", "-", "--follow", "--rm"
    )
    transmitting = stages.start("transmit", demo, "-p", "site.yml", "--dialect", "runner", stdin=subprocess.DEVNULL)
    following = subprocess.Popen(
        submitting, stdin=transmitting.stdout, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=stages.env
    )
    processing = stages.start("process", demo, stdin=following.stdout)
    for stage in (transmitting, following):
        assert stage.stdout is not None
        stage.stdout.close()
    _, stderr = processing.communicate(timeout=LIMIT_SECONDS)
    assert (processing.returncode, stderr) == (0, b"")
    check_artifacts(demo / "artifacts")
    following.wait(LIMIT_SECONDS)
    transmitting.communicate(timeout=LIMIT_SECONDS)
    assert mesh.controller.call("work", "list").strip() == b"{}"


def test_flags_of_the_worker_go_with_the_job(mesh: Mesh, stages: Stages, demo: Path, tmp_path: Path) -> None:
    job = stages.transmit(demo, "-p", "site.yml")
    unit = mesh.controller.submit(job, "-a", f"params=--keepalive-seconds 5 --private-data-dir {tmp_path}/kept")
    done = stages.call("process", demo, stdin=mesh.controller.results(unit))
    assert done.returncode == 0, done.stderr
    check_artifacts(demo / "artifacts")
    assert (tmp_path / "kept" / "project" / "site.yml").exists()
