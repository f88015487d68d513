"""Messages on a terminal are wrapped at words, and a pipe gets one line for each."""

from __future__ import annotations

from pathlib import Path

import pexpect
import pytest

from tests.stages import PLAYSTREAM, Stages


def shown(stages: Stages, columns: int, *words: str) -> list[str]:
    """The lines that a terminal of this width gets."""
    command = [*PLAYSTREAM, *words]
    size = (24, columns)
    child = pexpect.spawn(command[0], command[1:], env=stages.env, dimensions=size, timeout=60, encoding="utf-8")
    text = child.read()
    child.close()
    assert child.exitstatus not in {0, None}
    return text.split("\r\n")[:-1]


@pytest.mark.parametrize("columns", [40, 57, 80])
@pytest.mark.parametrize("line", ["run DIR", "stop DIR --wide", "rnu DIR", "runs --limit x", "run DIR --forks x"])
def test_a_message_is_wrapped_at_words(stages: Stages, tmp_path: Path, columns: int, line: str) -> None:
    words = line.replace("DIR", str(tmp_path)).split()
    whole = stages.call(*words).stderr.decode().splitlines()
    lines = shown(stages, columns, *words)
    message = lines[next(number for number, text in enumerate(lines) if text.startswith("playstream")) :]
    assert " ".join(part.strip() for part in message) == whole[-1]
    assert all(part.startswith("    ") for part in message[1:])
    assert all(len(part) <= columns or " " not in part.strip() for part in message)


def test_a_path_is_kept_whole(stages: Stages, tmp_path: Path) -> None:
    path = f"{tmp_path}/{'x' * 120}"
    assert shown(stages, 60, "stop", path) == [
        "playstream stop: the private data directory",
        f"    {path!r}",
        "    does not exist",
    ]


def test_a_terminal_that_is_very_narrow_wraps_itself(stages: Stages, tmp_path: Path) -> None:
    assert len(shown(stages, 20, "run", str(tmp_path))) == 1
