"""Runs the tests that touch ansible on every supported ansible-core, each in a virtual environment of its own.

    python tests/matrix/run.py [--cores 2.15,2.19]

Prints one line for each core; the exit status is 1 when any of them failed.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VENVS = ROOT / ".cache" / "matrix"
TESTS = ("tests/plugin", "tests/events", "tests/worker", "tests/pipeline_e2e")
TOOLS = ("pytest>=8.0", "pytest-timeout>=2.3", "hypothesis>=6.100", "jsonschema>=4.18")
OURS = (3, 10)  # the oldest Python that playstream itself runs on

# ansible-core: the oldest and the newest Python that its controller supports.
PYTHONS = {
    "2.15": ((3, 9), (3, 11)),
    "2.16": ((3, 10), (3, 12)),
    "2.17": ((3, 10), (3, 12)),
    "2.18": ((3, 11), (3, 13)),
    "2.19": ((3, 11), (3, 13)),
    "2.20": ((3, 12), (3, 14)),
}
OPTIONAL = {"2.20"}  # its Python is newer than the one of the oldest system we support


class Unprepared(Exception):
    """A core's environment could not be made; the message says why."""


@dataclass(frozen=True)
class Outcome:
    core: str
    verdict: str
    failed: bool
    seconds: float


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


def _python_for(core: str) -> str | None:
    """This Python where it suits, else the newest suitable one on PATH."""
    oldest, newest = PYTHONS[core]
    oldest = max(oldest, OURS)
    names = [f"python{major}.{minor}" for major, minor in _down_from(newest, oldest)]
    for python in [sys.executable, *filter(None, map(shutil.which, names))]:
        version = _version_of(python)
        if version is not None and oldest <= version <= newest:
            return python
    return None


def _down_from(newest: tuple[int, int], oldest: tuple[int, int]) -> list[tuple[int, int]]:
    return [(3, minor) for minor in range(newest[1], oldest[1] - 1, -1)]


def _prepare(core: str, python: str) -> Path:
    """Make or bring up to date the core's virtual environment; return its Python."""
    venv = VENVS / core
    inside = venv / "bin" / "python"
    if _version_of(str(inside)) is None:
        _do([python, "-m", "venv", "--clear", str(venv)], f"cannot make {venv}")
    wanted = [f"ansible-core=={core}.*", "--editable", str(ROOT), *TOOLS]
    install = [str(inside), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *wanted]
    _do(install, f"pip cannot install ansible-core {core} and the project; is the package index reachable?")
    return inside


def _do(command: list[str], trouble: str) -> None:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        last = "\n".join(done.stdout.strip().splitlines()[-15:])
        raise Unprepared(f"{trouble}\n$ {' '.join(command)}\n{last}")


def _run(core: str) -> Outcome:
    start = time.monotonic()
    python = _python_for(core)
    if python is None:
        oldest, newest = (".".join(map(str, version)) for version in PYTHONS[core])
        verdict = f"needs Python {oldest} to {newest}, and PATH has none"
        return Outcome(core, f"left out: {verdict}" if core in OPTIONAL else verdict, core not in OPTIONAL, 0.0)
    try:
        inside = _prepare(core, python)
    except Unprepared as exc:
        print(exc, file=sys.stderr)
        return Outcome(core, "not prepared, see above", True, time.monotonic() - start)
    places = [place for place in TESTS if any((ROOT / place).rglob("test_*.py"))]
    status = subprocess.run([str(inside), "-m", "pytest", "-q", *places], cwd=ROOT, check=False).returncode
    verdict = "passed" if status == 0 else f"FAILED (pytest's exit status is {status})"
    return Outcome(core, verdict, status != 0, time.monotonic() - start)


def main() -> int:
    parser = argparse.ArgumentParser(description="Run the tests on every supported ansible-core.")
    parser.add_argument("--cores", default=",".join(PYTHONS), help="ansible-core versions, separated by commas")
    cores = parser.parse_args().cores.split(",")
    unknown = [core for core in cores if core not in PYTHONS]
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}; known are {', '.join(PYTHONS)}")
    outcomes = []
    for core in cores:
        print(f"== ansible-core {core}", flush=True)
        outcomes.append(_run(core))
    for outcome in outcomes:
        print(f"ansible-core {outcome.core}: {outcome.verdict} ({outcome.seconds:.0f} s)")
    return 1 if any(outcome.failed for outcome in outcomes) else 0


if __name__ == "__main__":
    raise SystemExit(main())
