"""A shell on a terminal of 80 x 24 characters, and what its screen shows after each command."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pexpect
import pyte

COLUMNS, LINES = 80, 24
_WIDE = 1000
"""Columns of a second terminal, which shows the length of lines that the first one wraps."""
_LIMIT_SECONDS = 100
_MARK = "\x1b]133;A\x07"
"""What the prompt begins with: an order that terminals ignore, and that no program writes here."""
_PROMPT = "$ "
_MORE = "> "
"""The prompt for the rest of a command."""


@dataclass(frozen=True)
class Shown:
    """What a terminal showed of a command.

    Attributes:
        command: what was typed.
        lines: the lines of the screen, and those that scrolled off, without the command.
        whole: the same lines as they were written, before the terminal wrapped them.
    """

    command: str
    lines: tuple[str, ...]
    whole: tuple[str, ...]


class Terminal:
    """A shell on a terminal.

    Args:
        cwd: where it begins.
        env: its environment.
    """

    def __init__(self, cwd: Path, env: dict[str, str]) -> None:
        self._shell = pexpect.spawn(
            "bash",
            ["--norc", "--noprofile", "--noediting"],
            cwd=cwd,
            env={**env, "PS1": rf"\[\e]133;A\a\]{_PROMPT}", "PS2": _MORE},
            dimensions=(LINES, COLUMNS),
            encoding="utf-8",
            timeout=_LIMIT_SECONDS,
        )
        self._read()

    def _read(self) -> str:
        """Return what is written until the next prompt."""
        self._shell.expect_exact(_MARK + _PROMPT)
        return self._shell.before or ""

    def type(self, command: str) -> Shown:
        """Type a command and wait for it to end."""
        *first, last = command.split("\n")
        for line in first:
            self._shell.sendline(line)
            self._shell.expect_exact(f"{line}\r\n{_MORE}")
        self._shell.sendline(last)
        written = self._read()
        assert written.startswith(f"{last}\r\n"), (last, written)
        written = written.removeprefix(f"{last}\r\n")
        return Shown(command, _render(written, COLUMNS), _render(written, _WIDE))

    def close(self) -> None:
        """End the shell."""
        self._shell.close(force=True)


def _render(text: str, columns: int) -> tuple[str, ...]:
    """Return the lines that a terminal shows of a text, with those that scroll off."""
    screen = pyte.HistoryScreen(columns, LINES, history=10_000)
    pyte.Stream(screen).feed(re.sub(r"\x1b\]133;A\x07", "", text))
    above = ["".join(row[column].data for column in range(columns)).rstrip() for row in screen.history.top]
    return tuple("\n".join([*above, *(line.rstrip() for line in screen.display)]).rstrip().split("\n"))
