"""Fixtures of the tests of ready trees."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.disk import on_disk
from tests.worker.cache.jobs import Jobs


@pytest.fixture
def tmp_path(tmp_path: Path) -> Iterator[Path]:
    """An empty directory in which the directory of a job can be kept for the next one."""
    with on_disk(tmp_path) as directory:
        yield directory


@pytest.fixture
def jobs(tmp_path: Path) -> Jobs:
    return Jobs(tmp_path)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    root = tmp_path / "source"
    for name in ("site.yml", "roles/web/main.yml", "roles/web/page", "roles/db/main.yml"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(os.urandom(3000))
    (root / "large").write_bytes(os.urandom(2 << 20))
    (root / "link").symlink_to("roles")
    return root
