"""The worker with standard error in the same pipe as standard output, as a receptor has it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.processes import marked_processes, wait_until
from tests.stages import LIMIT_SECONDS, Stages

NOISE = b"a library: something is odd\n"
LOUD_PROGRAM = f"""\
import os, sys, threading, time
def complain():
    while True:
        print({NOISE.decode().strip()!r}, file=sys.stderr)
        os.write(2, {NOISE!r})
        time.sleep(0.0005)
threading.Thread(target=complain, daemon=True).start()
from playstream.cli.main import main
sys.exit(main())
"""
LOUD = [sys.executable, "-c", LOUD_PROGRAM, "worker", "--debug"]
"""A worker in which something complains on standard error without a pause."""


def start_worker(stages: Stages, job: bytes) -> subprocess.Popen[bytes]:
    """A loud worker that has been given its job."""
    worker = subprocess.Popen(
        LOUD, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=stages.env
    )
    assert worker.stdin is not None
    worker.stdin.write(job)
    worker.stdin.close()
    return worker


def finish(worker: subprocess.Popen[bytes]) -> bytes:
    """All that it has printed."""
    assert worker.stdout is not None
    with worker.stdout as output:
        printed = output.read()
    worker.wait(LIMIT_SECONDS)
    return printed


def read_strictly(stream: bytes) -> list[dict[str, Any]]:
    """The objects of a stream of the runner dialect from its first on, with nothing else between them."""
    objects = []
    rest = stream
    while rest:
        line, _, rest = rest.partition(b"\n")
        objects.append(json.loads(line))
        if "zipfile" in objects[-1]:
            rest = rest[(objects[-1]["zipfile"] + 2) // 3 * 4 :]
        if "eof" in objects[-1]:
            break
    assert "eof" in objects[-1]
    return objects


def test_nothing_of_the_worker_s_own_is_in_the_stream(stages: Stages, demo: Path) -> None:
    worker = start_worker(stages, stages.transmit(demo, "-p", "site.yml", "--dialect", "runner"))
    before, first, after = finish(worker).partition(b'{"status": "starting"')
    assert worker.returncode == 0
    assert NOISE in before
    objects = read_strictly(first + after)
    assert [item["status"] for item in objects if "status" in item] == ["starting", "running", "successful"]
    assert objects[-2].keys() == {"zipfile"}


def test_the_end_of_a_failed_worker_is_explained_behind_the_stream(stages: Stages) -> None:
    worker = start_worker(stages, b'{"kwargs": {"playbook": 7}}\n{"eof": true}\n')
    stream, end, after = finish(worker).partition(b'{"eof": true}\n')
    assert end
    assert worker.returncode > 0
    assert b'"status": "error"' in stream
    assert b"playstream worker: " in after


def test_an_interrupt_ends_in_canceled_artifacts_eof(stages: Stages, demo: Path, tmp_path: Path) -> None:
    worker = start_worker(stages, stages.transmit(demo, "-p", "long.yml", "--dialect", "runner"))
    wait_until((tmp_path / "started").exists, LIMIT_SECONDS)
    worker.send_signal(signal.SIGINT)
    _, first, after = finish(worker).partition(b'{"status": "starting"')
    *_, status, archive, end = read_strictly(first + after)
    assert (status["status"], status["job_explanation"]) == ("canceled", "canceled by SIGINT")
    assert archive["zipfile"] > 0
    assert end == {"eof": True}
    assert worker.returncode == 254
    assert (tmp_path / "told").read_text() == "TERM\n"
    assert marked_processes(stages.temporary) == []
    assert stages.leftovers() == []
