"""A user's directory that a worker empties and removes is taken alone: never from under another job."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from playstream.pipeline.errors import ConfigurationError
from playstream.worker.spool import Spool


@pytest.mark.parametrize(("first", "second"), [(False, True), (True, False), (True, True)])
def test_a_directory_that_another_job_uses(tmp_path: Path, first: bool, second: bool) -> None:
    place = tmp_path / "x"
    spool = Spool(place, delete=first)
    (place / "file").write_text("x")
    with pytest.raises(ConfigurationError, match=r"another job uses .*--private-data-dir of its own"):
        Spool(place, delete=second)
    assert (place / "file").read_text() == "x"
    spool.remove()
    assert place.exists() is not first


def test_jobs_that_remove_nothing_share_it(tmp_path: Path) -> None:
    spools = [Spool(tmp_path / "x"), Spool(tmp_path / "x")]
    for spool in spools:
        spool.remove()


def test_a_run_in_it_is_another_job_too(tmp_path: Path) -> None:
    run = tmp_path / "x/artifacts/1"
    run.mkdir(parents=True)
    fd = os.open(run, os.O_RDONLY)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        with pytest.raises(ConfigurationError, match="another job uses"):
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
