"""What all tests share: hypothesis' profiles, private data directories, and the stages as processes."""

from __future__ import annotations

import gc
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest

from tests.processes import heed_signals
from tests.stages import Stages

heed_signals()

hypothesis.settings.register_profile("default", deadline=None, max_examples=60)
hypothesis.settings.register_profile("fuzz", deadline=None, max_examples=20000)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

LOCAL_HOSTS = """\
[all:vars]
ansible_connection=local
ansible_python_interpreter="{{ ansible_playbook_python }}"

[local]
"""

MakeDir = Callable[..., Path]


def pytest_make_parametrize_id(config: pytest.Config, val: object, argname: str) -> str | None:
    """Name long bytes by their argument: the processes that share the tests may each have encrypted them anew."""
    return argname if isinstance(val, bytes) and len(val) > 40 else None


@pytest.fixture(autouse=True)
def no_descriptor_is_leaked(request: pytest.FixtureRequest) -> Iterator[None]:
    """A test leaves no descriptor open that it has opened, but with what is still referred to.

    The mark `keeps_descriptors` says why a test does.
    """
    before = _open_descriptors()
    yield
    if request.node.get_closest_marker("keeps_descriptors") is None and _open_descriptors() - before:
        gc.collect()  # a Runner has its temporary directory for as long as it lives
        assert _open_descriptors() - before == set()


def _open_descriptors() -> set[tuple[str, str]]:
    """Numbers, each with what is open there."""
    found = set()
    for number in os.listdir("/proc/self/fd"):
        try:
            found.add((number, os.readlink(f"/proc/self/fd/{number}")))
        except FileNotFoundError:
            pass  # it was open to list the others
    return found


@pytest.fixture
def tmp_path(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """pytest's own, with less of the test's name: Ansible makes sockets below TMPDIR, whose names have 107 bytes."""
    return tmp_path_factory.mktemp(re.sub(r"\W", "_", request.node.name.removeprefix("test_"))[:12], numbered=True)


@pytest.fixture
def private_data_dir(tmp_path: Path) -> MakeDir:
    """Makes a private data directory: playbooks by name, and the names of local hosts."""

    def make(playbooks: dict[str, str], hosts: tuple[str, ...] = ("node1",), name: str = "demo") -> Path:
        directory = tmp_path / name
        (directory / "project").mkdir(parents=True)
        (directory / "inventory").mkdir()
        (directory / "inventory" / "hosts").write_text(LOCAL_HOSTS + "\n".join(hosts) + "\n")
        for playbook, text in playbooks.items():
            (directory / "project" / playbook).write_text(text)
        return directory

    return make


@pytest.fixture
def stages(tmp_path: Path) -> Stages:
    """The three stages as operating-system processes, with a directory for temporary files of their own."""
    spools = tmp_path / "tmp"
    spools.mkdir()
    return Stages(spools)
