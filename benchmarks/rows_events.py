"""Rows on a run of many events: process on a capture of it, and the run itself beside plain ansible-playbook."""

from __future__ import annotations

from pathlib import Path

from benchmarks.figures import Row, added, faster, interleave
from benchmarks.inputs import IDENT, PLAYBOOK, TASKS, EventsJob, Inputs, remove
from benchmarks.programs import Program, time_on_terminal, time_pipeline
from benchmarks.turns import Sides, in_turns

_S = "s"
_QUIET_PROCESS = (
    "import sys, ansible_runner; ansible_runner.run(streamer='process', _input=sys.stdin.buffer, quiet=True, "
    "private_data_dir=sys.argv[1], ident=sys.argv[2])"
)
"""ansible-runner's command `process` has no option for quiet, its function has."""


def process_rows(inputs: Inputs, runs: int) -> list[Row]:
    """10,000 events to artifacts, with Ansible's output to /dev/null and without it."""
    job = inputs.events_job
    job.require_results()
    toolbox = inputs.toolbox

    def measure(program: Program, source: Path, folder: Path) -> float:
        folder.mkdir()
        return time_pipeline([program], source=source)

    def own(*options: str) -> float:
        folder = inputs.scratch()
        return measure(toolbox.playstream("process", folder, *IDENT, *options), job.results, folder)

    def peer() -> float:
        folder = inputs.scratch()
        return measure(toolbox.runner("process", folder, *IDENT), job.runner_results, folder)

    def quiet_peer() -> float:
        folder = inputs.scratch()
        return measure(toolbox.runner_python("-c", _QUIET_PROCESS, folder, IDENT[1]), job.runner_results, folder)

    found = interleave(
        {
            "playstream process": own,
            "ansible-runner process": peer,
            "playstream process -q": lambda: own("-q"),
            "ansible_runner.run(quiet=True)": quiet_peer,
        },
        runs,
        _S,
    )
    inputs.scratch()
    events = f"{len(_event_files(inputs)):,} events"
    printed, runner_printed, quiet, runner_quiet = found.values()
    return [
        faster(f"process, {events}", printed, runner_printed, at_least=5),
        faster(f"process quietly, {events}", quiet, runner_quiet, at_least=5),
    ]


def _event_files(inputs: Inputs) -> list[Path]:
    """One file for each event of the capture."""
    folder = inputs.scratch()
    folder.mkdir()
    process = inputs.toolbox.playstream("process", folder, *IDENT, "-q")
    time_pipeline([process], source=inputs.events_job.results)
    files = list((folder / "artifacts" / IDENT[1] / "job_events").iterdir())
    remove(folder)
    return files


def run_rows(inputs: Inputs, runs: int) -> list[Row]:
    """The whole run. Plain ansible-playbook writes to a terminal too, since that is where playstream runs it.

    Artifacts go where all rows unpack. On ext4 they would pay for the removal of those of the run before: it passes
    over the inodes of files that were removed in the last minutes, one by one, for each file that it makes.

    The warm-up is a run on a single host: what it warms does not depend on how many there are.
    """
    job = inputs.events_job
    in_turns(lambda: _run_sides(inputs, inputs.small_job), 1, _S)
    plain, own, runner = in_turns(lambda: _run_sides(inputs, job), runs, _S).values()
    stage = f"run of {job.hosts} hosts x {TASKS} tasks"
    return [added(stage, own, plain, less_than=3), faster(stage, own, runner)]


def _run_sides(inputs: Inputs, job: EventsJob) -> Sides:
    toolbox = inputs.toolbox
    target = inputs.scratch()
    target.mkdir()
    plain = toolbox.ansible_playbook("-i", job.path / "inventory", "site.yml", cwd=job.path / "project")
    process = toolbox.playstream("process", target / "own", *IDENT)
    stages = [job.transmit(), toolbox.playstream("worker"), process]
    runner = toolbox.runner("run", job.path, *PLAYBOOK, *IDENT, "--artifact-dir", target / "peer")
    return {
        "ansible-playbook alone": lambda group: time_on_terminal(group.holding(plain)),
        "transmit | worker | process": lambda group: time_pipeline([group.holding(stage) for stage in stages]),
        "ansible-runner run": lambda group: time_pipeline([group.holding(runner)]),
    }
