"""Tests with the lowest and with the newest versions of the dependencies, and the package from the wheel."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

from packaging.requirements import Requirement

from tests.matrix.debian import ROOT, do
from tests.release import environments

_TOOLS = {"hypothesis", "pyte", "pytest", "pytest-timeout", "pytest-xdist"}
"""What these tests need of the extra dev."""
_USERS_EXTRAS = ("ansible", "ui", "age", "report", "store", "postgresql", "mesh")


def lowest(folder: Path, wheel: Path) -> Path:
    """Make an environment with the lowest versions that pyproject.toml names; return its Python.

    The versions of what those need in turn are the newest ones.

    Raises:
        Unprepared: it cannot be made.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    tools = folder.with_suffix(".in")
    wanted = project["optional-dependencies"]["dev"]
    tools.write_text("\n".join(item for item in wanted if Requirement(item).name in _TOOLS) + "\n")
    extras = [word for extra in _USERS_EXTRAS for word in ("--extra", extra)]
    pins = do(
        [
            *environments.UV,
            "pip",
            "compile",
            "--quiet",
            "--resolution",
            "lowest-direct",
            "--no-annotate",
            "--no-header",
            "--python",
            sys.executable,
            *extras,
            str(ROOT / "pyproject.toml"),
            str(tools),
        ],
        "the lowest versions cannot be found",
    ).split("\n")
    return environments.make(folder, environments.requirement(wheel), *filter(None, pins))


def newest(folder: Path, wheel: Path) -> Path:
    """Make an environment with the newest versions and all extras; return its Python.

    Raises:
        Unprepared: it cannot be made.
    """
    return environments.make(folder, environments.requirement(wheel, *_USERS_EXTRAS, "dev"))


def run_tests(python: Path, words: Sequence[str]) -> int:
    """Run pytest with these words in the checkout, with the package that an environment has; return its exit status."""
    command = [
        str(python),
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--numprocesses",
        "auto",
        "--dist",
        "loadfile",
        *words,
    ]
    return subprocess.run(command, cwd=ROOT, check=False).returncode
