"""A copy of the examples, so that what they leave is not in the checkout."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[3] / "examples"


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with `examples/` in it."""
    directory = tmp_path_factory.mktemp("checkout")
    shutil.copytree(EXAMPLES, directory / "examples", ignore=shutil.ignore_patterns("artifacts", "__pycache__"))
    return directory


@pytest.fixture(scope="session")
def env() -> dict[str, str]:
    """The environment of a user who has the virtual environment on the PATH."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
