"""What the documents name is there, and the commands that they show work."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.matrix.debian import ROOT
from tests.pipeline.protocol.page import anchors

PAGES = sorted(
    path.relative_to(ROOT)
    for folder in ("", "changes", "docs", "examples", "tests/vectors")
    for path in (ROOT / folder).glob("*.md")
    if not path.name.startswith("+")
)
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
RECIPES = CONTRIBUTING[CONTRIBUTING.index("## Recipes") :]


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_link_leads_somewhere(page: Path) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    prose = re.sub(r"^```.*?^```|`[^`\n]*`", "", text, flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", prose):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        file = (ROOT / page).parent / path if path else ROOT / page
        assert file.exists(), f"{page}: {target}"
        assert not anchor or anchor in anchors(file.read_text(encoding="utf-8")), f"{page}: {target}"


def test_what_is_named_for_contributors_is_there() -> None:
    text = CONTRIBUTING.replace("src/playstream/", "")
    named = set(re.findall(r"`((?:[\w.]+/)+[\w.]*)`", text)) | set(re.findall(r"`(\w+\.py)`", text))
    assert {"pipeline/job/options.py", "cli/", "docs/cli.md", "test_order.py"} <= named
    places = (ROOT, ROOT / "src/playstream", ROOT / "tests/pipeline/protocol")
    others = {".cache/release/uncovered.txt", "cli/NAME.py"}
    assert [name for name in sorted(named - others) if not any((place / name).exists() for place in places)] == []


def test_names_in_the_recipes_are_in_the_files_beside_them() -> None:
    steps = re.findall(r"^\d\. (.*?)(?=^\d\. |^#|\Z)", RECIPES, re.MULTILINE | re.DOTALL)
    checked = set()
    for step in steps:
        words = re.findall(r"`([^`\s]+)`", step)
        files = [ROOT / "src/playstream" / word for word in words if (ROOT / "src/playstream" / word).is_file()]
        code = "".join(path.read_text(encoding="utf-8") for path in files)
        for name in (word for word in words if files and re.fullmatch(r"_?[A-Za-z]\w*", word)):
            assert re.search(rf"\b{name}\b", code), f"{name} is not in {files}"
            checked.add(name)
    assert {"JobOptions", "ANSIBLE_OPTIONS", "_CONVERT", "_IGNORABLE_KINDS", "COMMAND_FLAGS", "_context"} <= checked


def test_the_targets_that_are_named_are_there() -> None:
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = {line.split()[0] for line in shown.splitlines()} | set(re.findall(r"^([\w-]+):", makefile, re.MULTILINE))
    for page in ("CONTRIBUTING.md", "README.md", "SECURITY.md"):
        named = set(re.findall(r"(?:^    |`)make ([\w-]+)", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE))
        assert named
        assert named <= targets, page


def test_the_tools_that_are_named_are_there() -> None:
    """Tests are only collected here; the whole suite runs them."""
    commands = re.findall(r"(?:^    |`)\.venv/bin/([^`\n]+)", CONTRIBUTING, re.MULTILINE)
    tests = [shlex.split(command)[4:] for command in commands if command.startswith("python -m pytest")]
    assert len(tests) >= 3
    assert all((ROOT / place).is_dir() for places in tests for place in places)
    tools = {command.split()[0] for command in commands} - {"python"}
    assert tools == {"ruff", "mypy", "lint-imports"}
    assert all((Path(sys.executable).parent / tool).exists() for tool in tools)


def test_the_commands_of_the_page_about_changes(tmp_path: Path) -> None:
    page = (ROOT / "changes" / "README.md").read_text(encoding="utf-8")
    commands = [line.strip() for line in page.splitlines() if line.startswith("    towncrier ")]
    assert len(commands) == 2
    for name in ("pyproject.toml", "CHANGELOG.md", "src/playstream/_version.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "changes").mkdir()
    for command in commands:
        words = [sys.executable, "-m", *shlex.split(command, comments=True)]
        done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    assert "- Jobs can be started at a task: `--start-at-task`.\n" in done.stdout
