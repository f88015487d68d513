"""Answers to prompts: where a reader of the command line gives them, and how `start` passes them on."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from contextlib import suppress

_WITHOUT_DIRECTORY = ("adhoc", "playbook")
"""Commands that read no `env/passwords`."""
_FLAGS = {"ssh": "--ask-pass (-k)", "become": "--ask-become-pass (-K)", "vault": "--ask-vault-pass"}
_ADVICE = re.compile(
    r"add (?P<what>the \w+|an answer) to passwords \(env/passwords\), under "
    r"(?P<key>the name '(?P<name>[^']+)'|a regular expression that matches the prompt)"
)
"""The advice of the worker, which does not know who reads it; see worker/prompts.py."""


def name_answers(command: str, explanation: str) -> str:
    """Return the explanation of a run's end with advice for those who use this command.

    Args:
        command: the subcommand.
        explanation: as from the run: it names the parameter of Python and the file.
    """
    advised = list(_ADVICE.finditer(explanation))
    if not advised:
        return explanation
    found = advised[-1]  # earlier ones are in the text of the prompt
    name = found["name"] or ""
    asks = f"let {flag} ask for it before the run" if (flag := _asking_flag(name)) else ""
    if command in _WITHOUT_DIRECTORY:
        advice = (
            asks and f"{asks}, or "
        ) + f"use playstream run, with {found['what']} in env/passwords, under {found['key']}"
    else:
        advice = f"add {found['what']} to env/passwords, under {found['key']}" + (asks and f", or {asks}")
    return explanation[: found.start()] + advice + explanation[found.end() :]


def advise_without_terminal(command: str, name: str) -> str:
    """Return what to do to give a password where nobody can be asked for it, as a sentence without its full stop.

    Args:
        command: the subcommand.
        name: name of the password.
    """
    if command not in _WITHOUT_DIRECTORY:
        return f"Put the password into env/passwords under the name {name!r} instead"
    vault_id = name.removeprefix("vault:")
    if vault_id != name:
        return f"Pass a file with the password instead: --vault-id {vault_id}@FILE"
    if name == "vault":
        return "Pass a file with the password instead: --vault-password-file FILE"
    return f"Use playstream run, with the password in env/passwords, under the name {name!r}"


def write_answers(fd: int, answers: Mapping[str, str]) -> None:
    """Write answers to a pipe for `read_answers` in another process, and close the pipe.

    If that process has ended, they are dropped; how it ended tells why.
    """
    with suppress(BrokenPipeError), os.fdopen(fd, "w", encoding="utf-8") as file:
        json.dump(answers, file)


def read_answers(fd: int) -> dict[str, str]:
    """Read the answers that the process which started this one has asked for, and close the pipe."""
    with os.fdopen(fd, encoding="utf-8") as file:
        answers: dict[str, str] = json.load(file)
    return answers


def _asking_flag(name: str) -> str | None:
    """Return the flag that asks for a password; None if none does."""
    vault_id = name.removeprefix("vault:")
    return _FLAGS.get(name) if vault_id == name else f"--ask-vault-pass={vault_id}"
