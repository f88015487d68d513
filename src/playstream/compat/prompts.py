"""Convert passwords to and from ansible-runner's form: compiled expressions of prompts, and their answers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from playstream.pipeline.job.passwords import check_passwords, sort_passwords

_FLAGS = {re.IGNORECASE: "i", re.DOTALL: "s", re.VERBOSE: "x"}
"""Flags of an expression that are kept. MULTILINE is always set, and bytes are always ASCII."""


def compile_prompts(passwords: Mapping[str, str]) -> dict[Any, str | None]:
    """Compile the expressions in `passwords`; return them with their answers. Named passwords have no expression."""
    prompts = sort_passwords(passwords).prompts
    return {re.compile(pattern, re.MULTILINE): answer for pattern, answer in prompts.items()}


def with_prompts(passwords: Mapping[str, str], expected: Mapping[Any, Any]) -> dict[str, str]:
    """Return the named passwords, and the prompts in `expected` that have an answer.

    Other keys, such as pexpect.EOF, which ends the wait for a prompt in ansible-runner, are ignored.

    Raises:
        ConfigurationError: an expression or an answer is invalid.
    """
    named = sort_passwords(passwords).prompts.keys() ^ passwords.keys()
    prompts = {
        _text(pattern): answer
        for pattern, answer in expected.items()
        if answer is not None and isinstance(pattern, (str, re.Pattern))
    }
    return {name: passwords[name] for name in named} | check_passwords("expect_passwords", prompts)


def _text(pattern: str | re.Pattern[Any]) -> str:
    """Return an expression as text, including its flags."""
    if isinstance(pattern, str):
        return pattern
    text = pattern.pattern.decode() if isinstance(pattern.pattern, bytes) else str(pattern.pattern)
    letters = "".join(letter for flag, letter in _FLAGS.items() if pattern.flags & flag)
    return f"(?{letters}){text}" if letters else text
