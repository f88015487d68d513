"""The types are there for users: a program of theirs is checked as they would check it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import playstream

USER = Path(__file__).with_name("user.py")


def test_a_users_program(tmp_path: Path) -> None:
    (tmp_path / "mypy.ini").write_text("[mypy]\n")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "mypy",
            "--strict",
            "--warn-unused-ignores",
            "--no-error-summary",
            "--config-file",
            "mypy.ini",
            "--cache-dir",
            str(tmp_path),
            str(USER),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)


def test_the_marker_is_shipped() -> None:
    assert (Path(playstream.__file__).parent / "py.typed").exists()
