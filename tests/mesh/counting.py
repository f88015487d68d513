"""Jobs that count until they are told to end, so that everything that is missing, doubled or reordered is seen."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from tests.conftest import MakeDir
from tests.processes import wait_until
from tests.stages import LIMIT_SECONDS


def counting(private_data_dir: MakeDir, name: str) -> tuple[Path, Path]:
    """Return a directory whose job counts until a file exists, and that file."""
    made = private_data_dir({"count.yml": "[]\n"}, name=name)
    (made / "env").mkdir()
    (made / "env" / "envvars").write_text(f"GATE: {made / 'gate'}\n")
    return made, made / "gate"


def numbers(stdout: Path) -> list[int]:
    """Return what a job that counts has shown so far."""
    return [int(number) for number in re.findall(r"number (\d+)\r?\n", stdout.read_text())] if stdout.exists() else []


def wait_for_more(run: subprocess.Popen[bytes], stdout: Path, more: int = 20) -> None:
    """Wait until a job that counts shows more than it has shown before."""
    wanted = len(numbers(stdout)) + more
    wait_until(lambda: run.poll() is not None or len(numbers(stdout)) >= wanted, LIMIT_SECONDS)
    assert run.poll() is None, run.communicate()


def check_count(stdout: Path) -> None:
    """Check that everything that a job has counted was shown, once and in order, and that it has ended."""
    found = numbers(stdout)
    assert found == list(range(len(found)))
    assert stdout.read_text().replace("\r", "").endswith(f"all {len(found)}\n")
