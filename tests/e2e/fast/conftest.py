"""A fleet of hosts for each module of tests."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.e2e.fast.fleet import Fleet


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    """Running hosts, stopped after the last test of the module. Other users can enter their directory."""
    with tempfile.TemporaryDirectory(prefix="fl", dir="/tmp") as name:
        directory = Path(name)
        directory.chmod(0o755)
        with closing(Fleet(directory / "host")) as hosts:
            yield hosts
