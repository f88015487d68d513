"""Runs the stages of this version and of each earlier one in every combination.

    python -m tests.versions

The earlier ones are the commits before the protocol's minor versions 1 and 2, each built as a wheel from this
repository and installed in a virtual environment of its own. Jobs are run on a mesh too, whose parts are of this
version and of the first one that had its messages (`mesh.py`). Prints one line for each combination; the exit status is
1 when a run differs from one with the three stages of this version.
"""

from __future__ import annotations

import difflib
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pexpect

from tests.matrix.debian import ROOT, Unprepared, do
from tests.versions import mesh

EARLIER = {
    "minor version 0": "f9b32ed9c0ae64f6fd2d120d451c6cff2b1f281f",
    "minor version 1": "f64c97561d7b898a565d2f48ee8d5a0fd7444b3b",
}
THIS = "this"
CACHE = ROOT / ".cache" / "versions"
LIMIT_SECONDS = 120
PLAYBOOK = """\
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.debug: {msg: "hello {{ inventory_hostname }}"}
    - ansible.builtin.copy: {src: file, dest: "{{ playbook_dir }}/copy"}
    - ansible.builtin.fail: {msg: broken}
      ignore_errors: true
"""


@dataclass(frozen=True)
class Outcome:
    """What a run left, as far as it is the same in each run."""

    exit_status: int
    status: str
    events: tuple[str, ...]
    stdout: str

    @property
    def lines(self) -> list[str]:
        """The whole outcome as lines, to compare it."""
        return [str(self.exit_status), self.status, *self.events, *self.stdout.splitlines()]


def main() -> int:
    """Run all combinations; return the exit status."""
    try:
        programs = {name: [str(_install(commit)), "-m", "playstream"] for name, commit in EARLIER.items()}
        nodes = {name: [str(_install(commit, "[mesh]")), "-m", "playstream"] for name, commit in mesh.EARLIER.items()}
    except Unprepared as error:
        print(error, file=sys.stderr)
        return 1
    programs[THIS] = nodes[THIS] = [sys.executable, "-m", "playstream"]
    combinations = dict.fromkeys(stages for name in EARLIER for stages in itertools.product((THIS, name), repeat=3))
    with tempfile.TemporaryDirectory(prefix="versions-") as directory:
        place = Path(directory)
        runs = {
            "transmit, worker, process: " + ", ".join(stages): _pipeline(
                place / f"pipeline-{number}", [programs[name] for name in stages]
            )
            for number, stages in enumerate(combinations)
        }
        for number, name in enumerate(EARLIER):
            link = "exec:" + " ".join([*programs[name], "worker"])
            runs[f"run --on a worker of {name}"] = _run_on(place / f"on-{number}", programs[THIS], link)
        link = "exec:" + " ".join([*programs["minor version 0"], "worker"])
        runs["run --on a worker of minor version 0 on a terminal"] = _run_on_a_terminal(
            place / "terminal", programs[THIS], link
        )
        for number, (name, parts) in enumerate(mesh.combinations(THIS).items()):
            maker, submitter, node = (nodes[part] for part in parts)
            runs[name] = _run_on_a_mesh(place / f"mesh-{number}", maker, submitter, node)
    expected = next(iter(runs.values()))
    good = expected.exit_status == 0 and bool(expected.events)
    for name, outcome in runs.items():
        same = good and outcome == expected
        print(f"{name}: {'the same' if same else f'DIFFERENT, {outcome.exit_status} {outcome.status}'}")
        if not same:
            print(*difflib.unified_diff(expected.lines, outcome.lines, "this", name, lineterm=""), sep="\n")
        good = good and same
    return 0 if good else 1


def _install(commit: str, extras: str = "") -> Path:
    """Install an earlier version, with extras as pip wants them; return its Python.

    Raises:
        Unprepared: this is not a repository with that commit, or it cannot be built.
    """
    python = CACHE / commit / "bin" / "python"
    if python.exists():
        return python
    shutil.rmtree(CACHE / commit, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix="versions-") as directory:
        archive = Path(directory) / "source.tar"
        only_here = "only a clone with its history has the earlier version"
        do(["git", "-C", str(ROOT), "archive", "--output", str(archive), commit], only_here)
        source = Path(directory) / "source"
        source.mkdir()
        do(["tar", "--extract", "--file", str(archive), "--directory", str(source)], "tar cannot unpack the archive")
        do([sys.executable, "-m", "venv", str(CACHE / commit)], f"cannot make {CACHE / commit}")
        core = do([sys.executable, "-c", "import ansible.release as r; print(r.__version__)"], "Ansible is missing")
        words = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", f"{source}{extras}"]
        try:
            do([str(python), *words, f"ansible-core=={core.strip()}"], "pip cannot install the earlier version")
        except Unprepared:
            shutil.rmtree(CACHE / commit)
            raise
    return python


