"""A pipeline of three processes whose Ansible has children that are hard to end, and what is to be seen of it."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from tests.processes import command_line, guards_of, marked_processes, wait_until
from tests.stages import LIMIT_SECONDS, Stages
from tests.stress.faults.met import Met, look, without_dropped

FAKES = Path(__file__).parent / "fakes"
LIVENESS_SECONDS = 1.0
NAMES = ("transmit", "worker", "process")
TARGETS = (*NAMES, "ansible")
_LISTENERS = {"transmit": ("worker", "process"), "worker": ("process",), "process": (), "ansible": (), "guard": ()}
"""Who hears, in pipes that go one way, that a stage is silent."""
_ASKING = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
_INTERRUPTED = 130
_TERMINAL = {"successful", "failed", "canceled", "error"}


@dataclass
class Pipeline:
    """transmit | worker | process, with what they say in files."""

    directory: Path
    stages: Stages
    cache: Path | None = None
    """The cache of the worker; None for none."""
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    _said: dict[str, IO[bytes]] = field(default_factory=dict)

    @property
    def demo(self) -> Path:
        """The private data directory, on both sides."""
        return self.directory / "demo"

    def start(self, playbook: str) -> None:
        """Start the three stages; transmit stays."""
        liveness = ("--liveness-seconds", str(LIVENESS_SECONDS))
        alive = (*liveness, "--keepalive-seconds", "0.2")
        since = () if self.cache is None else ("--since", "none")
        cache = () if self.cache is None else (f"--cache={self.cache}",)
        self._start("transmit", self.demo, "-p", playbook, "--hold", *since, *alive, stdin=subprocess.DEVNULL)
        self._start("worker", *cache, *alive, stdin=self.processes["transmit"].stdout)
        self._start("process", self.demo, *liveness, stdin=self.processes["worker"].stdout, stdout=subprocess.DEVNULL)
        for name in ("transmit", "worker"):
            stdout = self.processes[name].stdout
            assert stdout is not None
            stdout.close()

    def _start(self, name: str, *words: str | Path, **options: Any) -> None:
        said = self._said[name] = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the others
        self.processes[name] = self.stages.start(name, *words, stderr=said, **options)

    def text(self, name: str) -> str:
        """What a stage has said on its standard error."""
        self._said[name].seek(0)
        return self._said[name].read().decode("utf-8", "replace")

    @property
    def ansible(self) -> int | None:
        """The process id of the job's Ansible, once it runs."""
        for pid in marked_processes(self.stages.temporary):
            if b"ansible-playbook" in command_line(pid).split(b"-i")[0]:
                return pid
        return None

    @property
    def guard(self) -> int | None:
        """The process id of the worker's guard, once it runs."""
        try:
            return next(iter(guards_of(self.processes["worker"].pid)), None)
        except OSError:
            return None  # it has ended

    def pid(self, target: str) -> int | None:
        """The process id of a target, None when it does not run."""
        if target == "ansible":
            return self.ansible
        if target == "guard":
            return self.guard
        stage = self.processes[target]
        return stage.pid if stage.poll() is None else None

    def ended(self, *names: str) -> bool:
        """Whether these stages have ended."""
        return all(self.processes[name].poll() is not None for name in names)

    def gone(self) -> bool:
        """Whether nothing of the job is left: no stage and no process."""
        return self.ended(*NAMES) and not marked_processes(self.stages.temporary)

    def check_truth(self, victims: set[str], met: Met | None = None) -> None:
        """The stages have ended with the truth.

        Args:
            victims: those that have ended by a signal, as they may, and have nothing to tell.
            met: where a SIGINT found the stage in `victims`, if that is not our code.

        Raises:
            AssertionError: one has not.
        """
        for name, stage in self.processes.items():
            said = self.text(name)
            if not (met is Met.START and name in victims):
                assert "Traceback" not in (without_dropped(said) if met is Met.LOST else said), f"{name}: {said}"
            assert stage.returncode >= 0 or name in victims, f"{name} ended by signal {-stage.returncode}"
        if "process" in victims:
            return
        status = (self.demo / "artifacts" / "status").read_text()
        assert status in _TERMINAL, status
        ended = self.processes["process"].returncode
        assert (ended == 0) == (status == "successful"), (status, ended)
        if status in {"error", "canceled"}:
            assert f"playstream process: {status}" in self.text("process"), self.text("process")

    def check_nothing_left(self) -> None:
        """No spool is left, or the next worker removes it.

        Raises:
            AssertionError: one is left.
        """
        if self.stages.leftovers():
            self.stages.call("worker")
        assert self.stages.leftovers() == []

    def close(self) -> None:
        """End what still runs."""
        for stage in self.processes.values():
            if stage.poll() is None:
                stage.send_signal(signal.SIGCONT)
                stage.kill()
            stage.wait(LIMIT_SECONDS)
        for said in self._said.values():
            said.close()


