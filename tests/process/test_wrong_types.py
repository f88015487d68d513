"""A tree whose entries are not what a run leaves is refused, and nothing of it stands in the way of the next run."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from playstream.compat.ansible_runner import interface as ansible_runner
from playstream.interface import run
from playstream.pipeline.errors import RemoteProtocolError, UnsafePath
from playstream.pipeline.job.ident import KNOWN_DIRECTORIES, KNOWN_FILES, KNOWN_NAMES
from playstream.pipeline.protocol import Record
from playstream.pipeline.protocol.order import Direction
from playstream.process.artifacts import ArtifactDir
from tests.processes import BECOMES_NOBODY
from tests.stress.hostile.place import call_process, open_place
from tests.stress.hostile.streams import (
    ROOT,
    Zipped,
    directory,
    file,
    linked,
    native_tree,
    runner_entries,
    symlink,
    zipped,
)

GOOD = native_tree(
    [directory(b"fact_cache"), file(b"fact_cache/h"), file(b"rc"), file(b"stderr"), directory(b"x")], Direction.RESULT
)
KEPT = {"command", "fact_cache", "fact_cache/h", "job_events", "rc", "status", "stderr", "stdout", "x"}
NOT_IN_ARCHIVES = {("rc", "link"), ("rc", "directory"), ("job_events", "link"), ("job_events", "file")}
"""An archive has a file `rc` in any case, and what it has as `job_events` is passed over."""


def bad_streams() -> dict[str, tuple[str, bytes]]:
    """Each known name as what no run leaves there, in each dialect."""
    native: dict[str, Callable[[bytes], list[Record]]] = {
        "file": lambda name: [file(name)],
        "directory": lambda name: [directory(name), file(name + b"/x")],
        "link": lambda name: [file(b"x"), symlink(name, b"x")],
    }
    runner: dict[str, Callable[[str], list[Zipped]]] = {
        "file": lambda name: [zipped(name)],
        "directory": lambda name: [zipped(f"{name}/x")],
        "link": lambda name: [zipped("x"), linked(name, "x")],
    }
    streams = {}
    for name in sorted(KNOWN_NAMES):
        for kind in ("link", "file" if name in KNOWN_DIRECTORIES else "directory"):
            streams[f"{name} as a {kind}, native"] = name, native_tree(native[kind](name.encode()), Direction.RESULT)
            if (name, kind) not in NOT_IN_ARCHIVES:
                streams[f"{name} as a {kind}, runner"] = name, runner_entries(runner[kind](name), Direction.RESULT)
    return streams


@pytest.mark.parametrize("dialect", ["native", "runner"])
def test_a_wrong_type_is_refused_and_the_next_run_is_good(dialect: str) -> None:
    with open_place() as place:
        for kind, (name, stream) in bad_streams().items():
            if not kind.endswith(dialect):
                continue
            answer = call_process(place, stream)
            assert answer.error is RemoteProtocolError, kind
            assert f"contain {name!r} as something other" in answer.message
            assert answer.kept <= {"status", "rc", "stdout", "job_events", "command", "x"}, kind
            assert call_process(place, GOOD).error is None, kind


@pytest.mark.parametrize("path", [b".incoming", b".incoming/status"])
@pytest.mark.parametrize("dialect", ["native", "runner"])
def test_the_name_that_trees_are_unpacked_under(path: bytes, dialect: str) -> None:
    parents = [directory(b".incoming")] if b"/" in path else []
    if dialect == "native":
        stream = native_tree([*parents, file(path)], Direction.RESULT)
    else:
        stream = runner_entries([zipped(path.decode())], Direction.RESULT)
    with open_place() as place:
        answer = call_process(place, stream)
        assert answer.error is UnsafePath
        assert "'.incoming'" in answer.message
        assert ".incoming" not in answer.kept
        assert call_process(place, GOOD).error is None


def make_unwritable(path: Path) -> None:
    (path / "d").mkdir(parents=True)
    path.chmod(0o555)


IN_THE_WAY: dict[str, Callable[[Path], Any]] = {
    "a directory": lambda path: (path / "d").mkdir(parents=True),
    "a directory nobody may write": make_unwritable,
    "a file": lambda path: path.write_text("x"),
    "a link": lambda path: path.symlink_to("../../guarded"),
    "a link that leads nowhere": lambda path: path.symlink_to("nowhere"),
    "a FIFO": os.mkfifo,
}


@pytest.mark.parametrize("make", IN_THE_WAY.values(), ids=IN_THE_WAY)
def test_a_run_replaces_whatever_is_in_its_place(make: Callable[[Path], Any]) -> None:
    with open_place() as place:
        for name in (*KNOWN_NAMES, ".incoming", "x"):
            make(place.target / name)
        answer = call_process(place, GOOD)
        assert answer.error is None, answer.message
        assert answer.kept == KEPT
        assert {name for name in answer.kept if (place.target / name).is_dir()} == {"fact_cache", "job_events", "x"}


AS_A_USER = f"""{BECOMES_NOBODY}
import sys
from pathlib import Path
from playstream.pipeline.io.stdio import Connection
from playstream.process.receiving import process
from playstream.process import Observer

for mode in (0, 0o100, 0o400, 0o555):
    target = Path(sys.argv[1], str(mode))
    for name in sys.argv[2:]:
        below = target / name / "below"
        below.mkdir(parents=True)
        below.chmod(mode)
        below.parent.chmod(mode)
    os.lseek(0, 0, os.SEEK_SET)
    result = process(Connection(0), target, Observer())
    print(mode, result.status.value, result.explanation, *sorted(os.listdir(target)))
"""


def test_an_ordinary_user_replaces_directories_of_any_mode() -> None:
    with tempfile.TemporaryDirectory() as root, tempfile.TemporaryFile() as stream:
        Path(root).chmod(0o777)
        stream.write(GOOD)
        stream.seek(0)
        done = subprocess.run(
            [sys.executable, "-c", AS_A_USER, root, *sorted(KNOWN_NAMES), ".incoming", "x"],
            stdin=stream,
            stdout=subprocess.PIPE,
            check=True,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
    good = [line for line in done.stdout.splitlines() if " successful None " in line and ".incoming" not in line]
    assert len(good) == 4, done.stdout


@pytest.mark.parametrize("name", ["status", "fact_cache"])
@pytest.mark.parametrize("call", [run, ansible_runner.run])
def test_python_and_compat_replace_it_too(call: Callable[..., Any], name: str, tmp_path: Path) -> None:
    (tmp_path / "artifacts" / "again" / name / "d").mkdir(parents=True)
    if name in KNOWN_FILES:
        (tmp_path / "artifacts" / "again" / "fact_cache").symlink_to(".")
    capture = tmp_path / "capture"
    capture.write_bytes(GOOD)
    with capture.open("rb") as stream:
        runner = call(streamer="process", _input=stream, private_data_dir=str(tmp_path), ident="again")
    assert (runner.status, runner.rc) == ("successful", 0), runner.explanation
    assert sorted(path.name for path in (tmp_path / "artifacts" / "again" / "fact_cache").iterdir()) == ["h"]


def test_the_place_of_a_tree_is_private_whatever_the_umask(tmp_path: Path) -> None:
    for umask in (0o000, 0o777):
        usual = os.umask(umask)
        try:
            artifacts = ArtifactDir(tmp_path / f"{umask:o}")
            artifacts.receive(ROOT)
            assert (tmp_path / f"{umask:o}" / ".incoming").stat().st_mode & 0o7777 == 0o700
            artifacts.close()
        finally:
            os.umask(usual)
