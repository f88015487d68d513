"""Programs and playbooks that ask the user at a terminal, and how that user answers."""

from __future__ import annotations

import sys
import termios
from pathlib import Path

from tests.cli.typist import SHELL_PROMPT, Typist, check_answers

PAUSE = """\
- hosts: all
  gather_facts: false
  tasks:
    - name: wait
      ansible.builtin.pause: {prompt: Wait here}
    - ansible.builtin.debug:
        msg: went on
"""
ASKS = f"""#!{sys.executable} -ISu
import getpass, os, signal, sys, time
print("starting")
print("got", len(getpass.getpass("Secret: ")), flush=True)
print("name is", input("Name: "), flush=True)
"""
"""What stands in for Ansible where only the terminal matters."""
SHOWS_SIZE = f"""#!{sys.executable} -ISu
import os, signal, sys
signal.signal(signal.SIGWINCH, lambda *_: None)
print("size", *os.get_terminal_size(0))
signal.sigwait({{signal.SIGWINCH}})
print("size", *os.get_terminal_size(0))
"""


def program(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "ansible-playbook"
    path.write_text(text)
    path.chmod(0o755)
    return path


def answer_questions(user: Typist) -> None:
    """Answer QUESTIONS, and check what the user sees."""
    user.wait_for("Your name: ")
    user.type("Ada\n")
    user.wait_for("Your word: ")
    user.wait_for_hidden()
    user.type("xyzzy-plugh\n")
    user.wait_for("A value:")
    user.wait_for_keys()
    user.type("4x\x7f2\r")
    check_answers(user)


def answer_asks(user: Typist) -> None:
    """Answer the questions of ASKS, the first of which is shown."""
    user.type("pass\n")
    user.wait_for("got 4")
    user.wait_for("Name: ")
    user.type("Ada\n")
    user.wait_for("name is Ada")


def stop_at_the_question(shell: Typist, words: str) -> None:
    """Start ASKS in a shell, and stop it with Ctrl-Z when it asks."""
    shell.type(f"{words}\n")
    shell.wait_for("Secret: ")
    shell.wait_for_hidden()
    shell.type("\x1a")
    shell.wait_for("Stopped")
    shell.wait_for(SHELL_PROMPT)


def answer_in_the_foreground(shell: Typist, words: str) -> None:
    """Start ASKS in the background of a shell, move it to the foreground, and answer."""
    shell.type(f"{words} &\n")
    shell.wait_for("starting")
    shell.type("fg\n")
    shell.wait_for("Secret: ")
    shell.wait_for_hidden()
    answer_asks(shell)


def check_that_nothing_typed_ahead_is_run(shell: Typist, words: str, place: Path) -> None:
    """Answer ASKS in a shell and type a command ahead, which is dropped; `place` is the shell's directory."""
    shell.type(f"{words}; echo ended $?\n")
    shell.wait_for("Secret: ")
    shell.wait_for_hidden()
    shell.type("pass\n")
    shell.wait_for("Name: ")
    shell.wait_until(lambda: shell.has(termios.ECHO), "the name is shown")
    shell.type("Ada\ntouch secret-was-run\n")
    shell.wait_for("ended 0")
    shell.wait_for(SHELL_PROMPT)
    shell.type("echo done\n")
    shell.wait_for("done\r\n")
    assert not (place / "secret-was-run").exists()
