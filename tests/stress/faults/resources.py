"""Too little room, and too much to carry: full disks, few descriptors, much output. Needs root, for the mounts."""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.stages import Run, Stages
from tests.stress.faults.report import Report

_FAKES = Path(__file__).parents[2] / "worker" / "fakes"
_FEW_DESCRIPTORS = ("sh", "-c", 'ulimit -n 64; exec "$@"', "sh")


@contextmanager
def _tmpfs(directory: Path, size: str) -> Iterator[Path]:
    directory.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", directory], check=True)
    try:
        yield directory
    finally:
        subprocess.run(["umount", "--lazy", directory], check=True)


@contextmanager
def _stages(behaviour: str) -> Iterator[tuple[Stages, Path]]:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        demo, temporary = directory / "demo", directory / "tmp"
        (demo / "project").mkdir(parents=True)
        (demo / "project" / f"{behaviour}.yml").write_text("[]\n")
        temporary.mkdir()
        stages = Stages(temporary)
        stages.path_before.append(_FAKES)
        yield stages, demo


def _check_no_space(run: Run, *, here: bool) -> None:
    assert "Traceback" not in run.stderr, run.stderr
    assert "No space left on device" in run.stderr, run.stderr
    assert run.exit_statuses[2] == 71, (run.exit_statuses, run.stderr)
    for path in (run.artifacts / "job_events").glob("*"):
        json.loads(path.read_bytes())
    if not here:
        assert run.text("status") == "error"


def _full_disk_of_process() -> None:
    with _stages("flood") as (stages, demo), _tmpfs(demo / "artifacts", "512k"):
        _check_no_space(stages.run(demo, "-p", "flood.yml"), here=True)
        assert stages.leftovers() == []


def _full_disk_of_worker() -> None:
    with _stages("flood") as (stages, demo), _tmpfs(stages.temporary / "small", "1m") as small:
        stages.temporary = small
        _check_no_space(stages.run(demo, "-p", "flood.yml"), here=False)
        assert stages.leftovers() == []


def _read_only_artifacts() -> None:
    with _stages("quiet") as (stages, demo), _tmpfs(demo / "artifacts", "1m") as artifacts:
        subprocess.run(["mount", "-o", "remount,ro", artifacts], check=True)
        run = stages.run(demo, "-p", "quiet.yml")
        assert run.exit_statuses[2] == 71
        assert "Read-only file system" in run.stderr
        assert "Traceback" not in run.stderr


def _few_descriptors() -> None:
    with _stages("flood") as (stages, demo):
        run = stages.run(demo, "-p", "flood.yml", worker_prefix=_FEW_DESCRIPTORS)
        assert run.exit_statuses == (0, 0, 0), run.stderr


def _full_disk_of_cache() -> None:
    with _stages("quiet") as (stages, demo), _tmpfs(demo.parent / "cache", "1m") as cache:
        cache.chmod(0o700)
        check_full_cache(stages, demo, cache)


def check_full_cache(stages: Stages, demo: Path, cache: Path, prefix: tuple[str, ...] = ()) -> None:
    """Run a job twice whose tree is larger than the disk of the cache.

    Args:
        stages: what starts the stages.
        demo: the private data directory, to which files are added.
        cache: the cache.
        prefix: words before the worker's command.

    Raises:
        AssertionError: a promise is broken.
    """
    stages.variables["XDG_CACHE_HOME"] = str(demo.parent / "remembered")
    chance = random.Random(7)
    for number in range(40):
        (demo / "project" / f"data-{number}").write_bytes(chance.randbytes(50_000))
    for _ in range(2):
        run = stages.run(demo, "-p", "quiet.yml", "--since", "none", worker=(f"--cache={cache}",), worker_prefix=prefix)
        assert run.exit_statuses == (0, 0, 0), run.stderr
        assert "not all of the tree is kept" in run.stderr, run.stderr
        assert "Traceback" not in run.stderr, run.stderr
        assert json.loads(run.text("command")).get("tree") is None, "the results name a tree that is not kept"
        shutil.rmtree(run.artifacts)
    assert stages.leftovers() == []


def measure(flags: argparse.Namespace, report: Report) -> None:
    """Run each case once."""
    if os.geteuid() != 0:
        report.fail("resources", "expected to run as root, for the mounts of small file systems")
        return
    cases = (
        _full_disk_of_process,
        _full_disk_of_worker,
        _full_disk_of_cache,
        _read_only_artifacts,
        _few_descriptors,
    )
    for case in cases:
        row = case.__name__.strip("_").replace("_", " ")
        try:
            case()
            report.add(row, None, "")
        except Exception as error:  # noqa: BLE001 - whatever it is, it is a broken promise
            report.fail(row, repr(error)[-600:])
