"""A stream without an ident writes where other runs are: it makes what is its own, and touches nothing of theirs."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from playstream.cli.active_runs import find, note_directories, noted
from playstream.compat.ansible_runner import interface as ansible_runner
from playstream.interface import run
from playstream.interface.rotation import rotate
from playstream.pipeline.errors import JobError
from playstream.pipeline.io.stdio import Connection
from playstream.pipeline.protocol import FileData, Record
from playstream.pipeline.protocol.order import Direction
from playstream.pipeline.tree import renaming
from playstream.process import Observer, Result, made_names
from playstream.process.receiving import process
from tests.pipeline.tree.conftest import take_snapshot
from tests.stages import Stages
from tests.stress.hostile.streams import directory, file, linked, native_tree, runner_entries, symlink, zipped

DIALECTS = ["native", "runner"]
UNSAFE = 77


def tree(dialect: str, *paths: str) -> bytes:
    """A stream whose tree has these files; their directories are those before the slash."""
    if dialect == "runner":
        return runner_entries([zipped(path, path.encode()) for path in paths], Direction.RESULT)
    records: list[Record] = []
    for path in paths:
        if "/" in path:
            records.append(directory(os.fsencode(path.split("/")[0])))
        records += [file(os.fsencode(path), len(os.fsencode(path))), FileData(os.fsencode(path))]
    return native_tree(records, Direction.RESULT)


def link(dialect: str, name: str, target: str) -> bytes:
    """A stream whose tree has a link."""
    if dialect == "runner":
        return runner_entries([linked(name, target)], Direction.RESULT)
    return native_tree([symlink(name.encode(), target.encode())], Direction.RESULT)


def rebuild(artifacts: Path, stream: bytes, ident: str | None = None) -> Result:
    """What process makes of a stream, with or without -i."""
    with tempfile.TemporaryFile() as capture:
        capture.write(stream)
        capture.seek(0)
        place = artifacts if ident is None else artifacts / ident
        return process(Connection(capture.fileno()), place, Observer(), among_runs=ident is None)


@pytest.fixture
def artifacts(tmp_path: Path) -> Path:
    """A directory with the artifacts of a run `nightly`, and something that somebody has put there."""
    place = tmp_path / "artifacts"
    assert rebuild(place, tree("native", "stderr", "kept/x"), "nightly").exit_status == 0
    (place / "notes").write_text("mine")
    return place


@pytest.mark.parametrize("path", ["nightly/status", "nightly", "notes", "notes/x"])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_what_is_anothers_stays(artifacts: Path, dialect: str, path: str) -> None:
    before = take_snapshot(artifacts)
    result = rebuild(artifacts, tree(dialect, "a", path, "z"))
    assert result.exit_status == UNSAFE
    assert f"the name {path.split('/', maxsplit=1)[0]!r}, which already exists" in (result.explanation or "")
    after = take_snapshot(artifacts)
    assert {name: after[name] for name in before} == before
    assert b".incoming" not in after


@pytest.mark.parametrize(
    "path", [".running/@nightly", ".incoming", ".incoming/x", ".made-without-ident", ".x", "latest", "latest/x"]
)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_names_of_our_own_files_are_refused(artifacts: Path, dialect: str, path: str) -> None:
    with noted(note_directories(artifacts.parent, None), "nightly"):
        result = rebuild(artifacts, tree(dialect, path))
        assert result.exit_status == UNSAFE
        assert repr(path.split("/", maxsplit=1)[0]) in (result.explanation or "")
        assert [found.ident for found in find(note_directories(artifacts.parent, None), "nightly")] == ["nightly"]
    assert not [name for name in os.listdir(artifacts) if name.startswith(".")]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_what_such_a_stream_has_made_it_may_replace(artifacts: Path, dialect: str) -> None:
    assert rebuild(artifacts, tree(dialect, "report/a", "table", "fact_cache/h")).exit_status == 0
    again = rebuild(artifacts, tree(dialect, "report/b", "table/x"))
    assert again.exit_status == 0, again.explanation
    assert [path.name for path in (artifacts / "report").iterdir()] == ["b"]
    assert (artifacts / "table" / "x").read_text() == "table/x"

    (artifacts / "report" / "mine").write_text("mine")
    assert rebuild(artifacts, tree(dialect, "report/c")).exit_status == UNSAFE
    assert sorted(path.name for path in (artifacts / "report").iterdir()) == ["b", "mine"]
    (artifacts / "table" / "x").unlink()
    (artifacts / "table").rmdir()
    (artifacts / "table").write_text("mine")
    assert rebuild(artifacts, tree(dialect, "table")).exit_status == UNSAFE
    assert (artifacts / "table").read_text() == "mine"


def test_a_name_that_is_not_utf_8(artifacts: Path) -> None:
    name = "report \udcff\n"
    for _ in range(2):
        assert rebuild(artifacts, tree("native", name)).exit_status == 0
    (artifacts / name).write_text("mine")
    assert rebuild(artifacts, tree("native", name)).exit_status == UNSAFE


@pytest.mark.parametrize(
    "stream",
    [
        link("native", "tonight", "nightly"),
        link("runner", "tonight", "nightly"),
        link("native", "tonight", "nowhere"),
        tree("native", "tonight"),
        tree("runner", "tonight/status", "tonight/job_events"),
    ],
    ids=["a link", "a link, runner", "a broken link", "a file", "a directory, runner"],
)
def test_a_run_takes_the_place_of_what_such_a_stream_has_made(artifacts: Path, stream: bytes) -> None:
    before = take_snapshot(artifacts / "nightly")
    assert rebuild(artifacts, stream).exit_status == 0
    assert rebuild(artifacts, tree("native", "stderr"), "tonight").exit_status == 0
    assert not (artifacts / "tonight").is_symlink()
    assert sorted(os.listdir(artifacts / "tonight")) == ["command", "job_events", "rc", "status", "stderr", "stdout"]
    assert take_snapshot(artifacts / "nightly") == before
    assert rebuild(artifacts, tree("native", "tonight/status")).exit_status == UNSAFE
    assert rebuild(artifacts, tree("native", "stderr"), "tonight").exit_status == 0


def test_what_looks_like_a_run_is_not_rotated_in_place_of_one(artifacts: Path) -> None:
    assert rebuild(artifacts, tree("native", *(f"run-{number}/status" for number in range(3)))).exit_status == 0
    for number in range(3):
        os.utime(artifacts / f"run-{number}" / "status")
    assert rotate(artifacts, 1) == []
    assert (artifacts / "nightly" / "status").exists()


def test_a_tree_that_breaks_off_is_on_the_list_too(artifacts: Path) -> None:
    cut = native_tree([file(b"report"), file(b"table", 9), FileData(b"x")], Direction.RESULT)
    assert rebuild(artifacts, cut).exit_status != 0
    assert (artifacts / "report").exists()
    assert rebuild(artifacts, tree("native", "report", "table")).exit_status == 0


def test_names_beside_the_runs_are_limited(artifacts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(made_names, "MAX_NAMES", 3)
    assert rebuild(artifacts, tree("native", "a", "b", "c", "stderr")).exit_status == 0
    assert rebuild(artifacts, tree("native", "a", "b", "c")).exit_status == 0
    result = rebuild(artifacts, tree("native", "a", "d"))
    assert (result.exit_status, (artifacts / "d").exists()) == (UNSAFE, False)
    (artifacts / "a").unlink()
    assert rebuild(artifacts, tree("native", "d")).exit_status == 0


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"[]",
        b'{"report": 7}',
        b"[" * 100_000,
        b'{"a\\u0000": [[1, 2]], "\\ud800": [[1, 2]], "../x": [[1, 2]], "": [[1, 2]], "%s": [[1, 2]]}' % (b"x" * 300),
    ],
)
def test_a_list_that_was_damaged_lets_nothing_be_replaced(artifacts: Path, damage: bytes) -> None:
    (artifacts / ".made-without-ident").write_bytes(damage)
    (artifacts / "report").write_text("mine")
    assert rebuild(artifacts, tree("native", "report")).exit_status == UNSAFE
    assert rebuild(artifacts, tree("native", "table")).exit_status == 0
    assert rebuild(artifacts, tree("native", "table")).exit_status == 0


@pytest.mark.parametrize("kind", ["link", "directory", "fifo"])
def test_what_lies_in_the_place_of_the_list_gives_way(artifacts: Path, kind: str) -> None:
    place = artifacts / ".made-without-ident"
    if kind == "link":
        place.symlink_to("notes")
    elif kind == "directory":
        (place / "below").mkdir(parents=True)
    else:
        os.mkfifo(place)
    assert rebuild(artifacts, tree("native", "stderr"), "tonight").exit_status == 0
    for _ in range(2):
        assert rebuild(artifacts, tree("native", "report")).exit_status == 0
    assert (artifacts / "notes").read_text() == "mine"


KINDS: dict[str, Callable[[Path], object]] = {
    "file": lambda path: path.write_text("another's"),
    "link": lambda path: path.symlink_to("notes"),
    "empty directory": Path.mkdir,
    "directory": lambda path: (path / "below").mkdir(parents=True),
}


def with_another(
    monkeypatch: pytest.MonkeyPatch, function: str, place: Path, make: Callable[[Path], object]
) -> Callable[[], object]:
    """Let another process put something at `place` just before a function of `renaming` is called for the first time.

    Returns:
        What tells what is there.
    """
    real = getattr(renaming, function)
    before: list[object] = []

    def racing(*arguments: Any) -> bool:
        if not before:
            if place.is_dir():
                shutil.rmtree(place)
            place.unlink(missing_ok=True)
            make(place)
            before.append(place.lstat())
        return bool(real(*arguments))

    monkeypatch.setattr(renaming, function, racing)

    def is_untouched() -> bool:
        found = place.lstat()
        return [(found.st_ino, found.st_mtime_ns, found.st_mode)] == [
            (item.st_ino, item.st_mtime_ns, item.st_mode) for item in before if isinstance(item, os.stat_result)
        ]

    return is_untouched


@pytest.mark.parametrize("supported", [True, False])
@pytest.mark.parametrize("ours", ["report", "report/a"])
@pytest.mark.parametrize("kind", KINDS)
def test_what_comes_when_a_name_is_taken(
    artifacts: Path, monkeypatch: pytest.MonkeyPatch, kind: str, ours: str, supported: bool
) -> None:
    if not supported:
        monkeypatch.setattr(renaming, "_rename", lambda *_: None)
    untouched = with_another(monkeypatch, "move_new", artifacts / "report", KINDS[kind])
    result = rebuild(artifacts, tree("native", ours))
    assert (result.exit_status, untouched()) == (UNSAFE, True), result.explanation
    assert "'report', which already exists" in (result.explanation or "")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("ours", ["report", "report/a"])
def test_what_comes_when_a_name_on_the_list_is_replaced(
    artifacts: Path, monkeypatch: pytest.MonkeyPatch, kind: str, ours: str
) -> None:
    assert rebuild(artifacts, tree("native", "report")).exit_status == 0
    untouched = with_another(monkeypatch, "exchange", artifacts / "report", KINDS[kind])
    result = rebuild(artifacts, tree("native", ours))
    assert (result.exit_status, untouched()) == (UNSAFE, True), result.explanation
    monkeypatch.undo()
    assert rebuild(artifacts, tree("native", "table", "table2/x")).exit_status == 0


def test_what_comes_when_a_run_takes_a_name_on_the_list(artifacts: Path) -> None:
    """Two runs of one name begin at once: the second has seen what the first has replaced meanwhile."""
    assert rebuild(artifacts, tree("native", "tonight")).exit_status == 0
    fd = os.open(artifacts, os.O_RDONLY)
    try:
        seen = made_names.MadeNames(fd)
        assert rebuild(artifacts, tree("native", "stderr"), "tonight").exit_status == 0
        seen.remove("tonight")
    finally:
        os.close(fd)
    assert (artifacts / "tonight" / "status").read_text() == "successful"
    assert not [name for name in os.listdir(artifacts) if name.startswith(".aside")]


@pytest.mark.parametrize("ident", [None, "tonight"])
def test_a_place_that_is_no_directory(artifacts: Path, ident: str | None) -> None:
    place = artifacts / "notes" if ident is None else artifacts / "notes" / ident
    with pytest.raises(JobError, match="something else that is not a directory"):
        rebuild(place, tree("native", "report"))
    assert (artifacts / "notes").read_text() == "mine"


@pytest.mark.parametrize("call", [run, ansible_runner.run])
def test_python_and_compat(artifacts: Path, tmp_path: Path, call: Callable[..., Any]) -> None:
    capture = tmp_path / "capture"
    capture.write_bytes(tree("native", "nightly/status"))
    for options, status in (({}, "error"), ({"ident": ""}, "error"), ({"ident": "other"}, "successful")):
        with capture.open("rb") as stream:
            runner = call(streamer="process", _input=stream, private_data_dir=str(tmp_path), quiet=True, **options)
        assert runner.status == status, runner.explanation
    assert (artifacts / "other" / "nightly" / "status").exists()
    assert (artifacts / "nightly" / "status").read_text() == "successful"


def test_the_command(stages: Stages, artifacts: Path) -> None:
    stream = tree("native", "nightly/status")
    for words in ((), ("--artifact-dir", artifacts)):
        done = stages.call("process", artifacts.parent, *words, stdin=stream)
        assert done.returncode == UNSAFE
        assert b"the name 'nightly', which already exists" in done.stderr
    assert stages.call("process", artifacts.parent, "-i", "other", stdin=stream).returncode == 0
    assert (artifacts / "nightly" / "status").read_text() == "successful"
