"""README.md: its commands work as they are written, and its picture is what a terminal shows."""

from __future__ import annotations

import re
import runpy
import sys
from collections import Counter
from html import unescape
from pathlib import Path

import pytest

import playstream
from tests.matrix.debian import ROOT
from tests.release import readme

TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.timeout(400)  # seven runs of Ansible
def test_the_commands_in_a_checkout(tmp_path: Path) -> None:
    installed = tmp_path / "opt"
    for link in (tmp_path / ".venv", installed):
        link.symlink_to(sys.prefix)
    done = readme.run_all(tmp_path, installed, readme.script("Trying it"))
    assert done.returncode == 0, done.stdout
    assert re.search(r"^successful 0 \{.*'ok': \{", done.stdout, re.MULTILINE)
    assert done.stdout.count("PLAY RECAP") == 7, done.stdout
    artifacts = tmp_path / "examples" / "demo" / "artifacts"
    for place in (artifacts, artifacts / "again"):
        assert (place / "status").read_text() == "successful"


def test_no_command_is_lost() -> None:
    """Those of the installation are for `make release-check`, and `make` itself runs the rest."""
    shown = re.findall(r"^    (\S.*)", TEXT[: TEXT.index("## A private data directory")], re.MULTILINE)
    ran = readme.script() + "".join(map(readme.script, ("Trying it", "Running", "Installing")))
    assert len(shown) > 12
    assert [line for line in shown if line not in ran.splitlines() and not line.startswith("make ")] == []
    assert f"playstream-{playstream.__version__}-py3-none-any.whl" in TEXT


def test_the_first_screen() -> None:
    first = TEXT[: TEXT.index("## ")]
    assert len(first.splitlines()) <= 24
    for words in ("ansible-playbook", "ansible-runner", "CVE-2026-103754", "docs/run.svg", "byte pipe"):
        assert words in first
    for line in re.findall(r"^    .*ssh .*", TEXT, re.MULTILINE):
        assert "ssh host /opt/playstream/bin/playstream worker |" in line


def test_the_picture(tmp_path: Path) -> None:
    """It is small, loads nothing, and shows what a run of its command shows here, but for order, versions and times."""
    program = runpy.run_path(str(ROOT / "docs" / "generate_picture.py"))
    kept = program["PICTURE"].read_text(encoding="utf-8")
    assert len(kept) < 30_000
    assert set(re.findall(r"https?://[^\s\"<]+", kept)) <= {"http://www.w3.org/2000/svg", "https://www.textualize.io"}
    assert f"$ {program['COMMAND']}" in _lines_of(kept)
    drawn = program["draw"](program["record"](tmp_path))
    assert Counter(map(_plain, _lines_of(drawn))) == Counter(map(_plain, _lines_of(kept)))


def _lines_of(svg: str) -> list[str]:
    """The text of a picture, from top to bottom."""
    lines: dict[float, str] = {}
    for y, text in re.findall(r'<text [^>]*y="([\d.]+)"[^>]*>([^<]*)</text>', svg):
        lines[float(y)] = lines.get(float(y), "") + unescape(text).replace("\xa0", " ")
    return [lines[y].rstrip() for y in sorted(lines)]


def _plain(line: str) -> str:
    line = re.sub(r"runs \S+ with Python [\d.]+", "runs DISTRIBUTION with Python VERSION", line)
    return re.sub(r"^\d:\d\d:\d\d", "TIME", line)
