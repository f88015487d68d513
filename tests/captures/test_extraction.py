"""Unpacking the tree of a job and the artifacts of a run, whatever is in the file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from playstream.captures.extraction import extract
from playstream.captures.stream import Stream
from playstream.pipeline.errors import ConfigurationError, IncompleteStream, PlaystreamError, UnsafePath, WorkerError
from playstream.pipeline.limits import DEFAULT_LIMITS, Limits
from playstream.pipeline.protocol import (
    Failure,
    FileData,
    FileEntry,
    FileType,
    Job,
    Record,
    TreeEnd,
)
from playstream.pipeline.protocol.order import Direction
from playstream.process import Observer
from tests.captures.reading import Source, a_run, an_event
from tests.pipeline.protocol.wire import encode
from tests.stages import Stages
from tests.stress.hostile.place import open_place
from tests.stress.hostile.streams import directory, file, native_tree, runner_entries, symlink
from tests.stress.hostile.trees import TREES, Tree

ROOT = FileEntry(b"", FileType.DIRECTORY, 0o755, 0)
TREE: list[Record] = [ROOT, directory(b"project"), file(b"project/site.yml", 3, mode=0o4755), FileData(b"abc")]


def a_job(*records: Record) -> bytes:
    return encode([Job("x", tree=bool(records)), *records], Direction.JOB)


def unpack(data: bytes, target: Path, limits: Limits = DEFAULT_LIMITS) -> object:
    return extract(Stream(Source([data]), limits), target, Observer(), limits)


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "target"
    assert [path.name for path in tmp_path.iterdir() if path.name not in {"target", "tmp", "capture"}] == []


def test_the_tree_of_a_job(target: Path) -> None:
    unpack(a_job(*TREE, TreeEnd(3, 3)), target)
    assert (target / "project" / "site.yml").read_bytes() == b"abc"
    modes = [path.stat().st_mode & 0o7777 for path in (target, target / "project", target / "project" / "site.yml")]
    assert modes == [0o700, 0o700, 0o700]


def test_a_run(target: Path) -> None:
    target.mkdir()
    unpack(a_run(an_event(1), an_event(2), rc=2), target)
    assert (target / "status").read_text() == "failed"
    assert (target / "rc").read_text() == "2"
    assert len(list((target / "job_events").iterdir())) == 2


def test_a_job_whose_sender_has_failed(target: Path) -> None:
    data = encode([Job("x", tree=True), *TREE, Failure("JobError", "a file cannot be read")], Direction.JOB)
    with pytest.raises(WorkerError, match="transmit failed, so the job is not whole: a file cannot be read"):
        unpack(data, target)
    assert (target / "project" / "site.yml").read_bytes() == b"abc"


def test_what_came_before_damage(target: Path) -> None:
    with pytest.raises(IncompleteStream):
        unpack(a_run(an_event(1), an_event(2))[:-150], target)
    assert (target / "status").read_text() == "error"
    assert (target / "job_events" / "1-u1.json").exists()


def test_an_interruption_leaves_no_success(target: Path) -> None:
    def data() -> Iterator[bytes]:
        yield a_run(an_event(1), an_event(2))[:-150]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        extract(Stream(Source(data()), DEFAULT_LIMITS), target, Observer(), DEFAULT_LIMITS)
    assert (target / "status").read_text() == "canceled"
    assert (target / "job_events" / "1-u1.json").exists()


def test_a_directory_that_is_not_empty(target: Path) -> None:
    target.mkdir()
    (target / "mine").write_text("kept")
    with pytest.raises(ConfigurationError, match="is not empty"):
        unpack(a_run(an_event(1)), target)
    assert os.listdir(target) == ["mine"]
    (target / "mine").unlink()
    target.rmdir()
    target.write_text("a file")
    with pytest.raises(ConfigurationError, match="Expected a directory that is empty"):
        unpack(a_run(an_event(1)), target)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (a_job(), "the job has no tree"),
        (encode([Failure("JobError", "no")], Direction.RESULT), "its worker failed before it began"),
    ],
)
def test_nothing_to_unpack(data: bytes, message: str, target: Path) -> None:
    with pytest.raises(ConfigurationError, match=message):
        unpack(data, target)
    assert not target.exists()


@pytest.mark.parametrize("link", [b"/etc/passwd", b"../../x"])
def test_a_link_that_leads_out(link: bytes, target: Path) -> None:
    with pytest.raises(UnsafePath):
        unpack(a_job(ROOT, symlink(b"link", link), TreeEnd(2, 0)), target)
    assert os.listdir(target) == []


def test_limits(target: Path) -> None:
    with pytest.raises(PlaystreamError, match="--max-tree-bytes"):
        unpack(a_job(*TREE, TreeEnd(3, 3)), target, Limits(max_tree_bytes=2))


@pytest.mark.parametrize("direction", Direction)
@pytest.mark.parametrize("tree", TREES.values(), ids=TREES)
def test_a_hostile_tree(tree: Tree, direction: Direction) -> None:
    """Nothing is written outside of the target, and all that is written is private."""
    streams = [native_tree(tree.native, direction)] if tree.native else []
    for data in [*streams, *([runner_entries(tree.zipped, direction)] if tree.zipped else [])]:
        with open_place() as place:
            try:
                unpack(data, place.target)
            except PlaystreamError as error:
                assert str(error).isprintable()
            for path in place.target.rglob("*"):
                assert path.is_symlink() or not path.stat().st_mode & 0o7077, path


def test_the_command(stages: Stages, tmp_path: Path, target: Path) -> None:
    capture = tmp_path / "capture"
    capture.write_bytes(a_run(an_event(1), rc=2))
    done = stages.call("extract", capture, target)
    assert done.returncode == 0
    assert b"a run with the status failed" in done.stdout
    assert stages.call("extract", capture, target).returncode == 1
