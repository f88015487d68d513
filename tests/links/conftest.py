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

from tests.cli.conftest import asking, begin, directory, fakes, hanging, shell  # noqa: F401 - fixtures
from tests.links.bare import BareHost, fill
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


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the wheels that playstream needs."""
    return fill(tmp_path_factory.mktemp("wheels"), ansible=False)


@pytest.fixture(scope="session")
def wheels_with_ansible(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the wheels that playstream and Ansible need."""
    return fill(tmp_path_factory.mktemp("wheels-with-ansible"), ansible=True)


@pytest.fixture(scope="session")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cache of this side, so that pip is not asked anew for each test."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def bare(host: Host, tmp_path: Path, shared_cache: Path, monkeypatch: pytest.MonkeyPatch) -> BareHost:
    """A host with nothing but Python."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(shared_cache))
    place = tmp_path / "bare"
    place.mkdir()
    return BareHost(host, place)


@pytest.fixture
def ansible(bare: BareHost) -> None:
    """Let the bare host have Ansible: that of this virtual environment."""
    bare.add_program(Path(sys.executable).parent / "ansible-playbook")
