"""Many jobs on nodes of which some are killed and frozen: each job has exactly one end, and runs at most once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mesh.crowd import LARGE, run_checked
from tests.stages import Stages


@pytest.mark.timeout(600)
def test_each_of_many_jobs_has_one_end(fakes: Stages, tmp_path: Path) -> None:
    """`make soak` does the same with ten seeds."""
    run_checked(fakes, tmp_path, LARGE)
