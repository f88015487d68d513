"""A server to reach by ssh, and the playbook that most of these tests run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.conftest import MakeDir
from tests.e2e.pipe.sshd import NoisySshd
from tests.stages import Stages

RICH_PLAYBOOK = (Path(__file__).parent / "rich.yml").read_text()


@pytest.fixture
def rich_dir(private_data_dir: MakeDir) -> Path:
    """A private data directory whose site.yml does a bit of everything."""
    directory = private_data_dir({"site.yml": RICH_PLAYBOOK}, hosts=("node1", "node2"))
    with (directory / "inventory" / "hosts").open("a") as hosts:
        hosts.write("nowhere ansible_connection=ssh ansible_host=127.0.0.1 ansible_port=1 ansible_timeout=5\n")
    script = directory / "project" / "files" / "hello.sh"
    script.parent.mkdir()
    script.write_text("#!/bin/sh\necho hello from a file that travelled\n")
    script.chmod(0o755)
    (directory / "project" / "linked.sh").symlink_to("files/hello.sh")
    return directory


@pytest.fixture
def sshd(tmp_path: Path, stages: Stages) -> Iterator[NoisySshd]:
    """A running server, stopped afterwards."""
    with closing(NoisySshd(tmp_path / "sshd", stages.temporary)) as server:
        yield server
