"""Programs of ours are started with a Python, though the program around it is another one."""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
from pathlib import Path

import pytest

from playstream.pipeline.errors import JobError
from playstream.pipeline.io.interpreter import find_python


def make_program(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\nexit 1\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize("name", ["python", "python3", "python3.13t", "pypy3"])
def test_a_python_is_told_by_its_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    monkeypatch.setattr(sys, "executable", make_program(tmp_path / name))
    assert find_python() == sys.executable


@pytest.mark.parametrize("name", ["uwsgi", "uwsgi_python311", "python", None])
def test_another_program_is_not_started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str | None) -> None:
    """One that is called python may be a frozen program."""
    monkeypatch.setattr(sys, "executable", make_program(tmp_path / name) if name else None)
    monkeypatch.setattr(sys, "frozen", name == "python", raising=False)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    assert find_python() == os.path.join(sys.prefix, "bin", version)


def test_one_on_the_path_is_the_last_resort(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for name in ("prefix", "base_prefix"):
        monkeypatch.setattr(sys, name, str(tmp_path))
    monkeypatch.setattr(sys, "executable", "")
    monkeypatch.setattr(sys, "_base_executable", "")
    monkeypatch.setattr(sysconfig, "get_config_var", lambda _name: None)
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    with pytest.raises(JobError, match=rf"no Python interpreter was found .* {version} .*sys.executable is ''"):
        find_python()
    found = make_program(tmp_path / "path" / version)
    assert find_python() == found == shutil.which(version)
