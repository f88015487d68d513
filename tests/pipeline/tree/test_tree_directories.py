"""Directories that playstream makes are private whatever the umask."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from playstream.interface.running import run
from playstream.pipeline.protocol.order import Direction
from playstream.pipeline.tree.directories import make_directory, make_private, remove
from tests.pipeline.runner_dialect.wire import END, line
from tests.stages import Stages
from tests.stress.hostile.place import Place, call_worker, open_place
from tests.stress.hostile.streams import JOB, native


@pytest.fixture
def place() -> Iterator[Place]:
    with open_place() as place:
        yield place


@pytest.fixture(params=[0o000, 0o002, 0o022, 0o777], autouse=True)
def umask(request: pytest.FixtureRequest, stages: Stages, place: Place) -> Iterator[None]:
    """In what playstream does; what the other fixtures make for it has its modes by then."""
    before = os.umask(request.param)
    yield
    os.umask(before)


def modes(*paths: Path) -> set[int]:
    return {stat.S_IMODE(path.stat().st_mode) for path in paths}


def test_every_missing_directory(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    make_private(tmp_path / "a" / "b")
    assert modes(tmp_path / "a", tmp_path / "a" / "b") == {0o700}
    make_private(tmp_path)
    assert modes(tmp_path) == {0o755}


def test_relative_to_a_handle(tmp_path: Path) -> None:
    fd = os.open(tmp_path, os.O_RDONLY)
    try:
        os.close(make_directory(fd, "a"))
        os.close(make_directory(fd, "a"))
        (tmp_path / "b").symlink_to("a")
        with pytest.raises(NotADirectoryError):
            make_directory(fd, "b")
    finally:
        os.close(fd)
    assert modes(tmp_path / "a") == {0o700}


@pytest.mark.parametrize("words", [(), ("-i", "run")])
def test_process(stages: Stages, tmp_path: Path, words: tuple[str, ...]) -> None:
    stream = line(status="starting") + line(status="successful") + END
    stages.call("process", tmp_path, *words, stdin=stream)
    made = [path for path in (tmp_path / "artifacts").rglob("*") if path.is_dir()]
    assert modes(tmp_path / "artifacts", *made) == {0o700}


def test_a_run_here(tmp_path: Path) -> None:
    runner = run(private_data_dir=tmp_path, module="ping", binary="/bin/true", ident="run", quiet=True)
    assert modes(tmp_path / "artifacts", Path(runner.config.artifact_dir)) == {0o700}


def test_a_worker_in_a_directory_of_the_users(place: Place) -> None:
    assert call_worker(place, native([JOB], Direction.JOB), own_directory=True).error is None
    assert modes(place.target / "artifacts", place.target / "artifacts" / "run") == {0o700}


def test_a_directory_that_others_remove_meanwhile_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = Path.mkdir, []

    def mkdir(path: Path, mode: int = 0o777) -> None:
        calls.append(path)
        if len(calls) == 1:
            raise FileExistsError(17, "File exists", str(path))  # and it has gone again
        real(path, mode)

    monkeypatch.setattr(Path, "mkdir", mkdir)
    make_private(tmp_path / "a")
    assert calls == [tmp_path / "a"] * 2
    (tmp_path / "link").symlink_to("nowhere")
    with pytest.raises(FileExistsError):
        make_private(tmp_path / "link")


@pytest.mark.parametrize("call", ["unlink", "rmdir"])
def test_a_directory_that_another_process_removes_meanwhile(
    call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does that after this process has found out that it is a directory, and before it removes it."""
    make_private(tmp_path / "directory" / "below")
    original = getattr(os, call)

    def late(name: str, *, dir_fd: int) -> None:
        if call == "rmdir":
            subprocess.run(["rm", "-r", tmp_path / name], check=True)
        try:
            original(name, dir_fd=dir_fd)
        finally:
            subprocess.run(["rm", "-rf", tmp_path / name], check=True)

    fd = os.open(tmp_path, os.O_RDONLY)
    try:
        with monkeypatch.context() as patched:
            patched.setattr(os, call, late)
            remove(fd, "directory")
    finally:
        os.close(fd)
    assert not (tmp_path / "directory").exists()
