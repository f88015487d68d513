"""How long a job goes on after somebody has asked for its end, in every way in which that can be asked."""

from __future__ import annotations

import argparse
import os
import select
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import playstream
from playstream.pipeline.dialect import Dialect
from tests.processes import marked_processes, wait_until
from tests.stages import LIMIT_SECONDS, Stages
from tests.stress.faults.report import Report

JOBS = 30
"""Of each kind."""
_TOGETHER = 3
_JOB_SECONDS = 2.0
"""Until when every process of a job has ended, once its worker knows."""
_ALL_SECONDS = 5.0
_FAKES = Path(__file__).parents[2] / "worker" / "fakes"
_TASKS = {"hang": "that ends when it is told", "ignore-term": "that ignores TERM"}
_CANCELED = 254


Stage = subprocess.Popen[bytes]


@dataclass(frozen=True, slots=True)
class Running:
    """A job that runs, its worker and the `process` that shows it.

    Attributes:
        ask: asks for the job's end.
        process_stays: False where the way to ask is to let the reader go away.
    """

    stages: Stages
    demo: Path
    worker: Stage
    process: Stage
    ask: Callable[[], object]
    process_stays: bool = True


def _make_host(directory: Path, task: str) -> tuple[Stages, Path]:
    """What starts stages with the fake Ansible, and a private data directory."""
    demo, stages = directory / "demo", Stages(directory / "tmp")
    (demo / "project").mkdir(parents=True)
    (demo / "project" / f"{task}.yml").write_text("[]\n")
    stages.temporary.mkdir()
    stages.path_before.append(_FAKES)
    return stages, demo


def _stage(closing: ExitStack, stages: Stages, *words: str | Path, stdin: Any = subprocess.PIPE) -> Stage:
    """A stage that is ended with `closing`, if it has not ended by then. What it says is nobody's."""
    stage = stages.start(*words, stdin=stdin, stderr=subprocess.DEVNULL)
    closing.callback(stage.wait)
    closing.callback(stage.kill)
    return stage


def _pass_on(earlier: Stage, start: Callable[..., Stage]) -> Stage:
    """Start the stage that reads what an earlier one writes; nobody else does."""
    assert earlier.stdout is not None
    with earlier.stdout as stdin:
        return start(stdin=stdin)


def _show(closing: ExitStack, stages: Stages, demo: Path, worker: Stage) -> Stage:
    """Let `process` show the job, and wait until its task runs."""
    process = _pass_on(worker, partial(_stage, closing, stages, "process", demo, "-q"))
    assert process.stdout is not None
    process.stdout.close()
    shown = demo / "artifacts" / "stdout"
    wait_until(lambda: shown.exists() and b"waiting" in shown.read_bytes(), LIMIT_SECONDS)
    return process


def _start(closing: ExitStack, directory: Path, task: str, *words: str) -> tuple[Stages, Path, Stage, Stage, Stage]:
    """A host, a private data directory and the three stages of a job that runs."""
    stages, demo = _make_host(directory, task)
    transmit = _stage(closing, stages, "transmit", demo, "-p", f"{task}.yml", *words, stdin=subprocess.DEVNULL)
    worker = _pass_on(transmit, partial(_stage, closing, stages, "worker"))
    return stages, demo, transmit, worker, _show(closing, stages, demo, worker)


def by_hold(closing: ExitStack, directory: Path, task: str) -> Running:
    """`playstream transmit --hold` gets Ctrl-C and sends a Cancel."""
    stages, demo, transmit, worker, process = _start(closing, directory, task, "--hold")
    return Running(stages, demo, worker, process, partial(transmit.send_signal, signal.SIGINT))


def by_runner(closing: ExitStack, directory: Path, task: str) -> Running:
    """`Runner.cancel` in the program that transmits."""
    stages, demo = _make_host(directory, task)
    worker = _stage(closing, stages, "worker")
    assert worker.stdin is not None
    closing.enter_context(worker.stdin)
    runner = playstream.init_runner(
        streamer="transmit", private_data_dir=demo, playbook=f"{task}.yml", hold=True, _output=worker.stdin
    )
    thread = threading.Thread(target=runner.run)
    thread.start()
    closing.callback(thread.join)
    closing.callback(runner.cancel)
    return Running(stages, demo, worker, _show(closing, stages, demo, worker), runner.cancel)


def by_signal(closing: ExitStack, directory: Path, task: str) -> Running:
    """SIGINT to a worker: ansible-runner's dialect cannot cancel a job."""
    stages, demo, _, worker, process = _start(closing, directory, task, "--dialect", "runner")
    return Running(stages, demo, worker, process, partial(worker.send_signal, signal.SIGINT))


def by_leaving(closing: ExitStack, directory: Path, task: str, *, dialect: Dialect) -> Running:
    """The reader of the results goes away, in pipes that go one way."""
    stages, demo, _, worker, process = _start(closing, directory, task, "--dialect", dialect.value)
    return Running(stages, demo, worker, process, process.kill, process_stays=False)


WAYS: dict[str, Callable[[ExitStack, Path, str], Running]] = {
    "a Cancel of transmit --hold": by_hold,
    "a Cancel of Runner.cancel": by_runner,
    "SIGINT to the worker, runner dialect": by_signal,
    "the reader goes away": partial(by_leaving, dialect=Dialect.PLAYSTREAM),
    "the reader goes away, runner dialect": partial(by_leaving, dialect=Dialect.RUNNER),
}


def cancel(way: str, task: str) -> tuple[float, float]:
    """Run a job, ask for its end.

    Returns:
        Seconds from that until the job's processes had ended, and until worker and process had.

    Raises:
        AssertionError: something is left, or the truth is not told.
    """
    with tempfile.TemporaryDirectory() as directory, ExitStack() as closing:
        running = WAYS[way](closing, Path(directory), task)
        handles = [os.pidfd_open(pid) for pid in marked_processes(running.stages.temporary)]
        assert handles, "expected a job that runs"
        for handle in handles:
            closing.callback(os.close, handle)
        start = time.monotonic()
        running.ask()
        for handle in handles:
            assert select.select([handle], [], [], LIMIT_SECONDS)[0], "the job goes on"
        job = time.monotonic() - start
        running.worker.wait(LIMIT_SECONDS)
        running.process.wait(LIMIT_SECONDS)
        everything = time.monotonic() - start
        assert marked_processes(running.stages.temporary) == []
        assert running.stages.leftovers() == []
        if running.process_stays:
            assert (running.worker.returncode, running.process.returncode) == (_CANCELED, _CANCELED)
            assert (running.demo / "artifacts" / "status").read_text() == "canceled"
    return job, everything


def measure(flags: argparse.Namespace, report: Report) -> None:
    """Cancel JOBS jobs of each kind in each way."""

    def run(case: tuple[str, str]) -> None:
        way, task = case
        row = f"{way}, a task {_TASKS[task]}: until"
        try:
            job, everything = cancel(way, task)
        except (AssertionError, OSError, subprocess.TimeoutExpired) as error:
            report.fail(row, repr(error))
            return
        report.add(f"{row} the job has ended", job, "s")
        report.add(f"{row} worker and process have", everything, "s")
        if job > _JOB_SECONDS or everything > _ALL_SECONDS:
            report.fail(row, f"the job took {job:.2f} s, worker and process {everything:.2f} s")

    with ThreadPoolExecutor(_TOGETHER) as pool:
        list(pool.map(run, [(way, task) for way in WAYS for task in _TASKS] * JOBS))
