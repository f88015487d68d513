"""`worker --worker-info` and `worker cleanup` beside ansible-runner's."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.cli.side_by_side import Side, both, call_both

CLEANUP = "worker cleanup --file-pattern 'HERE/jobs/*'"


@pytest.fixture
def sides(tmp_path: Path) -> tuple[Side, Side]:
    return both(tmp_path)


def test_worker_info(sides: tuple[Side, Side]) -> None:
    infos = []
    for side in sides:
        (side.home / ".ansible_runner_uuid").write_text("9d1c9a3e-6a6b-4f8e-9f43-4a1f7c1c3b5a")
        done = side.call("worker --worker-info")
        assert (done.exit_status, len(done.stdout.strip().splitlines())) == (0, 1)
        infos.append(yaml.safe_load(done.stdout))
    theirs, ours = infos
    assert list(ours) == list(theirs)
    assert {name: type(value) for name, value in ours.items()} == {name: type(value) for name, value in theirs.items()}
    assert {**ours, "runner_version": None} == {**theirs, "runner_version": None}


@pytest.mark.parametrize(
    ("line", "left", "last"),
    [
        ("worker cleanup", ["a1", "a2", "b1", "file"], "(changed: False)"),
        (CLEANUP, ["a2", "b1", "file"], "(changed: True)"),
        (CLEANUP + " --grace-period 0", ["file"], "(changed: True)"),
        (CLEANUP + " --grace-period=0 --exclude-strings a1 b1", ["a1", "b1", "file"], "(changed: True)"),
        (CLEANUP + " --exclude-strings=a1", ["a1", "a2", "b1", "file"], "(changed: False)"),
        (CLEANUP + " --remove-images quay.io/a/b:1 c --image-prune", ["a2", "b1", "file"], "(changed: True)"),
        (
            "worker cleanup --remove-images=quay.io/a/b:1 --process-isolation-executable=docker",
            ["a1", "a2", "b1", "file"],
            "(changed: True)",
        ),
    ],
)
def test_cleanup(sides: tuple[Side, Side], line: str, left: list[str], last: str) -> None:
    for side in sides:
        make_jobs(side)
    theirs, ours = call_both(sides, line)
    assert (ours.exit_status, ours.stdout) == (theirs.exit_status, theirs.stdout)
    assert ours.stdout.splitlines()[-1] == last
    for side in sides:
        assert sorted(path.name for path in (side.home / "jobs").iterdir()) == left


def make_jobs(side: Side) -> None:
    """Directories of jobs; the first was changed a day ago."""
    for name in ("a1", "a2", "b1"):
        (side.home / "jobs" / name / "project").mkdir(parents=True)
    (side.home / "jobs" / "file").touch()
    os.utime(side.home / "jobs" / "a1", (1e9, 1e9))


def test_cleanup_takes_several_words_in_one(sides: tuple[Side, Side]) -> None:
    for side in sides:
        make_jobs(side)
    theirs, ours = call_both(sides, CLEANUP + " --grace-period=0 --exclude-strings='a1 b1'")
    assert [path.name for path in (theirs.home / "jobs").iterdir()] == ["file"]
    assert sorted(path.name for path in (ours.home / "jobs").iterdir()) == ["a1", "b1", "file"]


def test_cleanup_keeps_the_living_and_removes_the_dead(sides: tuple[Side, Side]) -> None:
    left = []
    for side in sides:
        make_jobs(side)
        living = subprocess.Popen(["cat"], stdin=subprocess.PIPE, cwd=side.home / "jobs" / "a1")
        dead = subprocess.Popen(["true"])
        dead.wait()
        for name, process in (("a1", living), ("a2", dead)):
            (side.home / "jobs" / name / "pid").write_text(str(process.pid))
        assert side.call(CLEANUP + " --grace-period=0").exit_status == 0
        left.append(sorted(path.name for path in (side.home / "jobs").iterdir()))
        living.communicate()
    assert left == [["a2", "file"], ["a1", "file"]]
