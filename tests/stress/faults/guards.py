"""The guard is killed, alone and with its worker, and signals to a job that is asked for a password or has got it."""

from __future__ import annotations

import argparse
import os
import random
import signal
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from tests.processes import marked_processes, wait_until
from tests.stages import LIMIT_SECONDS
from tests.stress.faults.pipeline import Pipeline, pipeline, strike
from tests.stress.faults.report import Report

SECONDS = 5.0
"""Until when nothing of a job may be left, unless worker and guard were killed."""
PASSWORD = "xyzzy-secret"  # noqa: S105 - what has to be in no file
_FAKES = Path(__file__).parent / "asking_fakes"
_RUN_SECONDS = 1.5
"""How long a short job takes, with others beside it."""
_TOGETHER = 4


def kill_both(made: Pipeline, playbook: str, wait: Callable[[], object]) -> tuple[float | None, bool]:
    """Run a job, kill the guard and its worker, see what is left.

    Args:
        made: the pipeline.
        playbook: short.yml or long.yml.
        wait: returns at the moment when they are killed.

    Returns:
        Seconds until nothing of the job was left, None when there was no guard; and whether it took another worker.

    Raises:
        AssertionError: that has left something too, or the other stages do not tell the truth.
    """
    made.start(playbook)
    wait()
    guard, worker = made.guard, made.pid("worker")
    if guard is None or worker is None:
        made.processes["worker"].terminate()
        wait_until(made.gone, LIMIT_SECONDS)
        return None, False
    os.kill(worker, signal.SIGSTOP)  # or it would learn of the guard's end, and end the job
    os.kill(guard, signal.SIGKILL)
    os.kill(worker, signal.SIGKILL)
    start = time.monotonic()
    wait_until(lambda: made.ended("transmit", "worker", "process"), LIMIT_SECONDS)
    left = bool(made.stages.leftovers() or marked_processes(made.stages.temporary))
    if left:
        made.stages.call("worker")
    wait_until(made.gone, SECONDS)
    took = time.monotonic() - start
    assert made.stages.leftovers() == []
    made.check_truth({"worker"})
    return took, left


def ask_for_a_password(made: Pipeline) -> None:
    """Let the job have a password that it is asked for."""
    made.stages.path_before.insert(0, _FAKES)
    (made.demo / "env").mkdir()
    (made.demo / "env" / "passwords").write_text(f"ssh: {PASSWORD}\n")


def check_secret(made: Pipeline) -> None:
    """The password is in no file but the user's, and nobody has said it.

    Raises:
        AssertionError: it is.
    """
    for path in made.directory.rglob("*"):
        if path.is_file() and path != made.demo / "env" / "passwords":
            assert PASSWORD.encode() not in path.read_bytes(), path
    for name in made.processes:
        assert PASSWORD not in made.text(name), name


def measure(flags: argparse.Namespace, report: Report) -> None:
    """Each case at `--moments` moments by chance."""
    kinds: dict[str, Callable[[Pipeline, str, float], float | None]] = {
        "KILL to guard": partial(_strike, target="guard", number=signal.SIGKILL, asks=False),
        "KILL to guard and worker": _kill_both,
    }
    for target in ("worker", "ansible", "guard"):
        for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT):
            if target != "guard" or number is signal.SIGKILL:  # it ignores the others, which are meant for the worker
                kinds[f"{number.name[3:]} to {target}, job with a password"] = partial(
                    _strike, target=target, number=number, asks=True
                )
    cases = [(kind, moment) for kind in kinds for moment in range(flags.moments)]
    random.Random(flags.seed).shuffle(cases)

    def run(case: tuple[str, int]) -> None:
        kind, moment = case
        delay = _RUN_SECONDS * (moment + random.Random(f"{flags.seed} {case}").random()) / flags.moments
        playbook = ("short.yml", "long.yml")[moment % 2]
        row = f"{kind}: until nothing is left"
        where = f"{playbook}, {delay:.3f} s after the guard's start"
        with tempfile.TemporaryDirectory() as directory:
            try:
                with pipeline(Path(directory)) as made:
                    took = kinds[kind](made, playbook, delay)
            except (AssertionError, OSError) as error:
                report.fail(row, f"{where}: {error}")
                return
        if took is not None and took > SECONDS:
            report.fail(row, f"{where}: {took:.1f} s")
        report.add(row, took, "s")

    with ThreadPoolExecutor(_TOGETHER) as pool:
        list(pool.map(run, cases))


def _strike(
    made: Pipeline, playbook: str, delay: float, *, target: str, number: signal.Signals, asks: bool
) -> float | None:
    if asks:
        ask_for_a_password(made)
    struck = strike(made, target, number, playbook, partial(_wait, made, delay), seconds=4 * SECONDS)
    check_secret(made)
    return struck.seconds


def _kill_both(made: Pipeline, playbook: str, delay: float) -> float | None:
    return kill_both(made, playbook, partial(_wait, made, delay))[0]


def _wait(made: Pipeline, delay: float) -> None:
    """Wait so many seconds from the start of the guard on."""
    wait_until(lambda: made.guard is not None or made.ended("worker"), LIMIT_SECONDS)
    time.sleep(delay)
