"""SIGINT and SIGTERM do again what they did before, whichever function a run was started with."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from playstream.compat import ansible_runner
from playstream.compat.ansible_runner import interface

SIGNALS = (signal.SIGINT, signal.SIGTERM)
WAIT_FOR_A_LINE = {"binary": "/bin/sh", "cmdline": "-c 'echo ready; read line'", "quiet": True}
QUICK = {"binary": "/bin/true", "quiet": True}


@pytest.fixture
def heard() -> Iterator[list[int]]:
    """Handlers of the program's own, and what they have heard."""
    numbers: list[int] = []

    def hear(number: int, frame: FrameType | None) -> None:
        numbers.append(number)

    before = [(number, signal.signal(number, hear)) for number in SIGNALS]
    yield numbers
    for number, handler in before:
        signal.signal(number, handler)


def handlers() -> list[Any]:
    return [signal.getsignal(number) for number in SIGNALS]


def test_a_run_that_is_made_ready_and_run(heard: list[int], tmp_path: Path) -> None:
    before = handlers()
    runner = interface.init_runner(private_data_dir=tmp_path, **QUICK)
    assert handlers() == before
    runner.run()
    assert handlers() == before


def test_a_run_in_a_thread(heard: list[int], tmp_path: Path) -> None:
    before = handlers()
    thread, runner = ansible_runner.run_async(private_data_dir=tmp_path, **WAIT_FOR_A_LINE)
    assert handlers() != before
    os.kill(os.getpid(), signal.SIGTERM)
    thread.join()
    assert (runner.status, heard) == ("canceled", [])
    assert handlers() == before


def test_a_thread_that_nobody_joins(heard: list[int], tmp_path: Path) -> None:
    before = handlers()
    thread, _ = ansible_runner.run_async(private_data_dir=tmp_path, **QUICK)
    threading.Thread.join(thread)  # waits for its end, and does no more
    assert handlers() != before
    os.kill(os.getpid(), signal.SIGINT)
    assert heard == [signal.SIGINT]
    assert handlers() == before


def test_runs_that_overlap(heard: list[int], tmp_path: Path) -> None:
    before = handlers()
    first, first_runner = ansible_runner.run_async(private_data_dir=tmp_path, **WAIT_FOR_A_LINE)
    second, second_runner = ansible_runner.run_async(private_data_dir=tmp_path, **WAIT_FOR_A_LINE)
    first_runner.cancel()
    first.join()
    second_runner.cancel()
    second.join()
    assert handlers() == before


def test_a_run_that_cannot_start(heard: list[int], tmp_path: Path) -> None:
    before = handlers()
    with pytest.raises(ansible_runner.exceptions.ConfigurationError):
        ansible_runner.run_async(private_data_dir=tmp_path, module="ping", playbook="site.yml")
    assert handlers() == before


def test_handlers_that_were_set_meanwhile_stay(heard: list[int], tmp_path: Path) -> None:
    thread, runner = ansible_runner.run_async(private_data_dir=tmp_path, **WAIT_FOR_A_LINE)
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    runner.cancel()
    thread.join()
    assert handlers() == [signal.SIG_IGN, signal.SIG_IGN]
