"""What the tests of the Python interface share: a place for temporary files of their own, hosts, and a project."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interface.first_documents import EXAMPLE
from tests.interface.programs import HOSTS, SITE, use_temporary


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory for temporary files: what a run leaves can be seen there."""
    return use_temporary(tmp_path / "tmp", monkeypatch)


@pytest.fixture
def demo(tmp_path: Path) -> Path:
    """A private data directory with the playbook site.yml and the host node1."""
    return make_demo(tmp_path / "demo")


def make_demo(directory: Path) -> Path:
    """Make a private data directory."""
    (directory / "project").mkdir(parents=True)
    (directory / "inventory").mkdir()
    (directory / "project" / "site.yml").write_text(SITE)
    (directory / "inventory" / "hosts").write_text(HOSTS.format(python=sys.executable))
    return directory


@pytest.fixture(scope="module")
def module_tmp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """For runs that many tests look at: a directory, whose `tmp` is for temporary files meanwhile."""
    directory = tmp_path_factory.mktemp("shared")
    with pytest.MonkeyPatch.context() as patch:
        use_temporary(directory / "tmp", patch)
        yield directory


@pytest.fixture(scope="module")
def shared_demo(module_tmp: Path) -> Path:
    """A private data directory for runs that many tests look at."""
    return make_demo(module_tmp / "demo")


@pytest.fixture(scope="module")
def seed_dir(module_tmp: Path) -> Path:
    """The directory of all examples: /tmp/demo there, /path/to/project in another."""
    directory = make_demo(module_tmp / "demo")
    for name in ("test.yml", "deploy.yml", "main.yml", "gather.yaml"):
        (directory / "project" / name).write_text(EXAMPLE)
    tasks = directory / "project" / "roles" / "myrole" / "tasks"
    tasks.mkdir(parents=True)
    (tasks / "main.yml").write_text("- debug: {msg: from the role}\n")
    return directory
