"""docs/cli.md names every command and every flag, and what it shows of them works."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from playstream.cli.flags import flags_of, list_commands
from playstream.cli.main import parse
from tests.stages import LIMIT_SECONDS, Stages

PAGE = (Path(__file__).parents[2] / "docs" / "cli.md").read_text(encoding="utf-8")
SHOWN = [
    line[4:].removeprefix("$ ") for line in PAGE.splitlines() if re.match(r"    (\$ )?playstream (?![\w-]+:)", line)
]


@pytest.mark.parametrize("command", list_commands())
def test_the_page_names_every_flag(command: str) -> None:
    named = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", PAGE, re.IGNORECASE))
    assert f"`{command}" in PAGE
    assert {name for definition in flags_of(command) for name in definition.names} <= named


@pytest.mark.parametrize("line", SHOWN)
def test_what_the_page_shows_can_be_understood(line: str) -> None:
    for part in line.removesuffix(" \\").split(" | "):
        words = shlex.split(part)
        if "playstream" in words:
            parse(words[words.index("playstream") + 1 :])


def test_the_first_run(stages: Stages, tmp_path: Path) -> None:
    """As it stands on the page."""
    section = PAGE[PAGE.index("    mkdir -p demo/project") : PAGE.index("On a terminal Ansible's output")]
    script = re.sub(r"^    ", "", section, flags=re.MULTILINE)
    done = subprocess.run(
        ["sh", "-e"],
        input=script.encode(),
        cwd=tmp_path,
        env=stages.env,
        check=False,
        timeout=LIMIT_SECONDS,
        capture_output=True,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"Hello from localhost" in done.stdout
    assert (tmp_path / "demo" / "artifacts" / "first" / "status").read_text() == "successful"
