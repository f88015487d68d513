"""What is compared: the commands of both tools, from virtual environments with the same ansible-core."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.errors import BenchmarkError
from benchmarks.programs import Program
from tests.ansible_runner_env import Unprepared, ansible_runner_python

RUNNER_VERSION = "2.4.3"
ROOT = Path(__file__).parent.parent
CACHE = ROOT / ".cache" / "bench"


@dataclass(frozen=True, slots=True)
class Toolbox:
    """Makes the programs. `scratch` is the directory for all that they unpack, temporary directories included."""

    own_bin: Path
    runner_bin: Path
    scratch: Path

    def playstream(self, *words: str | Path) -> Program:
        """A command of playstream's."""
        return self._program(self.own_bin, "playstream", words)

    def ansible_playbook(self, *words: str | Path, cwd: Path) -> Program:
        """Plain ansible-playbook, the one that playstream starts."""
        return self._program(self.own_bin, "ansible-playbook", words, cwd)

    def python(self, *words: str | Path) -> Program:
        """The interpreter that has playstream."""
        return self._program(self.own_bin, "python", words)

    def runner(self, *words: str | Path) -> Program:
        """A command of ansible-runner's."""
        return self._program(self.runner_bin, "ansible-runner", words)

    def runner_python(self, *words: str | Path) -> Program:
        """The interpreter that has ansible-runner."""
        return self._program(self.runner_bin, "python", words)

    def unpack_capture(self, capture: Path, target: Path) -> Program:
        """The unpacking of a capture alone."""
        return self._program(self.own_bin, "python", ("-m", "benchmarks.unpack_capture", capture, target))

    def system(self, name: str, *words: str | Path) -> Program:
        """A program of the operating system's."""
        return Program([name, *map(str, words)], self._env(self.own_bin), ROOT)

    def _program(self, folder: Path, name: str, words: Sequence[str | Path], cwd: Path = ROOT) -> Program:
        return Program([str(folder / name), *map(str, words)], self._env(folder), cwd)

    def _env(self, folder: Path) -> dict[str, str]:
        # Nothing of the caller's Ansible: each program finds the ansible-playbook of its own environment first.
        kept = {name: os.environ[name] for name in ("HOME", "USER", "LD_LIBRARY_PATH") if name in os.environ}
        path = f"{folder}:{os.environ.get('PATH', os.defpath)}"
        return {**kept, "PATH": path, "LC_ALL": "C.UTF-8", "TERM": "xterm", "TMPDIR": str(self.scratch)}


def make_toolbox(scratch: Path, runner_venv: Path | None = None) -> Toolbox:
    """Find or install what is needed.

    Args:
        scratch: see Toolbox.
        runner_venv: an environment that has ansible-runner; one is made in the cache when left out.

    Raises:
        BenchmarkError: something is missing and cannot be installed here.
    """
    for name in ("tar", "zstd"):
        if shutil.which(name) is None:
            raise BenchmarkError(f"{name} was not found. Install it: apt-get install {name}")
    own_bin = Path(sys.executable).parent
    if not (own_bin / "playstream").exists():
        raise BenchmarkError(f"playstream is not installed beside {sys.executable}. Run this with make bench")
    core = ansible_core_version()
    runner_bin = _find_runner() if runner_venv is None else runner_venv.absolute() / "bin"
    _check_versions(runner_bin, core)
    return Toolbox(own_bin, runner_bin, scratch)


def _find_runner() -> Path:
    try:
        return ansible_runner_python(RUNNER_VERSION).parent
    except Unprepared as error:
        raise BenchmarkError(str(error)) from None


def ansible_core_version() -> str:
    """The version in the running environment.

    Raises:
        BenchmarkError: there is none.
    """
    try:
        return importlib.metadata.version("ansible-core")
    except importlib.metadata.PackageNotFoundError:
        raise BenchmarkError(
            "ansible-core is not installed beside playstream: pip install 'playstream[ansible]'"
        ) from None


def _check_versions(runner_bin: Path, core: str) -> None:
    """Both sides have to run the same Ansible, or they are not compared."""
    program = "from importlib.metadata import version; print(version('ansible-runner'), version('ansible-core'))"
    words = [str(runner_bin / "python"), "-c", program]
    found = subprocess.run(words, check=False, capture_output=True, text=True).stdout.split()
    if found != [RUNNER_VERSION, core]:
        raise BenchmarkError(
            f"{runner_bin.parent}: expected ansible-runner {RUNNER_VERSION} and ansible-core {core}, found "
            f"{' and '.join(found) or 'neither'}"
        )
