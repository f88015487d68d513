"""Signals to a job in a container, and to one with an ssh-agent: no container, no agent and no process is left."""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from unittest.mock import patch

from tests.processes import wait_until
from tests.stress.faults.pipeline import Pipeline, pipeline, strike
from tests.stress.faults.report import Report
from tests.worker.isolation.conftest import list_containers, podman_in
from tests.worker.isolation.image import IMAGE

_TARGETS = ("worker", "ansible", "guard")
_SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
_LIMIT_SECONDS = 20.0
_PLAY = """\
- hosts: all
  connection: local
  gather_facts: false
  tasks:
  - command: sleep 600
"""


@dataclass(frozen=True, slots=True)
class _Case:
    """A kind of job.

    Attributes:
        what: what it has, for people.
        prepare: makes the private data directory so.
        mark: is printed when all of the job is there.
        seconds: how long that takes, about.
        left: what there is of it, for people; has to be nothing at the end.
        init: True where Ansible is process 1 of a namespace. The kernel lets such a process ignore every signal but
            KILL until it has a handler for it, so a job may rightly go on.
    """

    what: str
    prepare: Callable[[Pipeline], None]
    mark: bytes
    seconds: float
    left: Callable[[Path], list[str]]
    init: bool = False


def _with_agent(made: Pipeline) -> None:
    """Give the job a key: an ssh-agent holds it."""
    key = made.directory / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    (made.demo / "env").mkdir()
    (made.demo / "env" / "ssh_key").write_text(key.read_text())


def _in_container(made: Pipeline) -> None:
    """Let the job run in a container, with an agent of its own."""
    _with_agent(made)
    (made.demo / "project" / "long.yml").write_text(_PLAY)
    settings = {
        "process_isolation": True,
        "process_isolation_executable": "podman",
        "container_image": IMAGE,
        "container_options": ["--network=none"],
    }
    (made.demo / "env" / "settings").write_text(json.dumps(settings))


def _agents(directory: Path) -> list[str]:
    """The ssh-agents whose sockets lie below a directory, and what has such a command line."""
    found = []
    for place in Path("/proc").iterdir():
        if place.name.isdigit():
            try:
                words = (place / "cmdline").read_bytes()
            except OSError:
                continue
            if b"ssh-agent" in words and os.fsencode(directory) in words:
                found.append(f"process {place.name}")
    return found


def _wait(made: Pipeline, delay: float | None, case: _Case) -> None:
    """Wait so many seconds; None until all of the job is there."""
    if delay is not None:
        time.sleep(delay)
        return
    shown = made.demo / "artifacts" / "stdout"
    wait_until(lambda: shown.exists() and case.mark in shown.read_bytes(), _LIMIT_SECONDS)
    assert case.left(made.directory), f"expected the {case.what} to be there"


def _measure(case: _Case, flags: argparse.Namespace, report: Report) -> None:
    count = flags.container_moments
    for target in _TARGETS:
        for number in _SIGNALS if target != "guard" else (signal.SIGKILL,):
            chance = random.Random(f"{flags.seed} {case.what} {target} {number}")
            row = f"{number.name} to {target}, {case.what}: until nothing is left"
            delays = [case.seconds * (moment + chance.random()) / count for moment in range(count)]
            if target == "ansible" and case.init and number is not signal.SIGKILL:
                delays = []
            for delay in (None, *delays):
                # Sockets have short names.
                with tempfile.TemporaryDirectory(prefix="f") as name, pipeline(Path(name)) as made:
                    try:
                        case.prepare(made)
                        struck = strike(
                            made, target, number, "long.yml", partial(_wait, made, delay, case), seconds=_LIMIT_SECONDS
                        )
                        left = case.left(made.directory)
                        assert not left, f"left: {', '.join(left)}"
                    except (AssertionError, OSError) as error:
                        moment = "when the task ran" if delay is None else f"{delay:.3f} s after the start"
                        report.fail(row, f"{moment}: {error}")
                    else:
                        report.add(row, struck.seconds, "s")


def measure(flags: argparse.Namespace, report: Report) -> None:
    """Signal worker, Ansible and guard while a task runs, and at `--container-moments` moments by chance."""
    _measure(_Case("ssh-agent", _with_agent, b"line 3", 2.0, _agents), flags, report)
    with tempfile.TemporaryDirectory() as name, podman_in(Path(name)) as env, patch.dict(os.environ, env):

        def left(directory: Path) -> list[str]:
            return [f"container {container}" for container in list_containers(env)] or _agents(directory)

        _measure(_Case("container", _in_container, b"TASK", 5.0, left, init=True), flags, report)
