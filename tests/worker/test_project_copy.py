"""The private copy of the project: `directory_isolation_base_path`."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from playstream.pipeline.errors import JobError, PlaystreamError, UnsafePath
from playstream.pipeline.job.job import check_job
from playstream.pipeline.protocol import Job
from playstream.worker.launch import Launch, prepare
from playstream.worker.spool import Spool

JOB = Job("run", playbook="site.yml", binary="/bin/true", tree=True)


@pytest.fixture
def spool() -> Iterator[Spool]:
    """A spool whose project has a playbook."""
    made = Spool()
    (made.private_data_dir / "project").mkdir()
    (made.private_data_dir / "project" / "site.yml").write_text("[]\n")
    yield made
    made.remove()


@pytest.fixture
def no_umask() -> Iterator[None]:
    """Modes are what they are made with."""
    usual = os.umask(0)
    yield
    os.umask(usual)


def launch(spool: Spool, base: str | Path) -> Launch:
    return prepare(check_job(replace(JOB, settings={"directory_isolation_base_path": str(base)})), spool)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_missing_base_is_made_private(spool: Spool, tmp_path: Path, no_umask: None) -> None:
    launched = launch(spool, tmp_path / "shared" / "copies")
    (copied,) = launched.remove
    assert copied.parent == tmp_path / "shared" / "copies"
    assert [mode_of(path) for path in (tmp_path / "shared", copied.parent, copied)] == [0o700] * 3
    assert launched.paths.project == copied / "project"
    assert (copied / "project" / "site.yml").read_text() == "[]\n"


@pytest.mark.parametrize("below", ["", "/new", "/../data/link"])
def test_a_base_behind_a_link_that_was_sent_is_refused(tmp_path: Path, below: str) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "data" / "project").mkdir(parents=True)
    (tmp_path / "data" / "link").symlink_to("../elsewhere")
    (tmp_path / "data" / "project" / "site.yml").write_text("[]\n")
    (tmp_path / "own").symlink_to("data/link")
    base = f"{tmp_path}/own{below}"
    sent = Spool(tmp_path / "data")
    try:
        with pytest.raises(UnsafePath, match="passes through a link"):
            launch(sent, base)
    finally:
        sent.remove()
    assert list((tmp_path / "elsewhere").iterdir()) == []
    own = Spool(tmp_path / "data", in_place=True)
    try:
        assert launch(own, base).remove
    finally:
        own.remove()


def test_a_base_that_is_there_stays_as_it_is(spool: Spool, tmp_path: Path, no_umask: None) -> None:
    base = tmp_path / "copies"
    base.mkdir()
    base.chmod(0o1777)
    (copied,) = launch(spool, base).remove
    assert mode_of(base) == 0o1777
    assert mode_of(copied) == 0o700


def test_the_name_cannot_be_guessed(spool: Spool, tmp_path: Path) -> None:
    """Nothing of it is the job's: a run that has the place for itself gets another name each time."""
    (first,) = launch(spool, tmp_path).remove
    (second,) = launch(spool, tmp_path).remove
    assert first != second
    assert "run" not in first.name


@pytest.mark.parametrize(
    ("base", "expected"),
    [
        ("{project}", "is inside the project"),
        ("{project}/below/copies", "is inside the project"),
        ("{link}/copies", "is inside the project"),
        ("{file}/copies", "File exists"),
        ("~nobody-of-this-name/copies", "home directory"),
        ("{place}/" + "x" * 300, "File name too long"),
        ("/proc/copies", "No such file or directory"),
    ],
)
def test_where_there_can_be_none(spool: Spool, tmp_path: Path, base: str, expected: str) -> None:
    project = spool.private_data_dir / "project"
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(project)
    given = base.format(project=project, link=tmp_path / "link", file=tmp_path / "file", place=tmp_path)
    with pytest.raises(JobError, match=expected):
        launch(spool, given)
    assert not (project / "below").exists()


def test_a_project_that_cannot_be_copied(spool: Spool, tmp_path: Path) -> None:
    """The first file that fails is named, and nothing is left."""
    project = spool.private_data_dir / "project"
    for number in range(20):
        os.mkfifo(project / f"fifo-{number:02}")
    with pytest.raises(JobError, match="named pipe") as caught:
        launch(spool, tmp_path / "copies")
    assert str(caught.value).count("fifo-") == 1
    assert list((tmp_path / "copies").iterdir()) == []


@pytest.mark.parametrize("base", ["a\0b", "\ud800"])
def test_a_base_that_is_no_path(spool: Spool, base: str) -> None:
    with pytest.raises(PlaystreamError, match="directory_isolation_base_path: it contains a NUL or a lone surrogate"):
        launch(spool, base)
