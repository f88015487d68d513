"""Rows on `--fast`: 20 tasks on five hosts at several distances, beside other ways to run the same playbook."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from benchmarks.errors import BenchmarkError
from benchmarks.figures import Row, Samples, faster, interleave
from benchmarks.inputs import IDENT, PLAYBOOK, Inputs, remove
from benchmarks.kept_figures import KeptFigures
from benchmarks.programs import Program, time_pipeline
from benchmarks.report import describe_machine
from tests.e2e.fast.distant import DistantHosts
from tests.network.network import may_make_networks

SECTION = "20 tasks"
FAST = "playstream run --fast"
PLAIN = "ansible-playbook"
ROUND_TRIPS: Mapping[int, float | None] = {0: 8.0, 20: None, 80: 4.0}
"""Milliseconds to a host and back, and how many times as fast as plain ansible-playbook `--fast` has to be there."""
_HOSTS, _TASKS = 5, 20
_S = "s"
_TASK_OF_EACH_KIND = (
    "command: echo {number}",
    'stat: {{path: "{{{{ place }}}}/made/file-{number}"}}',
    'file: {{path: "{{{{ place }}}}/made/directory-{number}", state: directory, mode: "0750"}}',
    'copy: {{src: text-{number}, dest: "{{{{ place }}}}/made/copy-{number}"}}',
)
"""Templates of tasks, which are used in turn."""


class FastRuns:
    """Runs one playbook on distant hosts, in any of the ways that are compared.

    Args:
        inputs: the programs, and where the files are.
        hosts: the hosts.
        folder: for files.
        tasks: the number of tasks.
    """

    def __init__(self, inputs: Inputs, hosts: DistantHosts, folder: Path, tasks: int) -> None:
        self._inputs = inputs
        self._hosts = hosts
        self._job = folder / "job"
        self._home = folder / "home"
        self._artifacts = folder / "artifacts"
        make_job(self._job, hosts.inventory(), tasks)

    def programs(self) -> dict[str, Program]:
        """Return the ways by their names. Nothing is set but what a name says."""
        toolbox = self._inputs.toolbox
        plain = toolbox.ansible_playbook("-i", self._job / "inventory", "site.yml", cwd=self._job / "project")
        strategies = _mitogen_strategies()
        run = ("run", self._job, *PLAYBOOK, *IDENT, "--artifact-dir", self._artifacts)
        return {
            PLAIN: plain,
            "ansible-playbook, pipelining": _with_env(plain, ANSIBLE_PIPELINING="1"),
            "ansible-playbook, mitogen": _with_env(
                plain, ANSIBLE_STRATEGY="mitogen_linear", ANSIBLE_STRATEGY_PLUGINS=strategies
            ),
            FAST: toolbox.playstream(*run, "--fast"),
            "ansible-runner run": toolbox.runner(*run),
        }

    def measure(self, program: Program) -> float:
        """Return the seconds of a run that finds neither files nor connections of another."""
        for name in self._hosts.names:
            remove(self._hosts.place(name) / "made")
            (self._hosts.place(name) / "made").mkdir()
        remove(self._home)
        self._home.mkdir(mode=0o700)
        remove(self._artifacts)
        placed = _with_env(program, HOME=str(self._home))
        placed = replace(placed, argv=[*self._hosts.inside, *placed.argv])
        try:
            return time_pipeline([placed])
        finally:
            close_connections(self._home)


def close_connections(home: Path) -> None:
    """Close the connections that ssh keeps for a minute, which the next run would find.

    Args:
        home: the home directory of the run.
    """
    for place in home.glob(".ansible/cp/*"):
        words = ["ssh", "-o", f"ControlPath={place}", "-O", "exit", "host"]
        subprocess.run(words, check=False, capture_output=True)


def make_job(folder: Path, inventory: str, tasks: int) -> None:
    """Make a private data directory with a playbook of so many tasks."""
    (folder / "project" / "files").mkdir(parents=True)
    (folder / "inventory").mkdir()
    (folder / "inventory" / "hosts").write_text(inventory)
    lines = ["- hosts: all", "  gather_facts: false", "  tasks:"]
    for number in range(tasks):
        lines.append("    - " + _TASK_OF_EACH_KIND[number % len(_TASK_OF_EACH_KIND)].format(number=number))
        (folder / "project" / "files" / f"text-{number}").write_text(f"{number}\n" * 1000)
    (folder / "project" / "site.yml").write_text("\n".join(lines) + "\n")


def fast_rows(inputs: Inputs, runs: int) -> list[Row]:
    """All ways, in turns at all distances."""
    if not may_make_networks():
        raise BenchmarkError("the row fast needs networks, which only root can make here. Choose others with --rows")
    tasks = max(len(_TASK_OF_EACH_KIND), round(_TASKS * inputs.scale))
    figures = KeptFigures(inputs.fast_figures, describe_machine())
    figures.begin(SECTION, hosts=_HOSTS, tasks=tasks)
    folder = inputs.toolbox.scratch / "fast"
    folder.mkdir()
    with DistantHosts(folder / "hosts", _HOSTS) as hosts:
        _warm_up(inputs, hosts, folder / "small")
        ways = FastRuns(inputs, hosts, folder, tasks)
        found = interleave(_contenders(ways, hosts, figures), runs, _S, warm_up=False)
    shutil.rmtree(folder)
    stage = f"{tasks} tasks on {_HOSTS} hosts"
    rows = []
    for milliseconds, at_least in ROUND_TRIPS.items():
        of_distance = {how: found[_name(how, milliseconds)] for how in ways.programs()}
        own = of_distance.pop(FAST)
        for how, samples in of_distance.items():
            peer = Samples(how, _S, samples.values)
            wanted = at_least if how == PLAIN else None
            rows.append(faster(f"--fast, {stage} at {milliseconds} ms", own, peer, wanted))
    return rows


def _warm_up(inputs: Inputs, hosts: DistantHosts, folder: Path) -> None:
    """Run a task of each kind in each way: the first run of a program reads and compiles its files."""
    ways = FastRuns(inputs, hosts, folder, len(_TASK_OF_EACH_KIND))
    for program in ways.programs().values():
        ways.measure(program)


def _contenders(ways: FastRuns, hosts: DistantHosts, figures: KeptFigures) -> dict[str, Callable[[], float]]:
    def measure(how: str, program: Program, milliseconds: int) -> float:
        hosts.network.shape(delay=milliseconds / 2000)
        seconds = ways.measure(program)
        print(f"{_name(how, milliseconds)}: {seconds:.1f} s", file=sys.stderr, flush=True)
        return figures.add(SECTION, str(milliseconds), how, seconds)

    return {
        _name(how, milliseconds): partial(measure, how, program, milliseconds)
        for milliseconds in ROUND_TRIPS
        for how, program in ways.programs().items()
    }


def _name(how: str, milliseconds: int) -> str:
    return f"{how} at {milliseconds} ms"


def _with_env(program: Program, **env: str) -> Program:
    return replace(program, env={**program.env, **env})


def _mitogen_strategies() -> str:
    spec = importlib.util.find_spec("ansible_mitogen")
    if spec is None or spec.origin is None:
        raise BenchmarkError("mitogen is not installed beside playstream: pip install 'playstream[fast]'")
    return str(Path(spec.origin).parent / "plugins" / "strategy")
