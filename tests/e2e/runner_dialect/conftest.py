"""The directory that goes through all combinations, and what each made of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.runner_dialect.pipeline import Combination, Run, run
from tests.e2e.runner_dialect.private_data import make_private_data_dir


@pytest.fixture(scope="session")
def large_private_data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """See make_private_data_dir; it is only read."""
    directory = tmp_path_factory.mktemp("sent") / "demo"
    make_private_data_dir(directory)
    return directory


@pytest.fixture(scope="session")
def run_of(large_private_data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[Combination], Run]:
    """Gives what a combination left, which is run when it is first asked for."""
    runs: dict[Combination, Run] = {}

    def find(combination: Combination) -> Run:
        if combination not in runs:
            runs[combination] = run(combination, large_private_data_dir, tmp_path_factory.mktemp(str(combination)))
        return runs[combination]

    return find
