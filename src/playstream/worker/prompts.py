"""Prompts of Ansible and ssh, their answers, and how to recognize an unanswered one.

This module only decides; the terminal reads and types.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from playstream.pipeline.job.passwords import sort_passwords

MAX_REPEATS: Final = 10
"""How often in a row the same prompt is answered."""
WINDOW: Final = 4096
"""Bytes at the end of the output that are searched for a prompt, so that much output is not slow."""
_SHOWN = 200
"""Maximum number of characters of a prompt in a message."""

# Ansible writes its prompts at the start of a line; those of ssh may follow other output. They are answered only at the
# very end of the output: elsewhere the same text is ordinary output.
_SSH = rb"^SSH password: ?\Z|'s password: ?\Z|^\([^()\s]+@[^()\s]+\) Password: ?\Z"
# Ansible shows the become method here if agnostic_become_prompt is off.
_BECOME = rb"^(?!SSH )[A-Z][A-Z0-9_.-]* password(?:\[defaults to SSH password\])?: ?\Z"
_SSH_KEY = rb"^Enter passphrase for [^\r\n]*: ?\Z"
# ssh-add gives up after an empty passphrase, so that the job ends with its message.
_SSH_KEY_REFUSED = rb"^Bad passphrase, try again for [^\r\n]*: ?\Z"
_VAULT = rb"^(?:(?:Confirm )?[Nn]ew )?[Vv]ault password%s: ?\Z"
_ANY_VAULT = re.compile(rb"^(?:(?:Confirm )?[Nn]ew )?[Vv]ault password(?: \(([^\r\n]*)\))?: ?\Z", re.MULTILINE)

_CONTROL = re.compile(rb"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[()][0-9A-Za-z]|\x1b[=>78]")
_LINE_END = re.compile(r"[\r\n]")
_TIMED_PAUSE = re.compile(r"^Pausing for (\d+) seconds", re.MULTILINE)
_PAUSE = re.compile(r"^\[.*\]\n(?:.*\n){0,20}?(?P<prompt>.*:)\n\s*\Z", re.MULTILINE)
"""The output of Ansible's pause module: the task's name, and the prompt, which may have several lines, with a colon."""


_TO_QUOTE = re.compile(rb"[\x01-\x08\x0b\x0c\x0e-\x1f\x7f]")
_NEXT = b"\x16"
"""^V: the terminal and readline read the next character literally (VLNEXT, termios(3))."""


def quote_controls(answer: bytes) -> bytes:
    """Quote control characters (^C, ^D, ^U, ^S, …), which the terminal would interpret."""
    return _TO_QUOTE.sub(lambda match: _NEXT + match[0], answer)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer to type when the output shows a prompt; the representation does not show it."""

    prompt: re.Pattern[bytes]
    answer: bytes = field(repr=False)


def list_replies(passwords: Mapping[str, str]) -> list[Reply]:
    """Return the answer for each prompt: the user's regular expressions first, then the named passwords.

    Args:
        passwords: names, or regular expressions as in ansible-runner, with their answers; they must be checked.
    """
    named = sort_passwords(passwords)
    replies = [_reply(prompt.encode(), answer) for prompt, answer in named.prompts.items()]
    if named.ssh is not None:
        replies.append(_reply(_SSH, named.ssh))
    if named.become is not None:
        replies.append(_reply(_BECOME, named.become))
    if named.ssh_key is not None:
        replies += [_reply(_SSH_KEY, named.ssh_key), _reply(_SSH_KEY_REFUSED, "")]
    replies += [
        _reply(_VAULT % _vault_label(vault_id, named.vaults), answer) for vault_id, answer in named.vaults.items()
    ]
    return replies


def _reply(prompt: bytes, answer: str) -> Reply:
    return Reply(re.compile(prompt, re.MULTILINE), answer.encode())


