"""Pipelines at once: every job is half way through before any may go on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.processes import marked_processes, wait_until
from tests.stress.load.measure import Figures, Row, Sampling, expect, figures_below, most_of

EVENTS = 100
"""Of each job with the fake."""
_LIMIT_SECONDS = 1200
_FAKES = Path(__file__).parent / "fakes"
_PLAYBOOK = """\
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.debug: {msg: "{{ item }}"}
      loop: "{{ range(20) | list }}"
    - ansible.builtin.raw: "echo >> '%(arrived)s'; : < '%(gate)s'"
    - ansible.builtin.debug: {msg: "{{ item }}"}
      loop: "{{ range(20) | list }}"
"""


@dataclass(frozen=True, slots=True)
class _Pipeline:
    stages: tuple[subprocess.Popen[bytes], ...]
    artifacts: Path
    complaints: Path
    real: bool


class _Soak:
    """One private data directory, from which many pipelines take their jobs at once."""

    def __init__(self, scratch: Path) -> None:
        self.temporary = scratch / "tmp"
        self.temporary.mkdir()
        self.gate = scratch / "gate"
        os.mkfifo(self.gate, 0o600)
        self.arrived = scratch / "arrived"
        self.arrived.touch()
        self._scratch = scratch
        self._directory = scratch / "demo"
        for name in ("project", "inventory", "env"):
            (self._directory / name).mkdir(parents=True)
        (self._directory / "project" / "site.yml").write_text(_PLAYBOOK % {"arrived": self.arrived, "gate": self.gate})
        (self._directory / "inventory" / "hosts").write_text("node1 ansible_connection=local\n")
        (self._directory / "env" / "envvars").write_text(
            json.dumps({"LOAD_EVENTS": str(EVENTS), "LOAD_GATE": str(self.gate), "LOAD_ARRIVED": str(self.arrived)})
        )

    def start(self, ident: str, *, dialect: str, real: bool) -> _Pipeline:
        own = [] if real else [str(_FAKES)]
        path = ":".join([*own, str(Path(sys.executable).parent), os.environ["PATH"]])
        env = {**os.environ, "PATH": path, "TMPDIR": str(self.temporary)}
        complaints = self._scratch / f"{ident}.stderr"
        directory = str(self._directory)
        with complaints.open("wb") as stderr:
            words = ["transmit", directory, "-p", "site.yml", "-i", ident, "--dialect", dialect]
            transmit = _start(words, env, subprocess.DEVNULL, stderr)
            worker = _start(["worker"], env, transmit.stdout, stderr)
            process = _start(["process", directory, "-i", ident, "-q"], env, worker.stdout, stderr)
        for stage in (transmit, worker, process):
            assert stage.stdout is not None
            stage.stdout.close()
        return _Pipeline((transmit, worker, process), self._directory / "artifacts" / ident, complaints, real)


def _start(words: Sequence[str], env: dict[str, str], stdin: object, stderr: object) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "playstream", *words]
    return subprocess.Popen(command, env=env, stdin=stdin, stdout=subprocess.PIPE, stderr=stderr)  # type: ignore[call-overload, no-any-return]  # Popen's own kinds of files


def run_pipelines(scratch: Path, count: int, real: int) -> Row:
    """Run `count` pipelines, `real` of them with Ansible itself; each other one in the runner dialect.

    Raises:
        SoakError: one failed, an event is missing or out of its place, or something is left.
    """
    soak = _Soak(scratch)
    before = figures_below(soak.temporary)
    descriptors = len(os.listdir("/proc/self/fd"))
    began = time.monotonic()
    with Sampling(lambda: figures_below(soak.temporary), 2.0) as sampling:
        pipelines = [
            soak.start(f"job{number}", dialect=("playstream", "runner")[number % 2], real=number < real)
            for number in range(count)
        ]
        try:
            wait_until(lambda: soak.arrived.stat().st_size == count or _any_failed(pipelines), _LIMIT_SECONDS)
            expect(not _any_failed(pipelines), f"a stage failed: {_complaints(pipelines)}")
            together = figures_below(soak.temporary)
            gate = os.open(soak.gate, os.O_RDWR)
            statuses = [[stage.wait(_LIMIT_SECONDS) for stage in pipeline.stages] for pipeline in pipelines]
            os.close(gate)
        finally:
            for pipeline in pipelines:
                for stage in pipeline.stages:
                    stage.kill()
                    stage.wait()
    seconds = time.monotonic() - began
    expect(all(status == [0, 0, 0] for status in statuses), f"exit statuses: {statuses}; {_complaints(pipelines)}")
    events = sum(map(_check, pipelines))
    wait_until(lambda: figures_below(soak.temporary) == Figures(), 20)
    expect(marked_processes(soak.temporary) == [], "processes of the jobs are left")
    expect(list(soak.temporary.iterdir()) == [], f"left in TMPDIR: {list(soak.temporary.iterdir())}")
    expect(len(os.listdir("/proc/self/fd")) == descriptors, "the soak itself has lost descriptors")
    most = most_of([*sampling.samples, together])
    what = f"{count} pipelines at once, {real} of them with real Ansible, {count // 2} in the runner dialect"
    return Row(what, before, most, figures_below(soak.temporary), seconds, f"{events:,} events, none missing")


def _any_failed(pipelines: Sequence[_Pipeline]) -> bool:
    return any(stage.poll() for pipeline in pipelines for stage in pipeline.stages)


def _complaints(pipelines: Sequence[_Pipeline]) -> str:
    texts = [pipeline.complaints.read_text() for pipeline in pipelines]
    statuses = [[stage.returncode for stage in pipeline.stages] for pipeline in pipelines]
    return next((text for text in texts if text), f"nothing on standard error; {statuses}")


def _lines(event: dict[str, Any]) -> str:
    """What the event put on the terminal, the empty lines at its end included."""
    text: str = event["stdout"]
    lines: int = event["end_line"] - event["start_line"]
    return text + "\r\n" * (lines - text.count("\r\n"))


def _check(pipeline: _Pipeline) -> int:
    """The number of events, all there and each in its place."""
    events = sorted(
        (json.loads(path.read_text()) for path in (pipeline.artifacts / "job_events").iterdir()),
        key=lambda event: int(event["counter"]),
    )
    name = pipeline.artifacts.name
    expect([event["counter"] for event in events] == list(range(1, len(events) + 1)), f"{name}: events are missing")
    shown = "".join(map(_lines, events))
    expect(shown.encode() == (pipeline.artifacts / "stdout").read_bytes(), f"{name}: not the output's order")
    expect((pipeline.artifacts / "rc").read_text() == "0", f"{name}: another return code than 0")
    if pipeline.real:
        expect(events[-1]["event"] == "playbook_on_stats", f"{name}: the last event is not playbook_on_stats")
    else:
        expect(len(events) == EVENTS, f"{name}: {len(events)} events in place of {EVENTS}")
    return len(events)
