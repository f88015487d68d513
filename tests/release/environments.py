"""Fresh environments with what is to be released, and the demo, run from them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from playstream.cli.documents import SCRIPTS
from tests.matrix.debian import ROOT, do

UV = [sys.executable, "-m", "uv"]
_PIPELINE = "playstream transmit demo -p site.yml | {worker} worker | playstream process demo"
_LIMIT_SECONDS = 300


def make(folder: Path, *wanted: str) -> Path:
    """Make an environment with these requirements; return its Python.

    Raises:
        Unprepared: it cannot be made.
    """
    python = folder / "bin" / "python"
    do([*UV, "venv", "--quiet", "--python", sys.executable, str(folder)], f"cannot make {folder}")
    do([*UV, "pip", "install", "--quiet", "--python", str(python), *wanted], f"cannot install {' '.join(wanted)}")
    code = "import playstream; print(playstream.__file__)"
    found = do([str(python), "-c", code], f"playstream is not in {folder}").strip()
    assert Path(found).is_relative_to(folder), f"{found} is not what was installed in {folder}"
    return python


def requirement(distribution: Path, *extras: str) -> str:
    """The requirement that stands for a distribution on this disk."""
    return f"playstream[{','.join(extras)}] @ {distribution.as_uri()}"


def demo_problems(distribution: Path, folder: Path) -> list[str]:
    """Install a distribution, run the demo outside of the checkout, and return what failed.

    The worker has Ansible; transmit and process come from an environment without any extra.

    Raises:
        Unprepared: an environment cannot be made.
    """
    plain = make(folder / "plain", requirement(distribution))
    worker = make(folder / "ansible", requirement(distribution, "ansible")).with_name("playstream")
    shutil.copytree(ROOT / "examples" / "demo", folder / "demo", ignore=shutil.ignore_patterns("artifacts"))
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    env["PATH"] = f"{plain.parent}:/usr/bin:/bin"
    script = _PIPELINE.format(worker=worker)
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", script],
        cwd=folder,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=_LIMIT_SECONDS,
    )
    artifacts = folder / "demo" / "artifacts"
    status = artifacts / "status"
    if done.returncode or not status.is_file() or status.read_text() != "successful":
        return [f"{distribution.name}: the demo ended with {done.returncode}:\n{done.stdout}"]
    if not any((artifacts / "job_events").iterdir()):
        return [f"{distribution.name}: the demo left no events"]
    return _document_problems(distribution, plain.parents[1], env)


def _document_problems(distribution: Path, prefix: Path, env: Mapping[str, str]) -> list[str]:
    """Return which completion scripts and man pages an installation lacks."""
    problems = []
    for shell in SCRIPTS:
        words = [str(prefix / "bin" / "playstream"), "completion", shell]
        done = subprocess.run(words, env=env, capture_output=True, text=True, check=False, timeout=_LIMIT_SECONDS)
        if done.returncode or "start-at-task" not in done.stdout:
            problems.append(f"{distribution.name}: completion {shell} ended with {done.returncode}: {done.stderr}")
    for page in ("playstream.1", "playstream-run.1", "playstream-worker-cleanup.1"):
        if not (prefix / "share" / "man" / "man1" / page).is_file():
            problems.append(f"{distribution.name}: there is no man page {page}")
    return problems
