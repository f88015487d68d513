"""A command as it may be shown and kept: values of its environment and its words that may be secret are hidden.

What is shown of an environment is chosen by an allow-list of names (`harmless_variables`). The values of those, and the
words of a command line, are searched for what looks like a secret. Where the two cannot be told apart, more is hidden.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence

from playstream.pipeline.harmless_variables import is_harmless

REDACTED = "***"

# The end of a name whose value is secret; a few words decide inside of it too. Names of files, and ssh's options
# (PasswordAuthentication), are no secrets. Nothing here may take more than a fixed time for each character: a command
# comes from workers that are not trusted.
_NAME = (
    r"(?:(?:passw(?:or)?d|passphrase|secret|token|credential)[\w.-]{0,64}|pass|pwd|key|auth|creds)"
    r"(?<!file)(?<!files)(?<!path)(?<!dir)(?<!authentication)(?<!prompt)(?<!prompts)(?<!mechanism)"
)
_OPTION = rf"(?:--(?!ask-|private-key)|-(?!-))[\w-]{{0,64}}?{_NAME}"
_VALUE = r"""(?:"(?:[^"\\]|\\.)*"|'[^']*'|\S+)"""
_PATTERNS = tuple(
    (re.compile(pattern, re.IGNORECASE), shown)
    for pattern, shown in (
        # A URL's password, up to the last @ before the next URL: what is not quoted as it should be is part of it.
        # A number that a path follows is a port.
        (r"(\w://[^\s:/@'\"?#]*:)(?!\d+(?:[/?#,]|$))(?:(?!\w{1,32}://)\S)*@", rf"\1{REDACTED}@"),
        # A token in the place of the user.
        (r"(\bhttps?://)[^\s:/@'\"?#]+@", rf"\1{REDACTED}@"),
        (rf"(\bsshpass(?:\s{{1,8}}\S{{1,256}}){{0,6}}?\s{{1,8}}(?-i:-[a-z]{{0,8}}p)\s*){_VALUE}", rf"\1{REDACTED}"),
        # Redis, as the cache plugins take it: HOST:PORT:DB:PASSWORD, and HOST:PORT;HOST:PORT;DB:PASSWORD.
        (r"((?:^|[\s=/'\"])(?:\[[0-9a-f:.%]+\]|[^\s:;=/'\"]+):\d+:\d+:)\S+", rf"\1{REDACTED}"),
        (r"(:\d+;\d+:)\S+", rf"\1{REDACTED}"),
        (rf"(\bauthorization[\"']?\s*[:=]\s*(?:basic|bearer|token)\s+){_VALUE}", rf"\1{REDACTED}"),
        (rf"({_NAME}[\"']?\s*[=:]\s*)(?!//){_VALUE}", rf"\1{REDACTED}"),
        (rf"((?:^|\s){_OPTION}\s+)(?!-){_VALUE}", rf"\1{REDACTED}"),
    )
)
_SECRET_OPTION = re.compile(_OPTION, re.IGNORECASE)
_MAX_VARIABLES = 1 << 16
"""Characters of variables that are looked at one by one."""
_EXTRA_VARS = re.compile(r"--e(?:x(?:t(?:r(?:a(?:-(?:v(?:a(?:r(?:s)?)?)?)?)?)?)?)?)?")
"""`--extra-vars` and what argparse takes for it."""
_SSHPASS_OPTION = re.compile(r"-[a-z]{0,8}?p")
_ASSIGNMENT = re.compile(r"([A-Z_][A-Z0-9_]*)=", re.ASCII)


def redact(env: Mapping[str, str]) -> dict[str, str]:
    """The environment: hidden are the values of all but harmless variables, and what is secret in those."""
    return {name: redact_text(value) if is_harmless(name) else REDACTED for name, value in sorted(env.items())}


def redact_words(words: Sequence[str]) -> tuple[str, ...]:
    """The command line: hidden are the values of extra variables, of variables that are not harmless, of options that
    are named as a secret, and what is secret in other words.
    """
    by_sshpass = any(word.rpartition("/")[2] == "sshpass" for word in words)
    return tuple(
        (by_sshpass and _redact_password(before, word)) or _redact_word(before, word)
        for before, word in zip(("", *words), words, strict=False)
    )


def redact_text(text: str) -> str:
    """The text, without the passwords of URLs, of sshpass and of connection strings, and values named as a secret."""
    for pattern, shown in _PATTERNS:
        text = pattern.sub(shown, text)
    return text


def _redact_word(before: str, word: str) -> str:
    option, equals, value = word.partition("=")
    if before in ("-e", "--env") or _EXTRA_VARS.fullmatch(before):
        return _redact_variables(word)
    if equals and (option == "--env" or _EXTRA_VARS.fullmatch(option)):
        return f"{option}={_redact_variables(value)}"
    if word.startswith("-e"):
        return f"-e{_redact_variables(word.removeprefix('-e'))}"
    if _SECRET_OPTION.fullmatch(before) and not word.startswith("-"):
        return REDACTED
    if (assigned := _ASSIGNMENT.match(word)) is not None:
        return _redact_assignment(assigned[1], value)
    return redact_text(word)


def _redact_password(before: str, word: str) -> str | None:
    """sshpass's, as `-p PASSWORD` or `-pPASSWORD`; None if the word is neither."""
    if _SSHPASS_OPTION.fullmatch(before):
        return REDACTED
    found = _SSHPASS_OPTION.match(word)
    return found[0] + REDACTED if found is not None and found[0] != word else None


def _redact_variables(text: str) -> str:
    """Variables as Ansible's -e takes them (a file, NAME=VALUE …, YAML or JSON), or an engine's --env NAME=VALUE."""
    if text.startswith("@"):
        return text
    if text.lstrip().startswith(("{", "[")) or len(text) > _MAX_VARIABLES:
        return REDACTED
    if "=" not in text:
        return redact_text(text)
    try:
        parts = shlex.split(text)
    except ValueError:
        parts = [text]
    # What is in no assignment is the rest of a value that lacks its quotes.
    return " ".join(
        _redact_assignment(name, value) if equals and re.fullmatch(r"[\w.-]+", name) else REDACTED
        for name, equals, value in (part.partition("=") for part in parts)
    )


def _redact_assignment(name: str, value: str) -> str:
    return f"{name}={redact_text(value) if is_harmless(name) else REDACTED}"
