"""Signals to a sender and to a worker with a cache, at many moments: the cache is intact, and the next job is right."""

from __future__ import annotations

import argparse
import os
import random
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from playstream.pipeline.protocol import Content, Offer
from playstream.pipeline.protocol.order import Direction
from playstream.pipeline.tree.digests import digest
from tests.links.workers import records_in
from tests.processes import is_running, marked_processes, wait_until
from tests.stages import LIMIT_SECONDS, Stages
from tests.stress.faults.faulty import UP
from tests.stress.faults.link import Fault, Kind
from tests.stress.faults.met import Met, look, without_dropped
from tests.stress.faults.moments import LIMIT_SECONDS as MOST_SECONDS
from tests.stress.faults.moments import SIGNALS
from tests.stress.faults.over_links import LinkFault
from tests.stress.faults.pipeline import FAKES, pipeline, strike
from tests.stress.faults.report import Report
from tests.stress.faults.stores import check_intact, check_next_job, check_nothing_left, names_in, stored_of

ONE_WAY, TWO_WAY = ("transmit", "worker"), ("run", "worker")
_FILES = 1500
_RUN_SECONDS = 3.0
"""How long a job takes, with others beside it."""
_TOGETHER = 4
_NEVER = LinkFault(Fault(Kind.DRIBBLE, 1 << 30), UP)
HALF = LinkFault(Fault(Kind.STALL, 1 << 20), UP)
"""A link that brings the small files and a part of the large one, and then nothing more."""
_ALIVE = ("--liveness-seconds", "4", "--keepalive-seconds", "0.2")
_ENDS = {130, 254}
_TERMINAL = {"successful", "failed", "canceled", "error"}


def fill(project: Path, count: int = _FILES) -> None:
    """Add so much to a project that a worker is busy storing it for a while."""
    chance = random.Random(6)
    for number in range(count):
        path = project / f"d{number % 9}" / str(number)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(chance.randbytes(300))
    (project / "large").write_bytes(chance.randbytes(3 << 20))