def _vault_label(vault_id: str, others: Mapping[str, str]) -> bytes:
    """Return the ID as the prompt shows it. --ask-vault-pass does not show the ID of the default vault, `default`."""
    label = rb" \(" + re.escape(vault_id.encode()) + rb"\)"
    if vault_id == "":
        return rb"" if "default" in others else rb"(?: \(default\))?"
    if vault_id == "default" and "" not in others:
        return b"(?:" + label + b")?"
    return label


@dataclass(frozen=True, slots=True)
class Prompt:
    """Output that looks like a prompt."""

    text: str
    patience: float = 0.0
    """Seconds that the prompt itself waits."""
    pause: bool = False
    """True for Ansible's pause module, which polls for keys and does not wait in read(2)."""


class Tail:
    """The end of the output, after the last prompt that was answered."""

    def __init__(self) -> None:
        self._data = b""

    def add(self, data: bytes) -> None:
        """Add output."""
        self._data = (self._data + data)[-WINDOW:]

    def clear(self) -> None:
        """Forget the output, after the prompt at its end was answered."""
        self._data = b""

    @property
    def unfinished(self) -> str:
        """The last line of the output, if it has no end and is not empty."""
        text = self._data.decode("utf-8", "replace").rpartition("\n")[2]
        return text if _CONTROL.sub(b"", text.encode()).strip() else ""

    def prompt(self, *, raw: bool) -> Prompt | None:
        """Return what looks like a prompt at the end of the output; None if nothing does.

        Args:
            raw: whether the terminal passes on each key at once, as with Ansible's pause module. Its prompt is a whole
                line.
        """
        text = _CONTROL.sub(b"", self._data).decode("utf-8", "replace")
        last = _LINE_END.split(text)[-1]
        if last.strip():
            asks = last.isprintable() and last.rstrip()[-1] in ":?>]" and any(map(str.isalnum, last))
            return Prompt(last[-_SHOWN:]) if asks else None
        found = _PAUSE.search(text.replace("\r", "")) if raw else None
        if found is None:
            return None
        timed = _TIMED_PAUSE.findall(text)
        return Prompt(found["prompt"][-_SHOWN:], float(timed[-1]) if timed else 0.0, pause=True)


def explain_unanswered(prompt: Prompt, seconds: float) -> str:
    """Explain why a job was ended at a prompt, and what to do.

    Args:
        prompt: the unanswered prompt.
        seconds: pexpect_timeout.
    """
    return (
        f"the prompt {prompt.text!r} was not answered within {seconds:g} seconds (pexpect_timeout): {_advise(prompt)}"
    )


def explain_refused(text: str) -> str:
    """Explain why a job was ended at a prompt that was shown again after every answer."""
    return (
        f"the prompt {text[-_SHOWN:]!r} was shown again after each of {MAX_REPEATS} answers: the password for it is "
        "probably wrong"
    )


def _advise(prompt: Prompt) -> str:
    data = prompt.text.encode()
    if vault := _ANY_VAULT.search(data):
        vault_id = (vault[1] or b"default").decode()
        return _name("password", "vault" if vault_id == "default" else f"vault:{vault_id}")
    for expression, what, name in (
        (_SSH, "password", "ssh"),
        (_BECOME, "password", "become"),
        (_SSH_KEY, "passphrase", "ssh_key"),
    ):
        if re.search(expression, data, re.MULTILINE):
            return _name(what, name)
    if re.search(_SSH_KEY_REFUSED, data):
        return "the passphrase given for the private key is wrong"
    if "continue connecting" in prompt.text:
        return (
            "ssh does not know the host's key. Add it to known_hosts where the worker runs, or disable the check with "
            "the environment variable ANSIBLE_HOST_KEY_CHECKING=False"
        )
    answer = (
        "add an answer to passwords (env/passwords), under a regular expression that matches the prompt, or run it "
        "in the foreground of a terminal to type it"
    )
    if prompt.pause:
        return f"{answer}, or set the seconds of the pause"
    return answer


def _name(what: str, name: str) -> str:
    return f"add the {what} to passwords (env/passwords), under the name {name!r}"