def _make_directory(place: Path) -> Path:
    (place / "demo" / "project" / "files").mkdir(parents=True)
    (place / "demo" / "inventory").mkdir()
    (place / "tmp").mkdir()
    (place / "demo" / "project" / "site.yml").write_text(PLAYBOOK)
    (place / "demo" / "project" / "files" / "file").write_bytes(os.urandom(300_000))
    (place / "demo" / "inventory" / "hosts").write_text(
        "".join(f"node{n} ansible_connection=local ansible_python_interpreter={sys.executable}\n" for n in (1, 2))
    )
    return place / "demo"


def _pipeline(place: Path, programs: Sequence[Sequence[str]]) -> Outcome:
    directory = _make_directory(place)
    words = (["transmit", str(directory), "-p", "site.yml", "-f", "1"], ["worker"], ["process", str(directory)])
    stages: list[subprocess.Popen[bytes]] = []
    env = {**os.environ, "TMPDIR": str(place / "tmp")}
    source = None
    for program, arguments in zip(programs, words, strict=True):
        stage = subprocess.Popen([*program, *arguments], stdin=source, stdout=subprocess.PIPE, env=env, cwd=place)
        if source is not None:
            source.close()
        source = stage.stdout
        stages.append(stage)
    stages[-1].communicate(timeout=LIMIT_SECONDS)
    for stage in stages:
        stage.wait(LIMIT_SECONDS)
    return _outcome(stages[-1].returncode, directory / "artifacts")


def _run_on(place: Path, program: Sequence[str], link: str) -> Outcome:
    directory = _make_directory(place)
    words = ["run", str(directory), "-p", "site.yml", "-f", "1", "-i", "x", "--on", link]
    env = {**os.environ, "TMPDIR": str(place / "tmp")}
    done = subprocess.run(
        [*program, *words], stdout=subprocess.PIPE, env=env, cwd=place, timeout=LIMIT_SECONDS, check=False
    )
    return _outcome(done.returncode, directory / "artifacts" / "x")


def _run_on_a_mesh(place: Path, maker: Sequence[str], submitter: Sequence[str], node: Sequence[str]) -> Outcome:
    mixed = mesh.MixedMesh(place, maker, node)
    try:
        return _run_on(place / "run", submitter, mixed.link)
    finally:
        mixed.close()


def _run_on_a_terminal(place: Path, program: Sequence[str], link: str) -> Outcome:
    """The worker does not know the records of a terminal: it gets none, and the run is as without one."""
    directory = _make_directory(place)
    words = [*program, "run", str(directory), "-p", "site.yml", "-f", "1", "-i", "x", "--on", link]
    env = {**os.environ, "TMPDIR": str(place / "tmp"), "TERM": "xterm"}
    child = pexpect.spawn(words[0], words[1:], env=env, cwd=place, dimensions=(40, 120), timeout=LIMIT_SECONDS)
    child.expect(pexpect.EOF)
    child.close()
    return _outcome(-1 if child.exitstatus is None else child.exitstatus, directory / "artifacts" / "x")


def _outcome(exit_status: int, artifacts: Path) -> Outcome:
    """Return what a run left; the name of its spool differs."""
    try:
        status, stdout = ((artifacts / name).read_text() for name in ("status", "stdout"))
    except FileNotFoundError:
        return Outcome(exit_status, "", (), "")
    events = [json.loads(path.read_text()) for path in (artifacts / "job_events").iterdir()]
    names = tuple(event["event"] for event in sorted(events, key=lambda event: event["counter"]))
    return Outcome(exit_status, status, names, re.sub(r"\S*playstream-spool-\w+", "SPOOL", stdout))


if __name__ == "__main__":
    raise SystemExit(main())