@contextmanager
def pipeline(directory: Path, *, cached: bool = False) -> Iterator[Pipeline]:
    """A pipeline that is ready to be started; ended at the end. With `cached` its worker has a cache."""
    demo, temporary = directory / "demo", directory / "tmp"
    (demo / "project").mkdir(parents=True)
    (demo / "inventory").mkdir()
    (demo / "inventory" / "hosts").write_text("node1\n")
    for name in ("short", "long"):
        (demo / "project" / f"{name}.yml").write_text("[]\n")
    temporary.mkdir()
    stages = Stages(temporary)
    stages.path_before.append(FAKES)
    stages.variables["XDG_CACHE_HOME"] = str(directory / "remembered")
    made = Pipeline(demo.parent, stages, directory / "cache" if cached else None)
    try:
        yield made
    finally:
        made.close()
        wait_until(lambda: not marked_processes(temporary))


@dataclass(frozen=True, slots=True)
class Struck:
    """What a signal has done.

    Attributes:
        seconds: until nothing of the job was left; None when the target had not begun or had ended.
        met: where a SIGINT found its target, if that is not our code.
    """

    seconds: float | None
    met: Met | None = None


def strike(
    made: Pipeline,
    target: str,
    number: signal.Signals,
    playbook: str,
    wait: Callable[[], object],
    *,
    then: signal.Signals = signal.SIGCONT,
    seconds: float = LIMIT_SECONDS,
) -> Struck:
    """Run a job, signal a target, see how all ends.

    Args:
        made: the pipeline.
        target: whom to signal.
        number: what with. It may end a stage that is still starting up as it ends any program.
        playbook: short.yml or long.yml.
        wait: returns at the moment of the signal; the stages run meanwhile.
        then: what a stopped stage gets when those that hear its silence have ended: SIGCONT or SIGKILL.
        seconds: until when all has to be gone.

    Raises:
        AssertionError: a promise is broken.
    """
    made.start(playbook)
    wait()
    pid = made.pid(target)
    moment = look(pid) if pid is not None else None
    if pid is None or moment is None:
        made.processes["worker"].terminate()
        wait_until(made.gone, LIMIT_SECONDS)
        return Struck(None)
    if not _LISTENERS[target]:
        then = signal.SIGKILL  # continued, it would go on with the job
    os.kill(pid, number)
    if number is signal.SIGSTOP:
        wait_until(lambda: made.ended(*_LISTENERS[target]), LIMIT_SECONDS)
        os.kill(pid, then)
    start = time.monotonic()
    met = None
    if number is signal.SIGINT and target in NAMES and not moment.handles:
        met = _see_what_it_met(made, target, pid)
    wait_until(made.gone, seconds)
    took = time.monotonic() - start
    victims = {target} if signal.SIGKILL in (number, then if number is signal.SIGSTOP else None) else set()
    if target in NAMES and number in _ASKING and not moment.handles:
        returncode = made.processes[target].returncode
        interrupted = returncode == _INTERRUPTED and "interrupted" in made.text(target)
        if number is signal.SIGINT:
            met = met or moment.met(returncode, made.text(target))
        if met in (Met.START, Met.END) or interrupted or returncode == -number:
            victims.add(target)
    made.check_truth(victims, met)
    made.check_nothing_left()
    return Struck(took, met)


def _see_what_it_met(made: Pipeline, target: str, pid: int) -> Met | None:
    """Wait until a stage that was interrupted before it had handlers has ended. If it has got them, interrupt again."""

    def settled() -> bool:
        found = look(pid)
        return made.ended(target) or (found is not None and found.handles)

    wait_until(settled, LIMIT_SECONDS)
    if made.ended(target):
        return None
    os.kill(pid, signal.SIGINT)
    return Met.LOST
