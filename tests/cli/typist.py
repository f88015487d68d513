"""A user at a terminal: what is shown there, and what is typed."""

from __future__ import annotations

import os
import re
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pexpect
import pyte

LIMIT_SECONDS = 60
ROWS, COLUMNS = 40, 120
SHELL_PROMPT = "READY> "
QUESTIONS = """\
- hosts: localhost
  gather_facts: false
  vars_prompt:
    - {name: who, prompt: Your name, private: false}
    - {name: word, prompt: Your word}
  tasks:
    - name: answers
      ansible.builtin.debug:
        msg: "{{ who }} has {{ word | length }}"
    - name: value
      ansible.builtin.pause: {prompt: A value}
      register: value
    - ansible.builtin.debug:
        msg: "value {{ value.user_input }}."
"""
"""A playbook that asks for a name, a hidden word and a value."""


class Typist:
    """Starts a program on a terminal of its own.

    Args:
        command: the program and its arguments.
        env: its environment.
        columns: the width of the terminal.
    """

    def __init__(self, command: Sequence[str | Path], env: Mapping[str, str], columns: int = COLUMNS) -> None:
        words = list(map(str, command))
        self._screen = pyte.HistoryScreen(columns, ROWS, history=10_000, ratio=1)
        self._stream = pyte.Stream(self._screen)
        self.child = pexpect.spawn(
            words[0], words[1:], env=dict(env), dimensions=(ROWS, columns), timeout=LIMIT_SECONDS, encoding="utf-8"
        )
        self.child.logfile_read = self
        self._fd = os.dup(self.child.child_fd)
        self.modes = termios.tcgetattr(self._fd)
        """The modes of the terminal at the beginning."""

    def write(self, text: str) -> None:
        """Take what is shown; called by pexpect."""
        self._stream.feed(text)

    def flush(self) -> None:
        """Do nothing; called by pexpect."""

    @property
    def lines(self) -> list[str]:
        """What the user sees, with what has left the screen above, without empty lines at the end."""
        above = [
            "".join(row[column].data for column in range(self._screen.columns)) for row in self._screen.history.top
        ]
        return "\n".join(line.rstrip() for line in [*above, *self._screen.display]).rstrip().split("\n")

    def wait_for(self, text: str) -> None:
        """Wait until a text is shown."""
        self.child.expect_exact(text)

    def wait_until(self, is_so: Callable[[], bool], what: str) -> None:
        """Read what is shown until something is so."""
        deadline = time.monotonic() + LIMIT_SECONDS
        while not is_so():
            assert time.monotonic() < deadline, f"{what}, but:\n" + "\n".join(self.lines)
            self.child.expect([pexpect.TIMEOUT, re.compile(".+", re.DOTALL), pexpect.EOF], timeout=0.05)

    def has(self, mode: int) -> bool:
        """Return whether a local mode of the terminal is on."""
        return bool(termios.tcgetattr(self._fd)[3] & mode)

    def wait_for_hidden(self) -> None:
        """Wait until the terminal takes a line that it does not show."""
        self.wait_until(lambda: self.has(termios.ICANON) and not self.has(termios.ECHO), "nothing is hidden")

    def wait_for_keys(self) -> None:
        """Wait until the terminal passes on single keys."""
        self.wait_until(lambda: not self.has(termios.ICANON), "single keys are not passed on")

    def wait_for_restored(self) -> None:
        """Wait until the terminal's modes are those of the beginning."""
        self.wait_until(lambda: termios.tcgetattr(self._fd) == self.modes, "the terminal is restored")

    def type(self, keys: str) -> None:
        """Type keys."""
        os.write(self._fd, keys.encode())

    def end(self) -> int:
        """Wait for the end of the program; return its exit status, or 128 + N if signal N killed it."""
        self.child.expect(pexpect.EOF)
        self.child.close()
        status: Any = self.child.exitstatus
        return int(status) if status is not None else 128 + int(self.child.signalstatus or 0)

    def close(self) -> None:
        """End the program."""
        self.child.close(force=True)
        os.close(self._fd)


def start_shell(env: Mapping[str, str], cwd: Path) -> Typist:
    """Start a shell with job control, without the user's own settings."""
    shell = Typist(["bash", "--norc", "--noprofile", "-i"], {**env, "PS1": SHELL_PROMPT, "PWD": str(cwd)})
    shell.wait_for(SHELL_PROMPT)
    shell.type(f"cd {cwd}; bind 'set enable-bracketed-paste off'\n")
    shell.wait_for(SHELL_PROMPT)
    return shell


def check_answers(user: Typist) -> None:
    """Check the end of QUESTIONS, answered with Ada, xyzzy-plugh and 42."""
    assert user.end() == 0
    shown = "\n".join(user.lines)
    assert "Ada has 11" in shown
    assert "value 42." in shown
    assert "xyzzy" not in shown
    assert [shown.count(text) for text in ("Your name: Ada", "Your word:", "A value:")] == [1, 1, 1]
    user.wait_for_restored()