class LinkJobs:
    """Jobs over `exec:` with one cache, one after another.

    Args:
        directory: an empty one.
        count: files of the project.
        fault: that of the link of the job that is struck.
    """

    def __init__(self, directory: Path, count: int = _FILES, fault: LinkFault = _NEVER) -> None:
        self.directory = directory
        self._fault = fault
        self.cache = directory / "cache"
        self._demo = directory / "demo"
        (self._demo / "project").mkdir(parents=True)
        (self._demo / "inventory").mkdir()
        (self._demo / "inventory" / "hosts").write_text("node1\n")
        (self._demo / "project" / "short.yml").write_text("[]\n")
        fill(self._demo / "project", count)
        (directory / "tmp").mkdir()
        self.stages = Stages(directory / "tmp")
        self.stages.path_before.append(FAKES)
        self.stages.variables["XDG_CACHE_HOME"] = str(directory / "remembered")

    def start(self, ident: str, fault: LinkFault = _NEVER) -> subprocess.Popen[bytes]:
        """Start a job. Its streams, and the number of its worker, go to `notes(ident)`."""
        self.notes(ident).mkdir()
        worker = (sys.executable, "-m", "playstream", "worker", f"--cache={self.cache}", *_ALIVE)
        link = "exec:" + shlex.join(fault.words(self.notes(ident), *worker))
        words = ("-p", "short.yml", "-i", ident, "-q", "--on", link, *_ALIVE)
        return self.stages.start("run", self._demo, *words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    def notes(self, ident: str) -> Path:
        """Return the directory for notes of a job."""
        return self.directory / f"notes-{ident}"

    def worker(self, ident: str) -> int | None:
        """Return the number of the worker's process, once it runs."""
        path = self.notes(ident) / "worker"
        text = path.read_text() if path.exists() else ""
        return int(text) if text and is_running(int(text)) else None

    def strike(self, target: str, number: signal.Signals, wait: Callable[[], object]) -> float | None:
        """Run a job, signal its `run` or its worker, and see how all ends.

        Args:
            target: one of TWO_WAY.
            number: the signal. After SIGSTOP comes SIGKILL when the other side has ended.
            wait: returns at the moment of the signal.

        Returns:
            Seconds until nothing of the job was left; None if the target had not begun or had ended.

        Raises:
            AssertionError: a promise is broken.
        """
        job = self.start("struck", self._fault)
        wait()
        pid = job.pid if target == "run" else self.worker("struck")
        moment = None if pid is None else look(pid)
        if pid is None or moment is None or job.poll() is not None:
            job.communicate(timeout=LIMIT_SECONDS)
            return None
        os.kill(pid, number)
        if number is signal.SIGSTOP:
            others_ended = (
                (lambda: self.worker("struck") is None) if target == "run" else lambda: job.poll() is not None
            )
            wait_until(others_ended, LIMIT_SECONDS)
            os.kill(pid, signal.SIGKILL)
        start = time.monotonic()
        _, said = job.communicate(timeout=LIMIT_SECONDS)
        wait_until(lambda: self.worker("struck") is None and not marked_processes(self.stages.temporary), LIMIT_SECONDS)
        took = time.monotonic() - start
        by_start = moment.met(job.returncode, said.decode()) is Met.START and target == "run"
        assert by_start or "Traceback" not in without_dropped(said.decode()), said.decode()
        if target == "run" and number in {signal.SIGKILL, signal.SIGSTOP}:
            assert job.returncode == -signal.SIGKILL
        elif not (by_start or (target == "run" and job.returncode in {-number, *_ENDS})):
            status = (self._demo / "artifacts" / "struck" / "status").read_text()
            assert status in _TERMINAL
            assert (job.returncode == 0) == (status == "successful"), (status, said)
        return took

    def check_next(self) -> int:
        """Check the cache after a job that was struck, and that the next one is right and sends what was not kept.

        Returns:
            How many contents it has sent.

        Raises:
            AssertionError: that is not so.
        """
        if self.stages.leftovers():
            self.stages.call("worker")  # which removes what others have left
        assert self.stages.leftovers() == []
        before = set()
        if self.cache.exists():
            check_intact(self.cache)
            before = names_in(self.cache)
        job = self.start("next")
        _, said = job.communicate(timeout=LIMIT_SECONDS)
        assert (job.returncode, said) == (0, b""), said
        sent = records_in(self.notes("next") / UP, Direction.JOB)
        (offer,) = (each for each in sent if isinstance(each, Offer))
        names = {digest(each.data, offer.algorithm) for each in sent if isinstance(each, Content)}
        assert not names & before, "something was sent that the cache has"
        assert names <= names_in(self.cache)
        check_intact(self.cache)
        check_nothing_left(self.cache)
        return len(names)


def strike_one_way(
    directory: Path, target: str, number: signal.Signals, wait: Callable[[Path], object], count: int = _FILES
) -> float | None:
    """Run a job with a cache through three stages, and signal one of them.

    Args:
        directory: an empty one.
        target: one of ONE_WAY.
        number: the signal.
        wait: called with the cache; returns at the moment of the signal.
        count: files of the project.

    Returns:
        Seconds until nothing of the job was left; None if the target had not begun or had ended.

    Raises:
        AssertionError: a promise is broken.
    """
    with pipeline(directory, cached=True) as made:
        assert made.cache is not None
        fill(made.demo / "project", count)
        struck = strike(made, target, number, "short.yml", partial(wait, made.cache), then=signal.SIGKILL)
        stored = stored_of(made.demo)
        if made.cache.exists():
            check_next_job(stored, made.cache, directory / "target")
        return struck.seconds


def measure(flags: argparse.Namespace, report: Report) -> None:
    """Signal each side with each signal at `--moments` moments, in pipes of one direction and over links."""
    cases = [
        (two_way, target, number, moment)
        for two_way in (False, True)
        for target in (TWO_WAY if two_way else ONE_WAY)
        for number in SIGNALS
        for moment in range(flags.moments)
    ]
    random.Random(flags.seed).shuffle(cases)

    def run(case: tuple[bool, str, signal.Signals, int]) -> None:
        two_way, target, number, moment = case
        delay = _RUN_SECONDS * (moment + random.Random(f"{flags.seed} {case}").random()) / flags.moments
        row = f"{number.name} to {target}, {'a link' if two_way else 'pipes'} with a cache: until nothing is left"
        with tempfile.TemporaryDirectory() as name:
            try:
                if two_way:
                    jobs = LinkJobs(Path(name))
                    took = jobs.strike(target, number, lambda: time.sleep(delay))
                    report.add("  contents that the next job brings", jobs.check_next(), "contents")
                else:
                    took = strike_one_way(Path(name), target, number, lambda _cache: time.sleep(delay))
            except Exception as error:  # noqa: BLE001 - whatever it is, it is a broken promise
                report.fail(row, f"{delay:.3f} s after the start: {error!r}")
                return
        if took is not None and took > MOST_SECONDS:
            report.fail(row, f"{delay:.3f} s after the start: {took:.1f} s")
        report.add(row, took, "s")

    with ThreadPoolExecutor(_TOGETHER) as pool:
        list(pool.map(run, cases))
