"""The first hour looks as it did when somebody last looked at it.

The screens are kept beside this file. `python -m tests.e2e.first_hour` plays the hour and keeps them: look at each
change as somebody who sees playstream for the first time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.first_hour.play import FIRST_RUN, SCENES, SCREENS, Scene, a_home, play
from tests.e2e.first_hour.terminal import COLUMNS

pytestmark = pytest.mark.timeout(400)
_ANSIBLES = re.compile(r"\w+ +: ok=\d+ +changed=\d+ ")
"""Lines of Ansible's recap, which are longer than a terminal with ansible-playbook too."""
_WHOLE_WORD = re.compile(r" *\S+")


@pytest.fixture(scope="module")
def hour() -> Iterator[tuple[Path, dict[str, Scene]]]:
    with a_home() as home:
        yield home, {scene.name: scene for scene in play(home)}


@pytest.mark.parametrize("name", SCENES)
def test_a_screen(hour: tuple[Path, dict[str, Scene]], name: str) -> None:
    home, scenes = hour
    kept = (SCREENS / f"{name}.txt").read_text(encoding="utf-8")
    assert scenes[name].text(home) == kept, "look at the difference, and then run: python -m tests.e2e.first_hour"


def test_nothing_else_is_kept() -> None:
    assert {path.name for path in SCREENS.iterdir()} == {f"{name}.txt" for name in SCENES}


def test_no_line_is_wider_than_the_terminal(hour: tuple[Path, dict[str, Scene]]) -> None:
    """But a single word, such as a path, which cannot be wrapped."""
    lines = [line for scene in hour[1].values() for shown in scene.shown for line in shown.whole]
    assert len(lines) > 200
    wide = [line for line in lines if len(line) > COLUMNS and not _ANSIBLES.match(line)]
    assert [line for line in wide if not _WHOLE_WORD.fullmatch(line)] == []


def test_the_first_own_run_takes_three_commands(hour: tuple[Path, dict[str, Scene]]) -> None:
    home, scenes = hour
    clone, demo, run = scenes["first-run"].shown
    assert [shown.command for shown in (clone, demo, run)] == list(FIRST_RUN)
    assert clone.command.startswith("git clone ")
    assert "PLAY RECAP" in "\n".join(run.lines)
    runs = [path for path in (home / "playstream" / "examples" / "demo" / "artifacts").iterdir() if path.is_dir()]
    assert any((path / "status").read_text() == "successful" for path in runs if (path / "status").exists())
