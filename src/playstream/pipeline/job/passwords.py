"""Passwords: those with a name, which need no regular expression, and those that answer the user's own prompts."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from playstream.pipeline.errors import ConfigurationError

_ALIASES = {
    "ssh": "ssh",
    "conn_pass": "ssh",
    "become": "become",
    "become_pass": "become",
    "vault": "vault",
    "ssh_key": "ssh_key",
    "ssh_key_passphrase": "ssh_key",
}
"""The meaning of the names. `conn_pass` and `become_pass` are the names in Ansible's own code."""
NAMES = tuple(_ALIASES)
"""The names of passwords, apart from `vault:ID`."""
MAX_ANSWER = 4095
"""Maximum length of an answer in bytes: a terminal of the kernel keeps no more of a line (termios(3))."""
VAULT_NAME = re.compile(r"vault:([A-Za-z0-9_.][A-Za-z0-9_.-]*)")
VAULT = "vault:"
"""What the name of a vault's password begins with, before the ID."""
VAULT_ID = "a vault ID of letters, digits, dots, dashes and underscores that does not begin with a dash"
"""What an ID is expected to be: it is part of Ansible's prompt, and of a word of its command line."""


@dataclass(frozen=True, slots=True)
class Passwords:
    """Passwords by their purpose; the representation does not show them."""

    ssh: str | None = field(default=None, repr=False)
    become: str | None = field(default=None, repr=False)
    ssh_key: str | None = field(default=None, repr=False)
    """The passphrase of the job's private key."""
    vaults: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Vault ID to password; the empty ID is that of the default vault."""
    prompts: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Regular expression of a prompt to its answer."""


def name_vault(vault_id: str) -> str:
    """Return the name of the password of a vault; the empty ID is that of the default vault."""
    return VAULT + vault_id if vault_id else "vault"


def is_vault_id(text: str) -> bool:
    """Return whether a text can be the ID of a vault: see VAULT_ID."""
    return VAULT_NAME.fullmatch(VAULT + text) is not None


def sort_passwords(passwords: Mapping[str, str]) -> Passwords:
    """Separate the named passwords from the regular expressions."""
    named: dict[str, str] = {}
    vaults: dict[str, str] = {}
    prompts: dict[str, str] = {}
    for name, answer in passwords.items():
        vault = VAULT_NAME.fullmatch(name)
        if vault:
            vaults[vault[1]] = answer
        elif _ALIASES.get(name) == "vault":
            vaults[""] = answer
        elif name in _ALIASES:
            named[_ALIASES[name]] = answer
        else:
            prompts[name] = answer
    return Passwords(named.get("ssh"), named.get("become"), named.get("ssh_key"), vaults, prompts)


def check_passwords(source: str, values: Mapping[str, Any]) -> dict[str, str]:
    """Check names or prompts (regular expressions) and their answers. `source` is the file or argument, for errors.

    Raises:
        ConfigurationError: an expression does not compile, a vault ID is not valid, or an answer is not text. Answers
            are never shown.
    """
    checked: dict[str, str] = {}
    for pattern, answer in values.items():
        if not isinstance(pattern, str):
            raise ConfigurationError(f"{source}: expected a string as a prompt or name, got {type(pattern).__name__}")
        vault_id = pattern.removeprefix(VAULT)
        if vault_id != pattern and not is_vault_id(vault_id):
            raise ConfigurationError(f"{source}: {pattern[:200]!r}: expected {VAULT_ID}, got {vault_id[:200]!r}")
        try:
            re.compile(pattern)
            re.compile(pattern.encode(), re.MULTILINE)  # the output of a terminal is bytes
        except (re.error, ValueError, OverflowError, RecursionError) as error:
            raise ConfigurationError(
                f"{source}: {pattern[:200]!r} is not a valid regular expression: {error}"
            ) from None
        if isinstance(answer, (dict, list, bool)) or answer is None:
            raise ConfigurationError(
                f"{source}: the answer to {pattern!r}: expected a string, got {type(answer).__name__}"
            )
        checked[pattern] = _check_answer(f"{source}: the answer to {pattern!r}", str(answer))
    return checked


def _check_answer(source: str, answer: str) -> str:
    """Check that an answer can be typed, and return it without a final line end, because Enter is typed anyway.

    Raises:
        ConfigurationError: it cannot be typed as one line. The error does not show it.
    """
    answer = answer.removesuffix("\n").removesuffix("\r")
    found = next((name for char, name in (("\n", "a line feed"), ("\r", "a carriage return")) if char in answer), None)
    if found is not None:
        raise ConfigurationError(f"{source}: expected one line, got {found} in it, which would end the answer early")
    size = len(answer.encode("utf-8", "surrogatepass"))
    if size > MAX_ANSWER:
        raise ConfigurationError(
            f"{source}: expected at most {MAX_ANSWER} bytes, the longest line that a terminal accepts, got {size}"
        )
    return answer


def ask_for_passwords(given_passwords: Mapping[str, str], cmdline: Sequence[str]) -> list[str]:
    """Return options that make Ansible ask for the named passwords, unless `cmdline` has them."""
    passwords = sort_passwords(given_passwords)
    given = set(cmdline)
    words: list[str] = []
    if passwords.ssh is not None and not given & {"-k", "--ask-pass"}:
        words.append("--ask-pass")
    if passwords.become is not None and not given & {"-K", "--ask-become-pass"}:
        words.append("--ask-become-pass")
    asked = {word.removeprefix("--vault-id=").removesuffix("@prompt") for word in given if word.endswith("@prompt")}
    if given & {"-J", "--ask-vault-pass", "--ask-vault-password"}:
        asked.add("")
    for vault_id in passwords.vaults:
        if vault_id not in asked:
            words += ["--vault-id", f"{vault_id}@prompt"]
    return words
