"""The commands of docs/captures.md, in their order, on a real run."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.captures.stories import Step, files_of, steps_of, without_stories
from tests.matrix.debian import ROOT
from tests.stages import Stages

PAGE = (ROOT / "docs" / "captures.md").read_text(encoding="utf-8")
PROGRAMS = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
COMMANDS = re.findall(r"^    ((?:playstream|head) .*)$", without_stories(PAGE), re.MULTILINE)
STATUSES = {"playstream inspect cut.playstream": 75}
"""The exit statuses that are not 0."""


@pytest.mark.timeout(600)
def test_the_commands(stages: Stages, tmp_path: Path) -> None:
    stages.variables["XDG_CACHE_HOME"] = str(tmp_path / "cache")
    shutil.copytree(ROOT / "examples" / "demo", tmp_path / "demo", ignore=lambda *_: {"artifacts"})
    assert set(STATUSES) <= set(COMMANDS)
    for command in COMMANDS:
        done = stages.type_in(command, tmp_path)
        assert done.returncode == STATUSES.get(command, 0), f"{command}: {done.stderr}"
    for program in PROGRAMS:
        done = subprocess.run(
            [sys.executable, "-c", program], cwd=tmp_path, env=stages.env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.endswith("successful 0\n")
    artifacts = tmp_path / "demo" / "artifacts"
    for name in ("again", "replayed", "nightly", "copied", "nightly-2", "nightly-3", "change", "change-2"):
        assert (artifacts / name / "status").read_text() == "successful"
    for name in ("run", "again", "last"):
        assert (tmp_path / f"{name}.html").read_text().startswith("<!DOCTYPE html>")
    for place in (artifacts, tmp_path / "incident"):
        assert (place / "status").read_text() == "successful"
    for name in ("job", "whole"):
        assert (tmp_path / name / "project" / "site.yml").read_bytes() == (
            ROOT / "examples" / "demo" / "project" / "site.yml"
        ).read_bytes()


STORIES = steps_of(PAGE)
FAILS = {"playstream run demo -p nightly.yml": 2, "playstream diff --against last-success": 3}
"""The exit statuses of commands that print that a run has failed, or differences, by their beginning."""


def status_of(step: Step) -> int:
    tells = any("failed" in line for line in step.lines) or "--html" in step.command
    return next((status for start, status in FAILS.items() if step.command.startswith(start) and tells), 0)


@pytest.mark.timeout(600)
def test_the_stories(stages: Stages, tmp_path: Path) -> None:
    """Each command prints what the page shows, and ends as it says."""
    stages.variables |= {"XDG_CACHE_HOME": str(tmp_path / "cache"), "XDG_DATA_HOME": str(tmp_path / "data")}
    stages.variables["XDG_STATE_HOME"] = str(tmp_path / "state")
    shutil.copytree(ROOT / "examples" / "demo", tmp_path / "demo", ignore=lambda *_: {"artifacts"})
    for path, text in files_of(PAGE):
        (tmp_path / path).write_text(text)
    assert len(STORIES) > 10
    for step in STORIES:
        done = stages.type_in(f"{{ {step.command}\n}} 2>&1", tmp_path)
        assert done.returncode == status_of(step), f"{step.command}: {done.stdout}"
        assert step.prints(done.stdout), f"{step.command} prints:\n{done.stdout}\nand not:\n" + "\n".join(step.lines)


def test_what_a_step_prints() -> None:
    step = Step("x", ["a … c", "…"])
    assert step.prints("a b c\n")
    assert step.prints("a b c   \nmore\nand more\n")
    assert not step.prints("a b\n")
    assert not step.prints("a b c\nmore")
    assert Step("x", ["a", "…", "b"]).prints("a\nb\n")
    assert not Step("x", ["a"]).prints("a\nb\n")
    assert Step("x", []).prints("")
