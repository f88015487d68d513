"""When Ansible's output has colours."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.interface.programs import run_program

PROGRAM = """
import sys
import playstream
r = playstream.run(module="debug", inventory="localhost,", envvars=eval(sys.argv[1]))
with r.stdout as file:
    text = file.read()
print("kept:", "\\x1b[" in text, "events:", any("\\x1b[" in event["stdout"] for event in r.events))
"""
COMMAND = """
import playstream
out, _, _ = playstream.run_command("ansible", ["-m", "debug", "localhost"], runner_mode="subprocess")
print("localhost" in out, "\\x1b[" in out)
"""


@pytest.mark.parametrize(
    ("given", "variable", "coloured"),
    [
        ("{}", None, True),
        ("{'ANSIBLE_NOCOLOR': '1'}", None, False),
        ("{}", "NO_COLOR", False),
        ("{}", "ANSIBLE_NOCOLOR", False),
        ("{'TERM': 'dumb'}", None, False),
    ],
)
def test_colours_of_a_run(
    given: str, variable: str | None, coloured: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Standard output of the program is a pipe."""
    for name in ("NO_COLOR", "ANSIBLE_NOCOLOR", "ANSIBLE_FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    if variable is not None:
        monkeypatch.setenv(variable, "1")
    done = run_program(PROGRAM, given, temporary=tmp_path)
    assert done.returncode == 0, done
    assert "localhost" in done.stdout
    assert ("\x1b[" in done.stdout) is coloured
    assert f"kept: {coloured} events: {coloured}" in done.stdout


def test_colours_of_a_command_with_pipes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    done = run_program(COMMAND, temporary=tmp_path)
    assert done.stdout == "True False\n", done
