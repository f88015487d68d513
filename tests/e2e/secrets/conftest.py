"""A machine for the jobs: users with passwords, a server, a home, a directory for temporary files."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.secrets.accounts import Account, PasswordServer
from tests.e2e.secrets.job import SecretJob, make_job
from tests.e2e.secrets.markers import make_markers
from tests.e2e.secrets.rules import Places, not_allowed
from tests.e2e.secrets.watch import Watch, find_in_files
from tests.stages import Stages, stages_for_sockets


@dataclass(frozen=True)
class Machine:
    """What jobs run on, and what was given away there."""

    markers: dict[str, str]
    server: PasswordServer
    login: Account
    becoming: Account


@pytest.fixture(scope="session")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """Two users, and a server that takes the password of one."""
    if os.geteuid() != 0:
        pytest.skip("only root can make users with passwords, and a server that takes them")
    markers = make_markers()
    login = Account(markers["ssh password"])
    becoming = Account(markers["become password"])
    server = PasswordServer(tmp_path_factory.mktemp("machine") / "sshd", markers["key passphrase"])
    yield Machine(markers, server, login, becoming)
    server.close()
    for account in (login, becoming):
        account.remove()


@pytest.fixture(scope="session")
def began() -> float:
    """When the tests began, in seconds since 1970."""
    return time.time()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    return home


@pytest.fixture
def stages(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stages]:
    """Stages with a home of their own, and temporary files whose names are short enough for sockets."""
    monkeypatch.setenv("HOME", str(home))
    with stages_for_sockets() as stages:
        yield stages


@pytest.fixture
def secret_job(machine: Machine, home: Path, tmp_path: Path, began: float) -> SecretJob:
    """A job that uses every secret; nothing in `env/` yet."""
    return make_job(tmp_path / "demo", machine.markers, machine.server, machine.login, machine.becoming, home)


@pytest.fixture
def watch(stages: Stages, secret_job: SecretJob, tmp_path: Path) -> Watch:
    """Looks for the job's secrets."""
    return Watch(secret_job.secrets, [tmp_path, stages.temporary], stages.temporary)


CheckPlaces = Callable[[Watch], None]


@pytest.fixture
def check_places(stages: Stages, secret_job: SecretJob, home: Path, tmp_path: Path) -> CheckPlaces:
    """Checks what was found meanwhile, and what is there when all has ended."""

    def check(watch: Watch) -> None:
        places = Places(secret_job.directory, stages.temporary, home)
        assert watch.looks > 20
        assert not_allowed(watch.findings, places) == []
        left = find_in_files(secret_job.secrets, [tmp_path, stages.temporary])
        assert not_allowed(left, places, at_end=True) == []
        assert stages.leftovers() == []
        assert watch.spools
        assert watch.open_to_others == set()

    return check
