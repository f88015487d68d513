"""`artifacts/latest` is a link to the newest run; what a user has put in its place stays."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

import playstream
from playstream.compat import ansible_runner
from playstream.interface.rotation import rotate
from playstream.process.latest import link_latest, read_latest
from tests.conftest import MakeDir
from tests.interface.programs import fake
from tests.pipeline.tree.conftest import take_snapshot
from tests.process.test_processing import WHOLE, encode
from tests.stages import Stages


@pytest.fixture
def demo(private_data_dir: MakeDir) -> Path:
    return private_data_dir({"site.yml": "[]\n"})


@pytest.fixture
def options(demo: Path, tmp_path: Path) -> dict[str, Any]:
    """What a run of a stand-in for Ansible takes."""
    script = fake(tmp_path, "true")
    return {"private_data_dir": demo, "playbook": "site.yml", "binary": script, "quiet": True}


def names(base: Path) -> list[str]:
    return sorted(path.name for path in base.iterdir() if path.name != ".running")


def test_each_run_is_the_latest(demo: Path, options: dict[str, Any], stages: Stages) -> None:
    for ident in ("b", "a", "b"):
        playstream.run(ident=ident, **options)
        assert os.readlink(demo / "artifacts" / "latest") == ident
    assert (demo / "artifacts" / "latest" / "status").read_text() == "successful"
    stages.call("run", demo, "-p", "site.yml", "--binary", options["binary"], "-i", "c")
    assert os.readlink(demo / "artifacts" / "latest") == "c"
    stages.call("process", demo, "-i", "d", stdin=encode(WHOLE))
    assert os.readlink(demo / "artifacts" / "latest") == "d"
    stream = io.BytesIO(encode(WHOLE))
    playstream.run(streamer="process", private_data_dir=demo, ident="e", _input=stream, quiet=True)
    assert os.readlink(demo / "artifacts" / "latest") == "e"
    assert names(demo / "artifacts") == ["a", "b", "c", "d", "e", "latest"]


def test_it_is_there_while_the_run_is_active(demo: Path, options: dict[str, Any]) -> None:
    seen = []

    def note(data: dict[str, Any], **_: Any) -> None:
        seen.append((data["status"], os.readlink(demo / "artifacts" / "latest")))

    playstream.run(ident="x", status_handler=note, **options)
    assert ("starting", "x") in seen


def test_who_has_no_part_in_it(demo: Path, options: dict[str, Any], stages: Stages, tmp_path: Path) -> None:
    """Streams and runs without an ident, directories that a program sets, commands, and runs that never begin."""
    stages.call("process", demo, stdin=encode(WHOLE))
    playstream.run(ident="", **options)
    with pytest.raises(playstream.ConfigurationError):
        playstream.run(**{**options, "playbook": "nonesuch.yml"})
    playstream.run_command("true", private_data_dir=str(demo), quiet=True)
    runner = playstream.init_runner(**options)
    runner.config.artifact_dir = tmp_path / "own" / "x"
    runner.run()
    assert names(tmp_path / "own") == ["x"]
    assert not os.path.lexists(demo / "artifacts" / "latest")


def test_ansible_runners_programs_find_what_they_know(demo: Path, options: dict[str, Any]) -> None:
    ansible_runner.run(ident="1", **{**options, "private_data_dir": str(demo)})
    stream = io.BytesIO(encode(WHOLE))
    ansible_runner.run(streamer="process", private_data_dir=str(demo), ident="2", _input=stream, quiet=True)
    words = [sys.executable, "-m", "playstream.compat", "-m", "ansible_runner", "run", str(demo), "-p", "site.yml"]
    done = subprocess.run([*words, "-b", options["binary"]], capture_output=True, check=True)
    assert done.stderr == b""
    shutil.rmtree(next(path for path in (demo / "artifacts").iterdir() if path.name not in {"1", "2", ".running"}))
    assert names(demo / "artifacts") == ["1", "2"]


@pytest.mark.parametrize("kind", ["file", "directory", "link elsewhere", "link out", "link to itself"])
def test_what_is_the_users_stays(demo: Path, options: dict[str, Any], tmp_path: Path, kind: str) -> None:
    base, other = demo / "artifacts", tmp_path / "other"
    base.mkdir()
    other.mkdir()
    (other / "status").write_text("mine")
    latest = base / "latest"
    if kind == "file":
        latest.write_text("mine")
    elif kind == "directory":
        latest.mkdir()
    else:
        targets = {"link elsewhere": str(other), "link out": "../../other", "link to itself": "."}
        latest.symlink_to(targets[kind])
    before = take_snapshot(tmp_path / "other"), os.lstat(latest)
    playstream.run(ident="x", **options)
    assert (take_snapshot(tmp_path / "other"), os.lstat(latest).st_ino) == (before[0], before[1].st_ino)
    assert read_latest(base) is None
    assert names(base) == ["latest", "x"]


@pytest.mark.parametrize("leftover", ["link", "file", "directory"])
def test_leftovers_of_a_run_that_was_killed(tmp_path: Path, leftover: str) -> None:
    place = tmp_path / ".latest"
    {"link": lambda: place.symlink_to("x"), "file": place.touch, "directory": place.mkdir}[leftover]()
    link_latest(tmp_path / "y")
    assert read_latest(tmp_path) == (None if leftover == "directory" else "y")


def test_there_always_is_a_link(tmp_path: Path) -> None:
    """Runs that begin at the same time replace it as a whole; the last one wins."""
    link_latest(tmp_path / "first")
    started = threading.Barrier(4)

    def begin_runs(number: int) -> None:
        started.wait()
        for count in range(300):
            link_latest(tmp_path / f"{number}-{count}")

    threads = [threading.Thread(target=begin_runs, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    started.wait()
    while any(thread.is_alive() for thread in threads):
        assert read_latest(tmp_path) is not None
    for thread in threads:
        thread.join()
    link_latest(tmp_path / "last")
    assert (read_latest(tmp_path), names(tmp_path)) == ("last", ["latest"])


def test_a_directory_that_cannot_be_written(tmp_path: Path) -> None:
    link_latest(tmp_path / "missing" / "x")
    assert list(tmp_path.iterdir()) == []


def test_rotation_leaves_no_link_to_nothing(tmp_path: Path) -> None:
    for number, name in enumerate(("old", "kept", "newest")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "status").write_text("successful")
        os.utime(tmp_path / name, (1000 + number, 1000 + number))
    link_latest(tmp_path / "old")
    rotate(tmp_path, 2)
    assert (read_latest(tmp_path), names(tmp_path)) == ("newest", ["kept", "latest", "newest"])
    link_latest(tmp_path / "kept")
    rotate(tmp_path, 2)
    assert read_latest(tmp_path) == "kept"


def test_it_is_not_sent(demo: Path, options: dict[str, Any], stages: Stages, tmp_path: Path) -> None:
    playstream.run(ident="x", **options)
    job = stages.transmit(demo, "-p", "site.yml")
    stages.call("worker", "--private-data-dir", tmp_path / "there", stdin=job)
    assert not os.path.lexists(tmp_path / "there" / "artifacts" / "latest")
