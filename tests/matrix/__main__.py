"""Runs the tests that touch ansible on every supported ansible-core, each in a virtual environment of its own.

    python -m tests.matrix [--cores 2.15,2.19] [PLACE …]

A core whose Python is not on PATH runs in a Debian that has it (debian.py). Prints one line for each core; the exit
status is 1 when any of them failed.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass

from tests.matrix.debian import RELEASES, ROOT, Debian, Unprepared, do, inside, prepare, reason_against

VENVS = ROOT / ".cache" / "matrix"
OF_THE_WORKER = ("prompts", "answers", "answers_on_a_terminal", "passwords", "ssh_key", "masks", "fact_cache")
"""The tests of the worker whose results depend on Ansible: what it asks, reads, prints and keeps."""
TESTS = (
    "tests/plugin",
    "tests/process/test_explanation.py",
    "tests/process/test_task_results.py",
    "tests/e2e/events",
    "tests/e2e/pipe",
    *(f"tests/worker/test_{name}.py" for name in OF_THE_WORKER),
)
TOOLS = (
    "pytest>=8.0",
    "pytest-timeout>=2.3",
    "pytest-xdist>=3.5",
    "hypothesis>=6.100",
    "mitogen>=0.3.54",
    "jsonschema>=4.18",
    "pyte>=0.8",
)
OURS = (3, 11)  # the oldest Python that playstream itself runs on

# ansible-core: the oldest and the newest Python that its controller supports.
PYTHONS = {
    "2.15": ((3, 9), (3, 11)),
    "2.16": ((3, 10), (3, 12)),
    "2.17": ((3, 10), (3, 12)),
    "2.18": ((3, 11), (3, 13)),
    "2.19": ((3, 11), (3, 13)),
    "2.20": ((3, 12), (3, 14)),
    "2.21": ((3, 12), (3, 14)),
    "2.22": ((3, 13), (3, 15)),
}
CANDIDATES = {"2.22"}  # has no release; pip takes a release candidate only where one is named


@dataclass(frozen=True)
class Outcome:
    core: str
    verdict: str
    failed: bool
    seconds: float


@dataclass(frozen=True)
class Python:
    """A Python of this host, or of a Debian beside it."""

    path: str
    version: tuple[int, int]
    debian: Debian | None = None

    def command(self, *words: str) -> list[str]:
        """These words as a command where this Python is."""
        return list(words) if self.debian is None else inside(self.debian, words)


def _version_of(python: str) -> tuple[int, int] | None:
    """None when it does not start: version managers leave stubs on PATH for versions they do not have."""
    code = "import sys, venv, ensurepip; print(*sys.version_info[:2])"
    try:
        shown = subprocess.run([python, "-c", code], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    if shown.returncode:
        return None
    major, minor = shown.stdout.split()
    return int(major), int(minor)


def _python_for(core: str) -> Python:
    """This Python where it suits, else the newest suitable one on PATH, else that of a Debian.

    Raises:
        Unprepared: there is none.
    """
    oldest, newest = PYTHONS[core]
    oldest = max(oldest, OURS)
    names = [f"python3.{minor}" for minor in range(newest[1], oldest[1] - 1, -1)]
    for python in [sys.executable, *filter(None, map(shutil.which, names))]:
        version = _version_of(python)
        if version is not None and oldest <= version <= newest:
            return Python(python, version)
    reason = reason_against()
    for debian in RELEASES:
        if reason is None and oldest <= debian.python <= newest:
            return Python("/usr/bin/python3", debian.python, debian)
    wanted = " to ".join(dict.fromkeys(".".join(map(str, version)) for version in (oldest, newest)))
    raise Unprepared(
        f"ansible-core {core} needs Python {wanted}, and PATH has none; {reason or 'nor has a Debian that is known'}"
    )


def _prepare(core: str, python: Python, packages: Sequence[str]) -> str:
    """Make or bring up to date the core's virtual environment; return its Python.

    pip fetches with this host's configuration, and installs from what it has fetched where the Python is.

    Raises:
        Unprepared: it cannot be made.
    """
    if python.debian is not None:
        prepare(python.debian, packages)
    version = ".".join(map(str, python.version))
    venv, wheels = VENVS / f"{core}-{version}", VENVS / f"wheels-{core}-{version}"
    shutil.rmtree(wheels, ignore_errors=True)  # an older wheel in it would be installed where a newer one failed
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    build = project["build-system"]["requires"]
    ansible = f"ansible-core=={core}.*" + (f",>={core}.0rc1" if core in CANDIDATES else "")
    wanted = [ansible, *TOOLS, *project["project"]["dependencies"]]
    here = [sys.executable, "-m", "pip"]
    quiet = ["--quiet", "--disable-pip-version-check"]
    trouble = f"pip cannot fetch ansible-core {core} and what the project needs; is the package index reachable?"
    fetch = [*here, "download", *quiet, "--dest", str(wheels), "--only-binary", ":all:", "--python-version", version]
    do([*fetch, *wanted], trouble)
    # What the project is built with is pure Python, and some of it has no wheel.
    do([*here, "wheel", *quiet, "--no-deps", "--wheel-dir", str(wheels), *build], trouble)
    own = str(venv / "bin" / "python")
    if not venv.is_dir():
        do(python.command(python.path, "-m", "venv", str(venv)), f"cannot make {venv}")
    pip = [own, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index", "--find-links"]
    for words in (build, [*wanted, "--no-build-isolation", "--editable", str(ROOT)]):
        do(python.command(*pip, str(wheels), *words), f"pip cannot install ansible-core {core} and the project")
    return own


def _run(core: str, packages: Sequence[str], places: Sequence[str]) -> Outcome:
    start = time.monotonic()
    try:
        python = _python_for(core)
        own = _prepare(core, python, packages)
    except Unprepared as exc:
        print(exc, file=sys.stderr)
        return Outcome(core, "not prepared, see above", True, time.monotonic() - start)
    spread = ("--numprocesses", "auto", "--dist", "loadfile")
    command = python.command(own, "-m", "pytest", "-q", "-p", "no:cacheprovider", *spread, *places)
    status = subprocess.run(command, cwd=ROOT, check=False).returncode
    exact = do(python.command(own, "-c", "import ansible.release as r; print(r.__version__)"), "it is gone").strip()
    where = "" if python.debian is None else f", in Debian {python.debian.number}"
    verdict = "passed" if status == 0 else f"FAILED (pytest's exit status is {status})"
    verdict += f": {exact} on Python {'.'.join(map(str, python.version))}{where}"
    return Outcome(core, verdict, status != 0, time.monotonic() - start)


def main() -> int:
    parser = argparse.ArgumentParser(description="Run the tests on every supported ansible-core.")
    parser.add_argument("--cores", default=",".join(PYTHONS), help="ansible-core versions, separated by commas")
    parser.add_argument("--packages", default="", help="what a Debian beside this one gets for the tests")
    parser.add_argument("places", nargs="*", default=TESTS, help="tests to run, in place of all that touch ansible")
    arguments = parser.parse_args()
    cores = arguments.cores.split(",")
    unknown = [core for core in cores if core not in PYTHONS]
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}; known are {', '.join(PYTHONS)}")
    outcomes = []
    for core in cores:
        print(f"== ansible-core {core}", flush=True)
        outcomes.append(_run(core, arguments.packages.split(), arguments.places))
    for outcome in outcomes:
        print(f"ansible-core {outcome.core}: {outcome.verdict} ({outcome.seconds:.0f} s)")
    return 1 if any(outcome.failed for outcome in outcomes) else 0


if __name__ == "__main__":
    raise SystemExit(main())
