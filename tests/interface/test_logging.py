"""What `debug`, `logfile` and `ignore_logging` do, and that the root logger is left alone."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

import playstream
from tests.interface.programs import play


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """playstream's logger as it was before."""
    logger = logging.getLogger("playstream")
    before, level = list(logger.handlers), logger.level
    yield
    for handler in logger.handlers[len(before) :]:
        handler.close()
    logger.handlers, logger.level = before, level


def test_a_log_file(tmp_path: Path) -> None:
    root = list(logging.getLogger().handlers)
    log = tmp_path / "log"
    runner = playstream.init_runner(playbook=play(), inventory="localhost", debug=True, logfile=log, quiet=True)
    assert runner.status == "unstarted"
    logging.getLogger("playstream").warning("a line")
    assert "WARNING playstream: a line" in log.read_text()
    assert logging.getLogger().handlers == root


def test_logging_is_left_alone_when_asked(tmp_path: Path) -> None:
    log = tmp_path / "log"
    playstream.init_runner(playbook=play(), inventory="localhost", debug=True, logfile=log, ignore_logging=True)
    assert not log.exists()


def test_options_of_single_stages_mean_nothing_to_a_local_run() -> None:
    runner = playstream.init_runner(
        playbook=play(), inventory="localhost", keepalive_seconds=3, only_transmit_kwargs=True, streamer=None
    )
    assert runner.status == "unstarted"
