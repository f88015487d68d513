"""A user's directory that a worker empties and removes is taken alone: never from under another job."""

from __future__ import annotations

import fcntl
import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from playstream.pipeline.errors import USAGE_EXIT_STATUS, ConfigurationError
from playstream.pipeline.protocol import End, Failure, Hello
from playstream.worker.directories import is_system_directory
from playstream.worker.spool import Spool
from tests.processes import wait_until
from tests.stages import LIMIT_SECONDS, Stages, read_records
from tests.worker.test_guard_on_duty import HEADS, JOBS, kill, start_receiving


@pytest.mark.parametrize(("first", "second"), [(False, True), (True, False), (True, True)])
def test_a_directory_that_another_job_uses(tmp_path: Path, first: bool, second: bool) -> None:
    place = tmp_path / "x"
    spool = Spool(place, delete=first)
    (place / "file").write_text("x")
    with pytest.raises(ConfigurationError, match=r"is in use by another job.*use another --private-data-dir"):
        Spool(place, delete=second)
    assert (place / "file").read_text() == "x"
    spool.remove()
    assert place.exists() is not first


@pytest.mark.parametrize("below", ["home", "."])
def test_the_home_directory_and_what_it_lies_in_are_not_emptied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, below: str
) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "file").write_text("x")
    (tmp_path / "link").symlink_to(below)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for place in (tmp_path / below, tmp_path / "link"):
        with pytest.raises(ConfigurationError, match=r"--delete would remove.*Nothing was removed"):
            Spool(place, delete=True)
    assert (tmp_path / "home" / "file").read_text() == "x"
    Spool(tmp_path / "home").remove()


@pytest.mark.parametrize("place", ["/", "/etc/x", "/usr", "/usr/lib/x", "/tmp", "/var", "/root", "/dev/shm"])
def test_directories_of_the_system(place: str) -> None:
    assert is_system_directory(Path(place))


def test_an_empty_name_is_not_the_current_directory(
    stages: Stages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "current").mkdir()
    (tmp_path / "current" / "file").write_text("x")
    monkeypatch.chdir(tmp_path / "current")
    done = stages.call("worker", "--private-data-dir", "", "--delete", stdin=JOBS["native"])
    assert (done.returncode, done.stdout) == (USAGE_EXIT_STATUS, b"")
    assert b"--private-data-dir: expected a directory, got an empty string" in done.stderr
    assert (tmp_path / "current" / "file").read_text() == "x"


def test_jobs_that_remove_nothing_share_it(tmp_path: Path) -> None:
    spools = [Spool(tmp_path / "x"), Spool(tmp_path / "x")]
    for spool in spools:
        spool.remove()


def test_of_jobs_with_one_name_one_is_at_work_there(tmp_path: Path) -> None:
    """They share the directory, and each would take the artifacts of the other one."""
    (tmp_path / "x/artifacts/.taken-other").mkdir(parents=True)
    (tmp_path / "x/artifacts/.taken-same").symlink_to(tmp_path)
    first, second = Spool(tmp_path / "x"), Spool(tmp_path / "x")
    (first.artifact_dir("same") / "stdout").write_text("precious")
    with pytest.raises(ConfigurationError, match=r"another job with the ident 'same' is already active in .*another"):
        second.artifact_dir("same")
    second.artifact_dir("other")
    second.remove()
    first.begin()
    assert (tmp_path / "x/artifacts/same/stdout").read_text() == "precious"
    first.remove()
    third = Spool(tmp_path / "x")
    third.artifact_dir("same")
    third.remove()
    assert sorted(os.listdir(tmp_path / "x/artifacts")) == ["other", "same"]
    assert (tmp_path / "x/artifacts/same/stdout").read_text() == "precious", "the third has not begun"


def test_a_run_in_it_is_another_job_too(tmp_path: Path) -> None:
    run = tmp_path / "x/artifacts/1"
    run.mkdir(parents=True)
    fd = os.open(run, os.O_RDONLY)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        with pytest.raises(ConfigurationError, match="in use by another job"):
            Spool(tmp_path / "x", delete=True)
    finally:
        os.close(fd)
    assert run.is_dir()


def test_a_link_stays_and_what_it_leads_to_is_emptied(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "x").symlink_to("real")
    spool = Spool(tmp_path / "x", delete=True)
    (tmp_path / "x" / "closed").mkdir(mode=0o555)
    spool.remove()
    assert (tmp_path / "x").is_symlink()
    assert list((tmp_path / "real").iterdir()) == []


@pytest.mark.parametrize("dialect", HEADS)
def test_a_worker_that_is_refused_says_so_in_the_dialect_it_is_spoken_to(
    stages: Stages, tmp_path: Path, dialect: str
) -> None:
    words = ("--private-data-dir", tmp_path / "x", "--delete")
    first = start_receiving(stages, "native", *words)
    wait_until((tmp_path / "x" / "large").exists)
    second = stages.start("worker", *words)
    stdout, stderr = second.communicate(JOBS[dialect], timeout=LIMIT_SECONDS)
    refusal = f"'{tmp_path / 'x'}' is in use by another job"
    assert (second.returncode, len(stderr.splitlines())) == (1, 1)
    assert refusal in stderr.decode()
    if dialect == "native":
        hello, failure, end = read_records(stdout)
        assert isinstance(hello, Hello)
        assert isinstance(failure, Failure)
        assert isinstance(end, End)
        assert refusal in failure.message
    else:
        status, end_line = map(json.loads, stdout.splitlines())
        assert status["status"] == "error"
        assert refusal in status["job_explanation"]
        assert end_line == {"eof": True}
    assert (tmp_path / "x" / "large").exists()
    kill(first)
    wait_until(lambda: not (tmp_path / "x").exists())


@pytest.mark.parametrize("stream", [b"", b"Welcome!\n"], ids=["nothing", "something-else"])
def test_a_worker_that_is_refused_and_hears_no_dialect(stages: Stages, tmp_path: Path, stream: bytes) -> None:
    (tmp_path / "x").write_text("a file")
    done = stages.call("worker", "--private-data-dir", tmp_path / "x", "--delete", stdin=stream)
    assert done.returncode != 0
    assert [type(record) for record in read_records(done.stdout)] == [Hello, Failure, End]


def test_of_jobs_that_begin_at_once_one_has_the_directory(tmp_path: Path) -> None:
    place = tmp_path / "x"
    inside: list[int] = []
    served: list[int] = []
    refused: list[ConfigurationError] = []
    together = threading.Barrier(6)

    def begin(number: int) -> None:
        together.wait()
        try:
            spool = Spool(place, delete=True)
        except ConfigurationError as error:
            refused.append(error)
            return
        inside.append(number)
        assert inside == [number]
        assert list(place.iterdir()) == []
        (place / "file").touch()
        served.append(inside.pop())
        spool.remove()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(begin, range(6)))
    assert served
    assert len(served) + len(refused) == 6
    assert not place.exists()
