"""Links to workers on this host, and servers to reach them by."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import begin, directory, fakes, hanging  # noqa: F401 - fixtures
from tests.links.hosts import Host
from tests.links.listening import Listener
from tests.stages import Stages

WORKER = f"exec:{sys.executable} -m playstream worker"
"""A link to a worker that is a process of this host."""


Listen = Callable[..., Listener]


@contextmanager
def ssh_host(folder: Path, stages: Stages, **options: Any) -> Iterator[Host]:
    """A host to reach by ssh; the program `ssh` that the stages find has a configuration of the host's own.

    Args:
        directory: for its files.
        stages: reach it.
        options: of Host.
    """
    real = shutil.which("ssh")
    if real is None:
        pytest.fail("ssh is missing; apt-get install openssh-client")
    place = folder / "host"
    place.mkdir(mode=0o755)
    server = Host(place, stages.temporary, **options)
    programs = folder / "programs"
    programs.mkdir()
    (programs / "ssh").write_text(f'#!/bin/sh\nexec {shlex.quote(real)} -F {server.client_config} "$@"\n')
    (programs / "ssh").chmod(0o755)
    stages.path_before.append(programs)
    try:
        yield server
    finally:
        server.close()


@pytest.fixture
def host(tmp_path: Path, stages: Stages) -> Iterator[Host]:
    """A host to reach by ssh."""
    with ssh_host(tmp_path, stages) as server:
        yield server


@pytest.fixture
def listen(tmp_path: Path, stages: Stages) -> Iterator[Listen]:
    """Starts listening workers; the default address is a Unix socket of the test."""
    started: list[Listener] = []

    def start(*flags: str | Path, address: str | None = None, **options: Any) -> Listener:
        place = address or f"unix:{tmp_path}/worker.sock"
        started.append(Listener(stages, tmp_path / f"listener-{len(started)}.log", place, *flags, **options))
        return started[-1]

    yield start
    for listener in started:
        listener.close()
