"""Checks that the changelog tells of the release."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

from tests.matrix.debian import ROOT


def problems(version: str, root: Path = ROOT) -> list[str]:
    """Return what is wrong: nothing tells of this version, or a file in changes/ would be left out.

    What is not released yet lies in changes/. A version whose section is in CHANGELOG.md has nothing there.
    """
    settings = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["towncrier"]
    kinds = {kind["directory"] for kind in settings["type"]}
    files = [path for path in (root / settings["directory"]).iterdir() if path.name != "README.md"]
    written = (root / settings["filename"]).read_text(encoding="utf-8")
    if re.search(rf"^## {re.escape(version)} ", written, re.MULTILINE):
        return [f"CHANGELOG.md has {version}, and does not tell of changes/{path.name}" for path in files]
    if not files:
        return [f"CHANGELOG.md has no section {version}, and changes/ has no file to make one of"]
    wrong = [
        f"changes/{path.name}: expected the name NAME.KIND.md, of the kinds {', '.join(sorted(kinds))}"
        for path in files
        if re.fullmatch(rf"[+\w-]+\.({'|'.join(kinds)})\.md", path.name) is None
    ]
    command = [sys.executable, "-m", "towncrier", "build", "--draft", "--version", version, "--dir", str(root)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return [*wrong, f"towncrier: {done.stderr.strip()}"]
    shown = " ".join(done.stdout.split())
    return wrong + [
        f"changes/{path.name} is not in the draft of towncrier"
        for path in files
        if " ".join(path.read_text(encoding="utf-8").split()) not in shown
    ]
